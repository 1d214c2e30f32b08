//! Conditions.
//!
//! In: the value of an `if`. Out: the condition. It does not know which
//! configuration symbols there are.

use super::{Lowered, Scope, keys};
use crate::diag::{Problem, Subject};
use crate::schema::Cond;
use crate::syntax::{Object, Value, ValueKind};

/// The condition of something, if it has one.
pub(super) fn condition(
    object: &Object<'_>,
    of: &Subject,
    scope: &mut Scope<'_>,
) -> Lowered<Option<Cond>> {
    object
        .get("if")
        .map(|value| lower(value, of, scope))
        .transpose()
}

/// It calls itself as deeply as the parser lets values nest.
fn lower(value: &Value<'_>, of: &Subject, scope: &mut Scope<'_>) -> Lowered<Cond> {
    let object = match &value.kind {
        ValueKind::Str(symbol) if is_symbol(symbol) => {
            return Ok(Cond::Symbol(symbol.to_string()));
        }
        ValueKind::Str(symbol) => {
            let problem = Problem::ConditionSymbol {
                of: of.clone(),
                symbol: symbol.to_string(),
            };
            return Err(scope.report(problem, value.span));
        }
        ValueKind::Object(object) => object,
        _ => return Err(scope.report(Problem::ConditionType(of.clone()), value.span)),
    };
    let subject = Subject::Condition(Box::new(of.clone()));
    keys::check(object, value.span, &subject, keys::CONDITION, scope)?;
    let [operator] = object.members.as_slice() else {
        return Err(scope.report(Problem::ConditionKeys(of.clone()), value.span));
    };
    match operator.key.as_ref() {
        "not" => lower(&operator.value, of, scope).map(|cond| Cond::Not(Box::new(cond))),
        "all" => operands("all", &operator.value, of, scope).map(Cond::All),
        _ => operands("any", &operator.value, of, scope).map(Cond::Any),
    }
}

fn operands(
    operator: &'static str,
    value: &Value<'_>,
    of: &Subject,
    scope: &mut Scope<'_>,
) -> Lowered<Vec<Cond>> {
    let ValueKind::List(operands) = &value.kind else {
        let problem = Problem::ConditionOperands {
            of: of.clone(),
            operator,
        };
        return Err(scope.report(problem, value.span));
    };
    if operands.is_empty() {
        return Err(scope.report(Problem::ConditionEmpty(of.clone()), value.span));
    }
    operands
        .iter()
        .map(|operand| lower(operand, of, scope))
        .collect()
}

fn is_symbol(symbol: &str) -> bool {
    symbol.starts_with(|c: char| c.is_ascii_uppercase())
        && symbol
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

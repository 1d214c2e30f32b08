//! The key `if`.
//!
//! In: the value of an `if`. Out: the condition. Which configuration symbols
//! exist is not known here.

use super::c_condition;
use super::keys;
use super::scope::{Lowered, Scope};
use crate::cond::{Cond, CondKind};
use crate::diag::{MessageSubject, Problem, Reported};
use crate::rules::Fact;
use crate::syntax::{Member, Object, Value, ValueKind};

/// Returns the condition of an object, if there is one.
pub(super) fn condition(
    object: &Object<'_>,
    of: &MessageSubject,
    scope: &mut Scope<'_>,
) -> Lowered<Option<Cond>> {
    object
        .get("if")
        .map(|value| match scope.rules.have(Fact::ConditionsInC) {
            true => lower_from_c(value, of, scope),
            false => lower(value, of, scope),
        })
        .transpose()
}

/// Converts the value of an `if` that is written in C.
fn lower_from_c(value: &Value<'_>, of: &MessageSubject, scope: &mut Scope<'_>) -> Lowered<Cond> {
    let expressions = match &value.kind {
        ValueKind::List(list) => &**list,
        _ => std::slice::from_ref(value),
    };
    let mut conds = Vec::with_capacity(expressions.len());
    for expression in expressions {
        let ValueKind::Str(text) = &expression.kind else {
            return Err(scope.report(Problem::ConditionType(of.clone()), expression.span));
        };
        let cond = c_condition::parse(text).ok_or_else(|| {
            let problem = Problem::ConditionSymbol {
                of: of.clone(),
                symbol: text.to_string(),
            };
            scope.report(problem, expression.span)
        });
        conds.push(cond?);
    }
    c_condition::joined(conds, CondKind::All)
        .ok_or_else(|| scope.report(Problem::ConditionEmpty(of.clone()), value.span))
}

/// Converts the value of an `if`.
///
/// The function calls itself as deeply as the parser lets values nest.
/// Problems, which are large, are built by functions that are not inlined, to
/// keep the stack frames small.
fn lower(value: &Value<'_>, of: &MessageSubject, scope: &mut Scope<'_>) -> Lowered<Cond> {
    if let ValueKind::Str(symbol) = &value.kind
        && is_symbol(symbol)
    {
        return Ok(CondKind::Symbol(symbol.to_string()).into());
    }
    let operator = operator(value, of, scope)?;
    let operands = match (operator.key.as_ref(), &operator.value.kind) {
        ("not", _) => {
            let operand = lower(&operator.value, of, scope)?;
            return Ok(CondKind::Not(operand).into());
        }
        (_, ValueKind::List(operands)) if !operands.is_empty() => operands,
        _ => return Err(wrong_operands(operator, of, scope)),
    };
    let mut conds = Vec::with_capacity(operands.len());
    for operand in operands {
        conds.push(lower(operand, of, scope)?);
    }
    Ok(if operator.key == "all" {
        CondKind::All(conds).into()
    } else {
        CondKind::Any(conds).into()
    })
}

/// Returns the only operator of a condition that is not a symbol.
#[inline(never)]
fn operator<'v, 's>(
    value: &'v Value<'s>,
    of: &MessageSubject,
    scope: &mut Scope<'_>,
) -> Lowered<&'v Member<'s>> {
    let object = match &value.kind {
        ValueKind::Object(object) => object,
        ValueKind::Str(symbol) => {
            let problem = Problem::ConditionSymbol {
                of: of.clone(),
                symbol: symbol.to_string(),
            };
            return Err(scope.report(problem, value.span));
        }
        _ => return Err(scope.report(Problem::ConditionType(of.clone()), value.span)),
    };
    let subject = MessageSubject::Condition(Box::new(of.clone()));
    keys::check(object, value.span, &subject, keys::CONDITION, scope)?;
    match &*object.members {
        [operator] => Ok(operator),
        _ => Err(scope.report(Problem::ConditionKeys(of.clone()), value.span)),
    }
}

/// Reports wrong operands.
#[inline(never)]
fn wrong_operands(operator: &Member<'_>, of: &MessageSubject, scope: &mut Scope<'_>) -> Reported {
    let of = of.clone();
    let problem = match (&operator.value.kind, operator.key.as_ref()) {
        (ValueKind::List(_), _) => Problem::ConditionEmpty(of),
        (_, "all") => Problem::ConditionOperands {
            of,
            operator: "all",
        },
        _ => Problem::ConditionOperands {
            of,
            operator: "any",
        },
    };
    scope.report(problem, operator.value.span)
}

/// Returns whether a string is a valid configuration symbol.
fn is_symbol(symbol: &str) -> bool {
    symbol.starts_with(|c: char| c.is_ascii_uppercase())
        && symbol
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

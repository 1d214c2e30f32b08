//! The configuration with which a QEMU was built.
//!
//! In: a schema, and the reply of `query-qmp-schema`. Out: the symbols with
//! which our introspection is closest to the reply, and the remaining
//! difference.

use std::collections::BTreeSet;

use qapi_gen::Introspection;
use qapi_gen::schema::{CheckedSchema, Cond, CondKind, TypeKind};
use serde_json::Value;

/// Begins with all symbols, and removes those without which the introspection
/// fits better: one at a time, and where that does not help, two at a time.
pub(super) fn of(schema: &CheckedSchema, theirs: &Value) -> (BTreeSet<String>, String) {
    let theirs = entries(theirs);
    let symbols: Vec<String> = symbols(schema).into_iter().collect();
    let mut config: BTreeSet<String> = symbols.iter().cloned().collect();
    let mut least = distance(schema, &config, &theirs);
    let mut flips: Vec<Vec<&String>> = symbols.iter().map(|symbol| vec![symbol]).collect();
    let singles = flips.len();
    for (index, first) in symbols.iter().enumerate() {
        flips.extend(
            symbols
                .iter()
                .skip(index + 1)
                .map(|second| vec![first, second]),
        );
    }
    let mut better = true;
    while better && least > 0 {
        better = false;
        for (index, flip) in flips.iter().enumerate() {
            if index >= singles && better {
                break;
            }
            let mut other = config.clone();
            for symbol in flip {
                if !other.remove(*symbol) {
                    other.insert((*symbol).clone());
                }
            }
            let distance = distance(schema, &other, &theirs);
            if distance < least {
                (least, config, better) = (distance, other, true);
            }
        }
    }
    // Keep only the last one of several symbols with the same effect.
    for symbol in &symbols {
        let mut other = config.clone();
        if other.remove(symbol) && distance(schema, &other, &theirs) == least {
            config = other;
        }
    }
    let ours = introspection(schema, &config);
    let difference: Vec<&str> = ours
        .symmetric_difference(&theirs)
        .map(String::as_str)
        .collect();
    let difference = difference.join("\n");
    (config, difference)
}

fn distance(schema: &CheckedSchema, config: &BTreeSet<String>, theirs: &BTreeSet<String>) -> usize {
    introspection(schema, config)
        .symmetric_difference(theirs)
        .count()
}

fn introspection(schema: &CheckedSchema, config: &BTreeSet<String>) -> BTreeSet<String> {
    let mut introspection = Introspection::default();
    introspection.config = Some(config.clone());
    let text = introspection.json(schema);
    entries(&serde_json::from_str(&text).unwrap_or_default())
}

fn entries(introspection: &Value) -> BTreeSet<String> {
    let entries = introspection.as_array().into_iter().flatten();
    entries.map(Value::to_string).collect()
}

/// Returns every symbol of a condition in the schema.
fn symbols(schema: &CheckedSchema) -> BTreeSet<String> {
    let mut conds: Vec<&Cond> = Vec::new();
    for entity in schema.entities() {
        let common = schema.common(*entity);
        conds.extend(&common.cond);
        conds.extend(common.features.iter().flat_map(|feature| &feature.cond));
    }
    for (_, ty) in schema.types() {
        match &ty.kind {
            TypeKind::Enum(enumeration) => {
                conds.extend(enumeration.values.iter().flat_map(|value| &value.cond));
            }
            TypeKind::Object(object) => {
                conds.extend(object.members.iter().flat_map(|member| &member.cond));
                let branches = object.branches.iter().flat_map(|branches| &branches.list);
                conds.extend(branches.flat_map(|branch| &branch.cond));
                let features = object.members.iter().flat_map(|member| &member.features);
                conds.extend(features.flat_map(|feature| &feature.cond));
            }
            TypeKind::Alternate(alternate) => {
                conds.extend(alternate.branches.iter().flat_map(|branch| &branch.cond));
            }
            TypeKind::Builtin(_) | TypeKind::Array(_) => {}
        }
    }
    let mut symbols = BTreeSet::new();
    while let Some(cond) = conds.pop() {
        match cond.kind() {
            CondKind::Symbol(symbol) => {
                symbols.insert(symbol.clone());
            }
            CondKind::Not(cond) => conds.push(cond),
            CondKind::All(parts) | CondKind::Any(parts) => conds.extend(parts),
        }
    }
    symbols
}

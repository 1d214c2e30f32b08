//! The configuration with which a QEMU was built.
//!
//! In: a schema, and the reply of `query-qmp-schema`. Out: the symbols with
//! which our introspection is closest to the reply, and the remaining
//! difference.

use std::collections::BTreeSet;

use qapi_gen::Introspection;
use qapi_gen::schema::{CheckedSchema, Cond, CondKind};
use serde_json::Value;

/// Begins with all symbols, and adds or removes those that make the
/// introspection fit better: one at a time, and where that does not help, two at
/// a time.
pub(super) fn of(schema: &CheckedSchema, theirs: &Value) -> (BTreeSet<String>, String) {
    let theirs = entries(theirs);
    let symbols = symbols(schema);
    let distance = |config: &BTreeSet<String>| {
        let ours = introspection(schema, config);
        ours.symmetric_difference(&theirs).count()
    };
    let mut config = symbols.clone();
    let mut least = distance(&config);
    let single = symbols
        .iter()
        .map(|symbol| BTreeSet::from([symbol.clone()]));
    let single: Vec<_> = single.collect();
    let pairs = single.iter().zip(1..).flat_map(|(first, next)| {
        let others = single.iter().skip(next);
        others.map(move |second| first | second)
    });
    let pairs: Vec<_> = pairs.collect();
    // Adds or removes the symbols of each flip, and keeps what fits better.
    let mut improve = |flips: &[BTreeSet<String>]| {
        let before = least;
        if before == 0 {
            return false;
        }
        for flip in flips {
            let other = &config ^ flip;
            let distance = distance(&other);
            if distance < least {
                (least, config) = (distance, other);
            }
        }
        least < before
    };
    while improve(&single) || improve(&pairs) {}
    // Keep only the last one of several symbols with the same effect.
    for symbol in &single {
        let other = &config - symbol;
        if distance(&other) == least {
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
    let mut conds: Vec<&Cond> = schema.conditions().collect();
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

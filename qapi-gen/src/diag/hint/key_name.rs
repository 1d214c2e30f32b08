//! Hints on keys that an object must not have.
//!
//! In: the keys that are written and those that are wanted. Out: the keys that
//! were probably meant. What the keys are for is known only as far as newcomers
//! look for it under other names.

use super::similar::similar;

/// The keys under other names.
const SYNONYMS: [(&str, &str); 27] = [
    ("args", "data"),
    ("arguments", "data"),
    ("branches", "data"),
    ("fields", "data"),
    ("members", "data"),
    ("params", "data"),
    ("values", "data"),
    ("response", "returns"),
    ("result", "returns"),
    ("return", "returns"),
    ("returns", "data"),
    ("extends", "base"),
    ("parent", "base"),
    ("tag", "discriminator"),
    ("cond", "if"),
    ("condition", "if"),
    ("class", "struct"),
    ("object", "struct"),
    ("type", "struct"),
    ("variant", "union"),
    ("function", "command"),
    ("method", "command"),
    ("request", "command"),
    ("rpc", "command"),
    ("notification", "event"),
    ("signal", "event"),
    ("import", "include"),
];

/// The number of keys for which others are searched, because an object may have
/// any number of keys.
const KEYS_MAX: usize = 4;

/// Returns a hint on the keys in `written`, none of which is in `wanted`.
pub(super) fn hint(written: &[String], wanted: &[&str]) -> Option<String> {
    if let Some(advice) = written.iter().find_map(|key| advice(key)) {
        return Some(advice.to_owned());
    }
    let meant: Vec<String> = written
        .iter()
        .take(KEYS_MAX)
        .filter_map(|key| Some(format!("'{}' instead of '{key}'", meant(key, wanted)?)))
        .collect();
    (!meant.is_empty()).then(|| format!("did you mean {}?", meant.join(", ")))
}

/// Returns the key that was probably meant.
fn meant<'a>(key: &str, wanted: &[&'a str]) -> Option<&'a str> {
    let synonym = |wanted: &&&str| SYNONYMS.contains(&(key, **wanted));
    let synonym = wanted.iter().find(synonym).copied();
    synonym.or_else(|| similar(key, wanted.iter().copied()))
}

/// Returns advice on a key for something that QAPI expresses without a key.
fn advice(key: &str) -> Option<&'static str> {
    match key {
        "optional" | "required" => {
            Some("a member is optional if its name begins with '*', and required otherwise")
        }
        "default" => Some("QAPI has no default values; say in the documentation what is assumed"),
        "comment" | "description" | "doc" => {
            Some("documentation is a comment before the definition, between two lines '##'")
        }
        _ => None,
    }
}

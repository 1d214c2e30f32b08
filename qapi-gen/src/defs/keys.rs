//! The keys of objects.
//!
//! In: an object, and the keys that it must and may have. Out: reports of
//! missing and unknown keys. Values are not looked at.

use super::scope::{Lowered, Scope};
use crate::diag::{DefinitionKind, MessageSubject, Problem};
use crate::source::Span;
use crate::syntax::Object;

/// The keys that an object must have, and all that it may have. Both are in
/// alphabetical order, in which messages list them.
#[derive(Clone, Copy)]
pub(super) struct Keys {
    required: &'static [&'static str],
    allowed: &'static [&'static str],
}

/// The keys of a union without a discriminator.
pub(super) const SIMPLE_UNION: Keys = Keys {
    required: &["data", "union"],
    allowed: &["data", "features", "if", "union"],
};

/// Returns the keys of a definition.
pub(super) fn of(kind: DefinitionKind) -> Keys {
    let (required, allowed): (&[_], &[_]) = match kind {
        DefinitionKind::Enum => (
            &["data", "enum"],
            &["data", "enum", "features", "if", "prefix"],
        ),
        DefinitionKind::Struct => (
            &["data", "struct"],
            &["base", "data", "features", "if", "struct"],
        ),
        DefinitionKind::Union => (
            &["base", "data", "discriminator", "union"],
            &["base", "data", "discriminator", "features", "if", "union"],
        ),
        DefinitionKind::Alternate => (
            &["alternate", "data"],
            &["alternate", "data", "features", "if"],
        ),
        DefinitionKind::Command => (
            &["command"],
            &[
                "allow-oob",
                "allow-preconfig",
                "boxed",
                "command",
                "coroutine",
                "data",
                "features",
                "gen",
                "if",
                "returns",
                "success-response",
            ],
        ),
        DefinitionKind::Event => (&["event"], &["boxed", "data", "event", "features", "if"]),
    };
    Keys { required, allowed }
}

/// The keys of a member.
pub(super) const MEMBER: Keys = Keys {
    required: &["type"],
    allowed: &["features", "if", "type"],
};

/// The keys of a branch.
pub(super) const BRANCH: Keys = Keys {
    required: &["type"],
    allowed: &["if", "type"],
};

/// The keys of an enum's value.
pub(super) const VALUE: Keys = Keys {
    required: &["name"],
    allowed: &["features", "if", "name"],
};

/// The keys of a feature.
pub(super) const FEATURE: Keys = Keys {
    required: &["name"],
    allowed: &["if", "name"],
};

/// The keys of a condition.
pub(super) const CONDITION: Keys = Keys {
    required: &[],
    allowed: &["all", "any", "not"],
};

/// Checks that an object has all keys that it must have, and only keys that it
/// may have.
pub(super) fn check(
    object: &Object<'_>,
    span: Span,
    of: &MessageSubject,
    keys: Keys,
    scope: &mut Scope<'_>,
) -> Lowered<()> {
    let missing: Vec<String> = keys
        .required
        .iter()
        .filter(|key| object.get(key).is_none())
        .map(ToString::to_string)
        .collect();
    if !missing.is_empty() {
        let problem = Problem::KeysMissing {
            of: of.clone(),
            keys: missing,
            unknown: unknown(object, keys),
        };
        return Err(scope.report(problem, span));
    }
    let is_unknown = |key: &str| !keys.allowed.contains(&key);
    let first = object.members.iter().find(|member| is_unknown(&member.key));
    let Some(first) = first.map(|member| member.key_span) else {
        return Ok(());
    };
    let mut names = unknown(object, keys);
    names.sort_unstable();
    let problem = Problem::KeysUnknown {
        of: of.clone(),
        keys: names,
        valid: keys.allowed.to_vec(),
    };
    Err(scope.report(problem, first))
}

/// Returns the keys of an object that it may not have, in order.
pub(super) fn unknown(object: &Object<'_>, keys: Keys) -> Vec<String> {
    let mut written = written(object);
    written.retain(|key| !keys.allowed.contains(&key.as_str()));
    written
}

/// Returns the keys of an object, in order.
pub(super) fn written(object: &Object<'_>) -> Vec<String> {
    let keys = object.members.iter().map(|member| member.key.to_string());
    keys.collect()
}

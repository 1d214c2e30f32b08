//! The rules for names.
//!
//! In: a name and what it names. Out: a report if the name breaks a rule.
//! Whether the name is already taken is not known here.

use super::definition::Name;
use super::scope::{Lowered, Scope};
use crate::diag::{DefinitionKind, MessageSubject, Problem};
use crate::pragmas::Pragmas;
use crate::rules::Fact;

/// Returns the part of a name to which conventions apply: the name without a
/// downstream prefix (`__com.example_`) and without `x-`. Returns `None` if the
/// name is not valid.
fn stem(name: &str) -> Option<&str> {
    let name = match name.strip_prefix("__") {
        Some(rest) => {
            let (domain, rest) = rest.split_once('_')?;
            let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
            if domain.is_empty() || !domain.chars().all(valid) {
                return None;
            }
            rest
        }
        // QEMU's C generator reserves the prefixes `q_` and `q-`.
        None if name.starts_with("q_") || name.starts_with("q-") => return None,
        None => name,
    };
    let valid = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    let experimental = name.strip_prefix("x-").or_else(|| name.strip_prefix("X-"));
    // If no valid name follows `x-`, it belongs to the stem.
    experimental
        .filter(|rest| valid(rest))
        .or_else(|| valid(name).then_some(name))
}

/// Checks the lower-case name of a command, member, branch or feature.
pub(super) fn check_lower(
    name: &Name<'_>,
    subject: &MessageSubject,
    exceptions: NameExceptions,
    scope: &mut Scope<'_>,
) -> Lowered<()> {
    check_text(&name.text, name, subject, exceptions, scope)
}

/// Checks the lower-case name of an enum's value, which may begin with a digit.
pub(super) fn check_value(
    name: &Name<'_>,
    subject: &MessageSubject,
    scope: &mut Scope<'_>,
) -> Lowered<()> {
    let exceptions = NameExceptions::all(scope.has_free_member_names);
    if name.text.starts_with(|c: char| c.is_ascii_digit()) {
        // Put a letter in front of the name, because the other rules do not
        // allow a digit there.
        check_text(&format!("d{}", name.text), name, subject, exceptions, scope)
    } else {
        check_text(&name.text, name, subject, exceptions, scope)
    }
}

/// The characters that a lower-case name may contain by way of exception.
#[derive(Clone, Copy)]
pub(super) struct NameExceptions {
    upper: bool,
    underscore: bool,
}

impl NameExceptions {
    /// Allows both upper case and `_`, or neither.
    pub(super) fn all(allowed: bool) -> Self {
        Self {
            upper: allowed,
            underscore: allowed,
        }
    }
}

/// Checks `text` instead of `name`, and reports problems of `name`.
fn check_text(
    text: &str,
    name: &Name<'_>,
    subject: &MessageSubject,
    exceptions: NameExceptions,
    scope: &mut Scope<'_>,
) -> Lowered<()> {
    if scope.rules.have(Fact::ConventionsIgnored) {
        return Ok(());
    }
    let Some(stem) = stem(text) else {
        return Err(scope.report(Problem::NameInvalid(subject.clone()), name.span));
    };
    let upper = stem.contains(|c: char| c.is_ascii_uppercase());
    if (upper && !exceptions.upper) || (stem.contains('_') && !exceptions.underscore) {
        return Err(scope.report(Problem::NameLower(subject.clone()), name.span));
    }
    Ok(())
}

/// Returns whether QEMU's C generator uses a member's name for something else.
pub(super) fn is_reserved(name: &str) -> bool {
    name == "u" || name.starts_with("has_") || name.starts_with("has-")
}

/// Checks the name of a definition.
pub(super) fn check_definition(
    name: &Name<'_>,
    scope: &mut Scope<'_>,
    pragmas: &Pragmas,
) -> Lowered<()> {
    if scope.rules.have(Fact::ConventionsIgnored) {
        return Ok(());
    }
    let kind = scope.kind;
    let subject = MessageSubject::Definition(kind);
    if kind == DefinitionKind::Command {
        let exceptions = NameExceptions {
            upper: false,
            underscore: pragmas.command_name_exceptions.contains(name.text.as_ref()),
        };
        return check_lower(name, &subject, exceptions, scope);
    }
    let problem = match stem(&name.text) {
        None => Problem::NameInvalid(subject),
        Some(stem) if kind == DefinitionKind::Event => {
            if !stem.contains(|c: char| c.is_ascii_lowercase() || c == '-') {
                return Ok(());
            }
            Problem::NameUpper(subject)
        }
        Some(stem) if !is_camel(stem) => Problem::NameCamel(subject),
        Some(_) if name.text.ends_with("List") => Problem::NameList(kind),
        Some(_) => return Ok(()),
    };
    Err(scope.report(problem, name.span))
}

/// Returns whether a stem is CamelCase.
fn is_camel(stem: &str) -> bool {
    let mut chars = stem.chars();
    chars.next().is_some_and(|c| c.is_ascii_uppercase())
        && chars.clone().all(|c| c.is_ascii_alphanumeric())
        && chars.any(|c| c.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stem_has_no_prefixes() {
        for (name, expected) in [
            ("a", Some("a")),
            ("x-a", Some("a")),
            ("x-1", Some("x-1")),
            ("x-", Some("x-")),
            ("__org.qemu_x-a", Some("a")),
            ("__org.qemu_a_b", Some("a_b")),
            ("__org.qemu_", None),
            ("__a", None),
            ("_a", None),
            ("q_a", None),
            ("q-a", None),
            ("qa", Some("qa")),
            ("1a", None),
            ("", None),
            ("a.b", None),
        ] {
            assert_eq!(stem(name), expected, "{name}");
        }
    }

    #[test]
    fn camel_case_contains_both_cases() {
        assert!(is_camel("Ab"));
        assert!(!is_camel("AB"));
        assert!(!is_camel("aB"));
        assert!(!is_camel("A-b"));
    }
}

//! The releases that documentation names.
//!
//! In: a schema, and the definitions of earlier releases. Out: parts whose
//! documentation names no release, or a wrong one.

use super::advice::{Advice, Places, Rule};
use crate::interface::{History, Interface, Place, Shape, Since, Type};
use crate::schema::{Doc, Entity, TypeKind};

/// The parts of definitions in many releases: `Type/member`, `Enum=value`,
/// `command/argument`.
///
/// They are not what is on the wire: a type that one command has used for years may
/// reach another command today.
#[derive(Clone, Debug, Default)]
pub struct DefinitionHistory(History);

impl DefinitionHistory {
    /// Adds the next release, whose interface must come from a schema, because a reply
    /// names no types.
    pub fn add(&mut self, release: &str, interface: &Interface) {
        self.0.add_paths(release, parts(interface));
    }
}

/// Returns the parts of all definitions.
pub(super) fn parts(interface: &Interface) -> Vec<String> {
    let mut parts = Vec::new();
    for (name, index) in &interface.named {
        parts_of(name, interface.ty(*index), &mut parts);
    }
    let commands = interface.commands.iter();
    let events = interface.events.iter();
    let arguments = commands
        .map(|(name, command)| (name, command.arg))
        .chain(events.map(|(name, event)| (name, event.arg)));
    for (name, arg) in arguments {
        let ty = interface.ty(arg);
        if ty.name.is_none() {
            parts_of(name, ty, &mut parts);
        } else {
            parts.push(name.clone());
        }
    }
    parts
}

fn parts_of(name: &str, ty: &Type, parts: &mut Vec<String>) {
    parts.push(name.to_owned());
    match &ty.shape {
        Shape::Enum(values) => parts.extend(values.keys().map(|value| format!("{name}={value}"))),
        Shape::Object(object) => {
            let members = object.members.keys();
            parts.extend(members.map(|member| format!("{name}/{member}")));
        }
        _ => {}
    }
}

/// Checks all documentation.
pub(super) fn check(places: &Places<'_>, history: &DefinitionHistory, advice: &mut Vec<Advice>) {
    for entity in places.schema.entities() {
        let common = places.schema.common(*entity);
        let Some(doc) = &common.doc else { continue };
        let name = common.name.as_str();
        let written = definition_since(doc);
        let definition_came = match history.0.since(name) {
            Some(Since::Exactly(came)) => Some(came),
            _ => None,
        };
        // A type that is new may have been renamed, so that only a later release is wrong.
        let is_type = matches!(entity, Entity::Type(_));
        if let Some(came) = definition_came {
            let found = match &written {
                None => Some((Rule::SinceMissing, "does not say so".to_owned())),
                Some(written)
                    if same_release(written, came) || is_type && !is_later(written, came) =>
                {
                    None
                }
                Some(written) => Some((Rule::SinceWrong, format!("says {written}"))),
            };
            if let Some((rule, says)) = found {
                advice.push(Advice {
                    rule,
                    subject: name.to_owned(),
                    message: format!("it came in {came}, and its documentation {says}"),
                    place: places.of(Some(doc.span())),
                });
            }
        }
        let is_enum = matches!(
            entity,
            Entity::Type(id) if matches!(places.schema.ty(*id).kind, TypeKind::Enum(_))
        );
        let separator = if is_enum { '=' } else { '/' };
        for member in doc.members() {
            let subject = format!("{name}{separator}{}", member.name);
            let Some(Since::Exactly(came)) = history.0.since(&subject) else {
                continue;
            };
            let own = since_in_text(&member.text.to_string());
            // The member came with its definition, and may have been elsewhere before.
            if definition_came == Some(came) && own.as_ref().is_none_or(|own| !is_later(own, came))
            {
                continue;
            }
            let place = places.of(member.span.or_else(|| Some(doc.span())));
            match (own, &written) {
                (Some(own), _) if !same_release(&own, came) => advice.push(Advice {
                    rule: Rule::SinceWrong,
                    subject,
                    message: format!("it came in {came}, and its documentation says {own}"),
                    place,
                }),
                (None, Some(written)) if !same_release(written, came) => advice.push(Advice {
                    rule: Rule::SinceMissing,
                    subject,
                    message: format!("it came in {came}; add (since {came})"),
                    place,
                }),
                _ => {}
            }
        }
    }
}

/// Returns the release in the section `Since`.
fn definition_since(doc: &Doc) -> Option<String> {
    let section = doc.sections().find(|section| section.tag == "Since")?;
    release_in(&section.text.to_string())
}

/// Returns the release after the word `since`, in any case.
fn since_in_text(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    lower.split("since").skip(1).find_map(|after| {
        let after = after.trim_start_matches([' ', ':', '\n']);
        let number: String = after
            .chars()
            .take_while(|c| c.is_ascii_digit() || *c == '.')
            .collect();
        release_in(&number)
    })
}

/// Returns the first release number in a text, such as `9.1`.
fn release_in(text: &str) -> Option<String> {
    let words = text.split(|c: char| !c.is_ascii_digit() && c != '.');
    let mut numbers = words.map(|word| word.trim_matches('.'));
    numbers.find(|word| word.contains('.')).map(str::to_owned)
}

/// Returns whether two spellings name one release: 9.1 and 9.1.0.
fn same_release(a: &str, b: &str) -> bool {
    fn significant(release: &str) -> &str {
        let mut parts = release.splitn(3, '.');
        let length =
            parts.next().map_or(0, str::len) + parts.next().map_or(0, |part| part.len() + 1);
        release.get(..length).unwrap_or(release)
    }
    significant(a) == significant(b)
}

/// Returns whether the first release is later than the second one.
fn is_later(a: &str, b: &str) -> bool {
    let numbers = |release: &str| -> Vec<u32> {
        let parts = release.split('.').take(2);
        parts.map(|part| part.parse().unwrap_or(u32::MAX)).collect()
    };
    numbers(a) > numbers(b)
}

/// Returns the line of a part of a definition, or of the definition.
pub(super) fn place_of(places: &Places<'_>, entity: Option<Entity>, name: &str) -> Option<Place> {
    let entity = entity?;
    let Entity::Type(id) = entity else {
        return places.of_entity(entity);
    };
    let span = match &places.schema.ty(id).kind {
        TypeKind::Enum(kind) => {
            let value = kind.values.iter().find(|value| value.name.as_str() == name);
            value.and_then(|value| value.span)
        }
        TypeKind::Object(object) => {
            let member = object
                .members
                .iter()
                .find(|member| member.name.as_str() == name);
            member.and_then(|member| member.span)
        }
        _ => None,
    };
    places.of(span).or_else(|| places.of_entity(entity))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_by_their_first_two_numbers() {
        assert!(same_release("9.1", "9.1.0"));
        assert!(same_release("0.14.1", "0.14.0"));
        assert!(!same_release("9.1", "9.10"));
        assert_eq!(since_in_text("text (Since 2.12)"), Some("2.12".to_owned()));
        assert_eq!(since_in_text("@f13: since 8.0"), Some("8.0".to_owned()));
        assert_eq!(since_in_text("since it is 2.12"), None);
        assert!(is_later("10.0", "9.2.1") && !is_later("9.1.0", "9.1"));
        assert_eq!(
            release_in("1.5 (optional since 9.0)."),
            Some("1.5".to_owned())
        );
    }
}

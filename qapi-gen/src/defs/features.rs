//! The key `features`.
//!
//! In: the value of a `features`. Out: the features. Which features have a
//! meaning is not known here.

use super::definition::{Feature, Name};
use super::name_rules::{self, NameExceptions};
use super::scope::{Lowered, Scope};
use super::{if_key, keys};
use crate::diag::{Key, MessageSubject, Problem};
use crate::rules::Fact;
use crate::syntax::{Object, Value, ValueKind};

/// Returns the features of an object.
pub(super) fn features<'s>(
    object: &Object<'s>,
    scope: &mut Scope<'_>,
) -> Lowered<Box<[Feature<'s>]>> {
    let Some(value) = object.get("features") else {
        return Ok(Box::default());
    };
    let ValueKind::List(list) = &value.kind else {
        return Err(scope.report(Problem::NotArray(Key::Features), value.span));
    };
    let features: Vec<_> = list.iter().map(|value| feature(value, scope)).collect();
    features.into_iter().collect()
}

fn feature<'s>(value: &Value<'s>, scope: &mut Scope<'_>) -> Lowered<Feature<'s>> {
    let (name, object) = named(value, Key::Features, keys::FEATURE, scope)?;
    let subject = MessageSubject::Member(Key::Features, name.text.as_ref().into());
    let exceptions = NameExceptions::all(!scope.rules.have(Fact::FeatureNamesLower));
    let valid = name_rules::check_lower(&name, &subject, exceptions, scope);
    let cond = match object {
        Some(object) => if_key::condition(object, &subject, scope)?,
        None => None,
    };
    valid?;
    Ok(Feature { name, cond })
}

/// Returns the name of a feature or enum value, which is either a string or an
/// object with key `name`. Also returns that object.
pub(super) fn named<'v, 's>(
    value: &'v Value<'s>,
    of: Key,
    allowed: keys::Keys,
    scope: &mut Scope<'_>,
) -> Lowered<(Name<'s>, Option<&'v Object<'s>>)> {
    let (name, object) = match &value.kind {
        ValueKind::Object(object) => {
            keys::check(
                object,
                value.span,
                &MessageSubject::Unnamed(of),
                allowed,
                scope,
            )?;
            (object.get("name").unwrap_or(value), Some(object))
        }
        _ => (value, None),
    };
    let ValueKind::Str(text) = &name.kind else {
        let problem = Problem::NameNotString(MessageSubject::Unnamed(of));
        return Err(scope.report(problem, name.span));
    };
    let name = Name {
        text: text.clone(),
        span: name.span,
    };
    Ok((name, object))
}

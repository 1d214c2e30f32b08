//! Expression trees.
//!
//! In: what the parser reads. Out: values that borrow from the file's text,
//! with their spans. No keyword of the schema language appears here.

use std::borrow::Cow;

use crate::source::Span;

/// A value of the schema language: JSON without numbers and null.
#[derive(Clone, Debug)]
pub(crate) struct Value<'s> {
    pub(crate) span: Span,
    pub(crate) kind: ValueKind<'s>,
}

/// The kinds of values.
#[derive(Clone, Debug)]
pub(crate) enum ValueKind<'s> {
    Str(Cow<'s, str>),
    Bool(bool),
    List(Box<[Value<'s>]>),
    Object(Object<'s>),
}

/// The members of an object, in order. No two have the same key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Object<'s> {
    pub(crate) members: Box<[Member<'s>]>,
}

/// A member of an object.
#[derive(Clone, Debug)]
pub(crate) struct Member<'s> {
    pub(crate) key: Cow<'s, str>,
    pub(crate) key_span: Span,
    pub(crate) value: Value<'s>,
}

impl<'s> Object<'s> {
    /// Returns the value of a key. The search is linear, which suits the few
    /// keys of a definition.
    pub(crate) fn get(&self, key: &str) -> Option<&Value<'s>> {
        self.members
            .iter()
            .find(|member| member.key == key)
            .map(|member| &member.value)
    }
}

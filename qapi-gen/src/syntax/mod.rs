//! From bytes to expressions.
//!
//! In: a file's text. Out: expressions and documentation blocks that borrow
//! from it, with their places. No keyword of the schema language appears.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::source::Span;

mod doc;
mod lexer;
mod parser;

pub(crate) use doc::{DocBlock, SectionKind};
pub(crate) use parser::{Next, Parser};

/// A value: JSON without numbers and null.
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
    List(Vec<Value<'s>>),
    Object(Object<'s>),
}

/// The members of an object, in order, no key twice.
#[derive(Clone, Debug)]
pub(crate) struct Object<'s> {
    pub(crate) members: Vec<Member<'s>>,
}

/// A member of an object.
#[derive(Clone, Debug)]
pub(crate) struct Member<'s> {
    pub(crate) key: Cow<'s, str>,
    pub(crate) key_span: Span,
    pub(crate) value: Value<'s>,
}

impl<'s> Object<'s> {
    /// The value of a key. It takes as long as the object is large, so it is
    /// for the few keys of a definition.
    pub(crate) fn get(&self, key: &str) -> Option<&Value<'s>> {
        self.members
            .iter()
            .find(|member| member.key == key)
            .map(|member| &member.value)
    }
}

/// Up to this many names, comparing is cheaper than hashing.
const FEW: usize = 12;

/// The names seen so far, for finding one that stands twice.
#[derive(Debug, Default)]
struct Seen<'s> {
    few: Vec<Cow<'s, str>>,
    many: HashSet<Cow<'s, str>>,
}

impl<'s> Seen<'s> {
    /// Adds a name; false if it is there already.
    fn add(&mut self, name: Cow<'s, str>) -> bool {
        if self.few.contains(&name) || self.many.contains(&name) {
            return false;
        }
        if self.few.len() < FEW {
            self.few.push(name);
        } else {
            self.many.insert(name);
        }
        true
    }
}

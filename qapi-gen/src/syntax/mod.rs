//! From bytes to expressions.
//!
//! In: a file's text. Out: expressions and documentation blocks that borrow
//! from it, with their places. No keyword of the schema language appears.

use std::borrow::Cow;
use std::hash::Hash;

use rustc_hash::FxHashSet as HashSet;

use crate::source::Span;

mod doc;
mod lexer;
mod parser;

pub use doc::DocText;
pub(crate) use doc::{DocBlock, Section, SectionKind};
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
    List(Box<[Value<'s>]>),
    Object(Object<'s>),
}

/// The members of an object, in order, no key twice.
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

/// Finds names that stand twice in a list.
#[derive(Debug)]
struct Twice<N> {
    many: HashSet<N>,
}

impl<N> Default for Twice<N> {
    fn default() -> Self {
        Self {
            many: HashSet::default(),
        }
    }
}

impl<N: Eq + Hash> Twice<N> {
    /// Whether a name stands among those `before` it. These grow name by
    /// name, and all of them have been asked for.
    fn is_among(&mut self, name: N, before: impl Iterator<Item = N> + Clone) -> bool {
        if self.many.is_empty() {
            let mut count = 0;
            for earlier in before.clone() {
                if earlier == name {
                    return true;
                }
                count += 1;
            }
            if count < FEW {
                return false;
            }
            self.many.extend(before);
        }
        !self.many.insert(name)
    }
}

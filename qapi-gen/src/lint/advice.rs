//! Rules of advice, and what they find.
//!
//! In: what a rule found. Out: one line for people.

use std::fmt;
use std::str::FromStr;

use crate::coded::coded;
use crate::interface::Place;
use crate::schema::{CheckedSchema, Entity};
use crate::source::{SourceMap, Span};

coded! {
    /// A rule of advice.
    Rule {
    Example "example"
        "An example in the documentation is not JSON or does not fit the schema, so that whoever copies it gets an error.";
    SinceMissing "since-missing"
        "A part came after its definition, and its documentation does not say when (with --history).";
    SinceWrong "since-wrong"
        "The documentation names another release than the one in which the part came (with --history).";
    IncludeUnneeded "include-unneeded"
        "A file includes another one and uses none of its types. The main file may include what it likes.";
    TypeUnreachable "type-unreachable"
        "No command and no event uses the type, directly or through others.";
    PragmaUnneeded "pragma-unneeded"
        "A pragma makes an exception for a name that does not need it, and would hide a later mistake.";
    PrefixMissing "prefix-missing"
        "A downstream addition has no prefix __RFQDN_, so that a later upstream name can clash with it (with --upstream).";
    }
}

impl FromStr for Rule {
    type Err = UnknownRule;

    fn from_str(name: &str) -> Result<Self, UnknownRule> {
        let rule = Self::ALL.iter().find(|rule| rule.name() == name);
        rule.copied().ok_or(UnknownRule)
    }
}

/// The error of a name that no rule has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownRule;

impl fmt::Display for UnknownRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no rule has this id; `qapi-gen explain` lists all ids")
    }
}

impl std::error::Error for UnknownRule {}

/// A piece of advice.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Advice {
    /// The rule.
    pub rule: Rule,
    /// The definition or part that the advice is about, which stays when lines move.
    pub subject: String,
    /// The advice in a sentence.
    pub message: String,
    /// The line of the schema.
    pub place: Option<Place>,
}

/// Writes `a.json:3: example: migrate: …`.
impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}: {}: {}", self.rule, self.subject, self.message)
    }
}

/// The result of [`lint`](super::lint).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// The advice, by file and line.
    pub advice: Vec<Advice>,
    /// The number of messages in examples.
    pub examples: usize,
    /// The number of these that leave something out with `...`, which cannot be
    /// checked.
    pub abridged: usize,
}

/// A schema with the places of its parts.
pub(super) struct Places<'a> {
    pub(super) schema: &'a CheckedSchema,
    pub(super) sources: &'a SourceMap,
}

impl Places<'_> {
    pub(super) fn of(&self, span: Option<Span>) -> Option<Place> {
        Place::of(self.sources, span)
    }

    pub(super) fn of_entity(&self, entity: Entity) -> Option<Place> {
        self.of(self.schema.common(entity).span)
    }
}

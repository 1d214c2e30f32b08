//! The input of a mutation: a schema and its places.
//!
//! In: a schema. Out: places in it, and copies with one place changed.

use std::ops::Range;

use crate::outline::{Outline, Part};
use crate::random::Random;
use crate::seeds::Seeds;

/// One way to change a schema. Returns `None` if the schema has no place for the
/// change.
pub(crate) type Mutation = fn(&mut MutationInput<'_>) -> Option<String>;

/// A schema that a mutation changes.
pub(crate) struct MutationInput<'a> {
    pub(crate) text: &'a str,
    pub(crate) outline: Outline,
    pub(crate) seeds: &'a Seeds,
    pub(crate) random: &'a mut Random,
}

impl<'a> MutationInput<'a> {
    pub(crate) fn new(text: &'a str, seeds: &'a Seeds, random: &'a mut Random) -> Self {
        Self {
            text,
            outline: Outline::new(text),
            seeds,
            random,
        }
    }

    /// Returns the text of a place.
    pub(crate) fn at(&self, range: &Range<usize>) -> &'a str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    /// Returns the schema with `with` at a place.
    pub(crate) fn replace(&self, range: &Range<usize>, with: &str) -> String {
        let before = self.text.get(..range.start).unwrap_or_default();
        let after = self.text.get(range.end..).unwrap_or_default();
        [before, with, after].concat()
    }

    /// Returns the schema with `what` inserted at a place.
    pub(crate) fn insert(&self, at: usize, what: &str) -> String {
        self.replace(&(at..at), what)
    }

    /// Returns the schema with two places exchanged, or `None` if one contains the
    /// other.
    pub(crate) fn swap(&self, one: &Range<usize>, other: &Range<usize>) -> Option<String> {
        let (first, second) = if one.start <= other.start {
            (one, other)
        } else {
            (other, one)
        };
        let between = self.text.get(first.end..second.start)?;
        let before = self.text.get(..first.start)?;
        let after = self.text.get(second.end..)?;
        Some([before, self.at(second), between, self.at(first), after].concat())
    }

    /// Picks a member or an element.
    pub(crate) fn part(&mut self) -> Option<Part> {
        let index = self.random.index(self.outline.parts.len())?;
        self.outline.parts.get(index).cloned()
    }

    /// Picks a definition with its documentation.
    pub(crate) fn definition(&mut self) -> Option<Range<usize>> {
        let index = self.random.index(self.outline.definitions.len())?;
        self.outline.definitions.get(index).cloned()
    }

    /// Picks the inside of a string.
    pub(crate) fn string(&mut self) -> Option<Range<usize>> {
        let index = self.random.index(self.outline.strings.len())?;
        self.outline.strings.get(index).cloned()
    }

    /// Picks a line of documentation with its end.
    pub(crate) fn doc_line(&mut self) -> Option<Range<usize>> {
        let index = self.random.index(self.outline.doc_lines.len())?;
        self.outline.doc_lines.get(index).cloned()
    }

    /// Picks the beginning of a line.
    pub(crate) fn line_start(&mut self) -> usize {
        let lines = self.text.matches('\n').count();
        let line = self.random.below(lines + 1);
        self.text
            .split_inclusive('\n')
            .take(line)
            .map(str::len)
            .sum()
    }

    /// Picks the beginning of a character, or the end of the text.
    pub(crate) fn boundary(&mut self) -> usize {
        let mut at = self.random.below(self.text.len() + 1);
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

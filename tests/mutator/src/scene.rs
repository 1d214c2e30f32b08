//! What a mutation sees: a schema and what stands where in it.
//!
//! In: a schema. Out: places in it, and copies with a place changed.

use std::ops::Range;

use crate::outline::{Outline, Part};
use crate::{Mutator, Random};

/// A schema that is to be changed.
pub(crate) struct Scene<'a> {
    pub(crate) text: &'a str,
    pub(crate) outline: Outline,
    pub(crate) mutator: &'a Mutator,
    pub(crate) random: &'a mut Random,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(text: &'a str, mutator: &'a Mutator, random: &'a mut Random) -> Self {
        Self {
            text,
            outline: Outline::new(text),
            mutator,
            random,
        }
    }

    /// What stands at a place.
    pub(crate) fn at(&self, range: &Range<usize>) -> &'a str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    /// The schema with something else at a place.
    pub(crate) fn replace(&self, range: &Range<usize>, with: &str) -> String {
        let before = self.text.get(..range.start).unwrap_or_default();
        let after = self.text.get(range.end..).unwrap_or_default();
        [before, with, after].concat()
    }

    /// The schema with something more at a place.
    pub(crate) fn insert(&self, at: usize, what: &str) -> String {
        self.replace(&(at..at), what)
    }

    /// The schema with two places exchanged; `None` if one is in the other.
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

    /// Any member or element.
    pub(crate) fn part(&mut self) -> Option<Part> {
        let index = self.random.index(self.outline.parts.len())?;
        self.outline.parts.get(index).cloned()
    }

    /// Any definition, with its documentation.
    pub(crate) fn definition(&mut self) -> Option<Range<usize>> {
        let index = self.random.index(self.outline.definitions.len())?;
        self.outline.definitions.get(index).cloned()
    }

    /// What stands between any two quotes.
    pub(crate) fn string(&mut self) -> Option<Range<usize>> {
        let index = self.random.index(self.outline.strings.len())?;
        self.outline.strings.get(index).cloned()
    }

    /// Any line of documentation, with its end.
    pub(crate) fn doc_line(&mut self) -> Option<Range<usize>> {
        let index = self.random.index(self.outline.doc_lines.len())?;
        self.outline.doc_lines.get(index).cloned()
    }

    /// Where any line begins.
    pub(crate) fn line_start(&mut self) -> usize {
        let lines = self.text.matches('\n').count();
        let line = self.random.below(lines + 1);
        self.text
            .split_inclusive('\n')
            .take(line)
            .map(str::len)
            .sum()
    }

    /// Where any character begins, or the end.
    pub(crate) fn boundary(&mut self) -> usize {
        let mut at = self.random.below(self.text.len() + 1);
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

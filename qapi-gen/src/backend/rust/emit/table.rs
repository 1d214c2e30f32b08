//! Tables for the macros of `qapi-wire`, as text.
//!
//! In: entries, in order. Out: a line for each entry, preceded by the line of
//! its condition.

use std::fmt::{Arguments, Write as _};

use super::attributes::cfg_lines;
use crate::backend::rust::cfg::Presence;

/// A table that grows entry by entry.
pub(super) struct Table {
    text: String,
    is_empty: bool,
}

impl Table {
    /// Creates a table with the text in front of the entries, which includes
    /// the opening bracket.
    pub(super) fn new(head: Arguments<'_>) -> Self {
        Self {
            text: head.to_string(),
            is_empty: true,
        }
    }

    /// Adds an entry and its condition.
    pub(super) fn entry(&mut self, cfg: &Presence, entry: Arguments<'_>) {
        self.text.push('\n');
        self.is_empty = false;
        for line in cfg_lines(cfg).lines() {
            self.text.extend(["    ", line, "\n"]);
        }
        // Writing to a string does not fail.
        let _ = write!(self.text, "    {entry},");
    }

    /// Adds the closing bracket and returns the text.
    pub(super) fn finish(mut self) -> String {
        self.text.push_str(if self.is_empty { "}" } else { "\n}" });
        self.text
    }
}

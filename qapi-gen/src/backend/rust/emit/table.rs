//! The tables that `qapi-wire`'s macros take, as text.
//!
//! In: entries, in order. Out: lines, one for each entry, its condition in
//! front of it.

use std::fmt::{Arguments, Write as _};

use super::cfg_lines;
use crate::backend::rust::cfg::Cfg;

/// A table that grows entry by entry.
pub(super) struct Table {
    text: String,
    is_empty: bool,
}

impl Table {
    /// Begins with what stands in front of the entries, the bracket included.
    pub(super) fn new(head: Arguments<'_>) -> Self {
        Self {
            text: head.to_string(),
            is_empty: true,
        }
    }

    /// Adds an entry.
    pub(super) fn entry(&mut self, cfg: &Cfg, entry: Arguments<'_>) {
        self.text.push('\n');
        self.is_empty = false;
        for line in cfg_lines(cfg).lines() {
            self.text.extend(["    ", line, "\n"]);
        }
        // Writing to a string does not fail.
        let _ = write!(self.text, "    {entry},");
    }

    /// The text, with the bracket that ends it.
    pub(super) fn finish(mut self) -> String {
        self.text.push_str(if self.is_empty { "}" } else { "\n}" });
        self.text
    }
}

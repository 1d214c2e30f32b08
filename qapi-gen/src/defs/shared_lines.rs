//! Lines on which several definitions begin.
//!
//! In: the definitions, in order. Out: the definition that QEMU's messages
//! name for each: the last one on its line that QEMU's generator looked at.

use crate::diag::{NamedDefinition, QemuAttribution};
use crate::source::{SourceMap, Span};

/// A detector of definitions that share a line.
pub(super) struct SharedLines {
    /// The definitions on the current line, as far as they have names.
    on_this_line: Vec<Span>,
    last: Option<NamedDefinition>,
    attribution: QemuAttribution,
}

impl SharedLines {
    /// Creates a detector that fills `attribution`.
    pub(super) fn new(attribution: QemuAttribution) -> Self {
        Self {
            on_this_line: Vec::new(),
            last: None,
            attribution,
        }
    }

    /// Returns the last definition on the line of `span`, where another one
    /// begins whose name is not yet known.
    pub(super) fn last_on_line(&self, span: Span, sources: &SourceMap) -> Option<NamedDefinition> {
        let last = self.last.clone();
        last.filter(|_| self.is_on_this_line(span, sources))
    }

    /// Adds the next definition.
    pub(super) fn add(&mut self, span: Span, named: &NamedDefinition, sources: &SourceMap) {
        if !self.is_on_this_line(span, sources) {
            self.on_this_line.clear();
        }
        for &earlier in &self.on_this_line {
            self.attribution.insert(earlier, named.clone());
        }
        self.on_this_line.push(span);
        self.last = Some(named.clone());
    }

    fn is_on_this_line(&self, span: Span, sources: &SourceMap) -> bool {
        self.on_this_line.last().is_some_and(|last| {
            let between = Span {
                end: span.start,
                ..*last
            };
            last.file == span.file && !sources.text(between).contains('\n')
        })
    }

    /// Returns the filled attribution.
    pub(super) fn finish(self) -> QemuAttribution {
        self.attribution
    }
}

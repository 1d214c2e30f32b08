//! Lines on which several definitions begin.
//!
//! In: the definitions, in order. Out: which of them messages name. QEMU's
//! generator knows a place by file and line, and which definition is there: the
//! last that it has looked at, whichever it means.

use rustc_hash::FxHashMap as HashMap;

use crate::diag::{DefinitionKind, Site, Whose};
use crate::rules::Rules;
use crate::source::{SourceMap, Span};

/// A definition, as messages name it.
pub(crate) type Named = (DefinitionKind, Box<str>);

/// What messages name instead of the definitions that share a line with a
/// later one.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedLines {
    named: HashMap<Span, Named>,
    /// Whether messages tell whose a parameter is; QEMU 7.2's do not.
    tells_command: bool,
}

impl SharedLines {
    /// The place of a definition.
    pub(crate) fn site(&self, span: Span, kind: DefinitionKind, name: &str) -> Site {
        let Some(named) = self.named.get(&span).cloned() else {
            return Site {
                definition: Some((kind, name.into())),
                ..Site::line(span)
            };
        };
        let has_arguments = matches!(kind, DefinitionKind::Command | DefinitionKind::Event);
        let meant = Whose {
            kind: if has_arguments { "command" } else { "type" },
            name: name.to_owned(),
        };
        Site {
            meant: (*named.1 != *name && (self.tells_command || !has_arguments))
                .then(|| Box::new(meant)),
            definition: Some(named),
            ..Site::line(span)
        }
    }

    /// The kind of the definition that messages name.
    pub(crate) fn kind(&self, span: Span, kind: DefinitionKind) -> DefinitionKind {
        self.named.get(&span).map_or(kind, |(kind, _)| *kind)
    }
}

/// Looks for such lines as definitions come by.
#[derive(Default)]
pub(super) struct Lines {
    /// The definitions of the line at hand that have a name.
    begun: Vec<Span>,
    last: Option<Named>,
    shared: SharedLines,
}

impl Lines {
    /// The definition that is known at a place where another begins.
    pub(super) fn known(&self, span: Span, sources: &SourceMap) -> Option<Named> {
        self.last.clone().filter(|_| self.is_here(span, sources))
    }

    /// A definition begins.
    pub(super) fn begin(&mut self, span: Span, named: &Named, sources: &SourceMap) {
        if !self.is_here(span, sources) {
            self.begun.clear();
        }
        for &earlier in &self.begun {
            self.shared.named.insert(earlier, named.clone());
        }
        self.begun.push(span);
        self.last = Some(named.clone());
    }

    /// Whether a place is on the line at hand.
    fn is_here(&self, span: Span, sources: &SourceMap) -> bool {
        self.begun.last().is_some_and(|begun| {
            let between = Span {
                end: span.start,
                ..*begun
            };
            begun.file == span.file && !sources.text(between).contains('\n')
        })
    }

    pub(super) fn finish(self, rules: Rules) -> SharedLines {
        SharedLines {
            tells_command: rules > Rules::V7_2,
            ..self.shared
        }
    }
}

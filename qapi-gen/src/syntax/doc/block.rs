//! Documentation blocks as they are once parsed.
//!
//! In: sections and lines, in order. Out: the block. It knows nothing of how
//! a comment is written.

use crate::source::Span;

/// A documentation block.
#[derive(Clone, Debug)]
pub(crate) struct DocBlock<'s> {
    /// The line that opens the block.
    pub(crate) span: Span,
    /// What it documents; `None`: nothing in particular.
    pub(crate) symbol: Option<&'s str>,
    /// Its sections, the overview first, which may be empty.
    pub(crate) sections: Vec<Section<'s>>,
}

/// A section of a documentation block.
#[derive(Clone, Debug)]
pub(crate) struct Section<'s> {
    pub(crate) kind: SectionKind<'s>,
    pub(crate) text: String,
    pub(crate) span: Span,
}

/// What a section is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SectionKind<'s> {
    Plain,
    Member(&'s str),
    Feature(&'s str),
    Returns,
    Errors,
    Since,
    Todo,
    /// A section that is written otherwise since QEMU 9.1 or 10.0, by its tag:
    /// a note or an example.
    Older(&'static str),
}

impl SectionKind<'_> {
    /// The word that introduces such a section.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Member(_) => "Member",
            Self::Feature(_) => "Feature",
            Self::Returns => "Returns",
            Self::Errors => "Errors",
            Self::Since => "Since",
            // QEMU's generator reads `TODO` and writes `Todo`.
            Self::Todo => "Todo",
            Self::Older(tag) => tag,
        }
    }
}

impl Section<'_> {
    /// Takes what is blank away from both ends.
    pub(super) fn trim(&mut self, is_blank: fn(char) -> bool) {
        let end = self.text.trim_end_matches(is_blank).len();
        self.text.truncate(end);
        let start = self.text.len() - self.text.trim_start_matches(is_blank).len();
        self.text.drain(..start);
    }
}

impl<'s> DocBlock<'s> {
    pub(super) fn new(span: Span, symbol: Option<&'s str>) -> Self {
        let overview = Section {
            kind: SectionKind::Plain,
            text: String::new(),
            span,
        };
        Self {
            span,
            symbol,
            sections: vec![overview],
        }
    }

    /// The first section of a kind.
    pub(crate) fn section(&self, kind: SectionKind<'_>) -> Option<&Section<'s>> {
        self.sections.iter().find(|section| section.kind == kind)
    }

    pub(super) fn begin(&mut self, kind: SectionKind<'s>, span: Span) {
        self.sections.push(Section {
            kind,
            text: String::new(),
            span,
        });
    }

    /// Goes on with plain text, in the last section if it is plain.
    pub(super) fn begin_plain(&mut self, span: Span) {
        match self.sections.last_mut() {
            Some(last) if last.kind == SectionKind::Plain => {
                if last.text.is_empty() {
                    last.span = span;
                }
                last.text.push('\n');
            }
            _ => self.begin(SectionKind::Plain, span),
        }
    }

    pub(super) fn append(&mut self, line: &str) {
        if let Some(last) = self.sections.last_mut() {
            // Few sections have less, so this saves growing it bit by bit.
            last.text.reserve(line.len().max(80) + 1);
            last.text.push_str(line);
            last.text.push('\n');
        }
    }
}

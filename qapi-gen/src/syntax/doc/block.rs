//! Documentation blocks as they are once parsed.
//!
//! In: sections and lines, in order. Out: the block. It knows nothing of how
//! a comment is written.
//!
//! A schema is mostly documentation, of which a check needs the names alone.
//! So a block only knows where its lines stand in the file; whoever wants
//! their text has it put together.

use std::fmt;
use std::sync::Arc;

use crate::source::{ByteRange, SourceFile, Span};

/// A documentation block.
#[derive(Clone, Debug)]
pub(crate) struct DocBlock {
    /// The line that opens the block.
    pub(crate) span: Span,
    file: Arc<String>,
    symbol: Option<ByteRange>,
    /// The lines of all sections, where they stand in the file; those with
    /// nothing but [`LINE_GAP`] in between are one stretch.
    lines: Box<[ByteRange]>,
    /// The sections, the overview first, which may be empty.
    sections: Box<[StoredSection]>,
}

/// What stands between two lines of most sections.
const LINE_GAP: &str = "\n# ";

/// The part of it that belongs to the line below.
const LINE_MARK: &str = "# ";

/// What a block keeps of a section.
#[derive(Clone, Copy, Debug)]
struct StoredSection {
    kind: SectionKind,
    name: ByteRange,
    span: ByteRange,
    /// Which of the block's lines it has.
    lines: ByteRange,
}

/// A section of a documentation block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Section<'d> {
    pub(crate) kind: SectionKind,
    /// The member or feature that it describes; of other sections empty.
    pub(crate) name: &'d str,
    pub(crate) text: DocText<'d>,
    pub(crate) span: Span,
}

/// What a section is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SectionKind {
    Plain,
    Member,
    Feature,
    Returns,
    Errors,
    Since,
    Todo,
    /// A section that is written otherwise since QEMU 9.1 or 10.0: a note or
    /// an example.
    Older(OlderTag),
}

/// How a section begins that is written otherwise now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OlderTag {
    Note,
    Notes,
    Example,
    Examples,
}

impl SectionKind {
    /// The word that introduces such a section.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Member => "Member",
            Self::Feature => "Feature",
            Self::Returns => "Returns",
            Self::Errors => "Errors",
            Self::Since => "Since",
            // QEMU's generator reads `TODO` and writes `Todo`.
            Self::Todo => "Todo",
            Self::Older(OlderTag::Note) => "Note",
            Self::Older(OlderTag::Notes) => "Notes",
            Self::Older(OlderTag::Example) => "Example",
            Self::Older(OlderTag::Examples) => "Examples",
        }
    }
}

/// The text of a section, without the comment markers, to be written out.
#[derive(Clone, Copy, Debug)]
pub struct DocText<'d> {
    file: &'d str,
    lines: &'d [ByteRange],
}

impl DocText<'_> {
    /// No text.
    pub(crate) const EMPTY: Self = Self {
        file: "",
        lines: &[],
    };

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

impl<'d> DocText<'d> {
    /// Its lines.
    pub(crate) fn lines(self) -> impl Iterator<Item = &'d str> {
        self.lines.iter().flat_map(move |stretch| {
            // No line but the first of a stretch begins where its text does.
            let lines = stretch.text(self.file).split('\n').enumerate();
            lines.map(|(number, line)| match number {
                0 => line,
                _ => line.strip_prefix(LINE_MARK).unwrap_or(line),
            })
        })
    }
}

impl fmt::Display for DocText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for line in self.lines() {
            f.write_str(separator)?;
            f.write_str(line)?;
            separator = "\n";
        }
        Ok(())
    }
}

impl DocBlock {
    /// The name of what it documents; `None`: nothing in particular.
    pub(crate) fn symbol(&self) -> Option<&str> {
        Some(self.symbol?.text(&self.file))
    }

    /// Its sections, the overview first.
    pub(crate) fn sections(&self) -> impl Iterator<Item = Section<'_>> + Clone {
        self.sections.iter().map(|section| Section {
            kind: section.kind,
            name: section.name.text(&self.file),
            text: DocText {
                file: &self.file,
                lines: self.lines.get(section.lines.range()).unwrap_or_default(),
            },
            span: section.span.within(self.span.file),
        })
    }

    /// The first section of a kind.
    pub(crate) fn section(&self, kind: SectionKind) -> Option<Section<'_>> {
        self.sections().find(|section| section.kind == kind)
    }
}

/// A block that is being read; its memory serves for one after the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    lines: Vec<ByteRange>,
    sections: Vec<StoredSection>,
}

impl Draft {
    /// Begins a block, whose overview is empty so far.
    pub(super) fn clear(&mut self, span: Span) {
        self.lines.clear();
        self.sections.clear();
        self.begin(SectionKind::Plain, ByteRange::default(), span);
    }

    /// Begins a section.
    pub(super) fn begin(&mut self, kind: SectionKind, name: ByteRange, span: Span) {
        self.end_section();
        let first = self.lines.len();
        self.sections.push(StoredSection {
            kind,
            name,
            span: span.into(),
            lines: ByteRange::new(first, first),
        });
    }

    /// Goes on with plain text, in the last section if it is plain.
    pub(super) fn begin_plain(&mut self, span: Span) {
        let is_empty = self.is_section_empty();
        match self.sections.last_mut() {
            Some(last) if last.kind == SectionKind::Plain => {
                if is_empty {
                    last.span = span.into();
                }
                self.lines.push(ByteRange::default());
            }
            _ => self.begin(SectionKind::Plain, ByteRange::default(), span),
        }
    }

    /// Adds a line of `file` to the last section.
    pub(super) fn append(&mut self, line: ByteRange, file: &str) {
        let first = self.sections.last().map(|last| last.lines.range().start);
        let follows = first.is_some_and(|first| first < self.lines.len());
        match self.lines.last_mut().filter(|_| follows) {
            Some(last) if last.text_between(line, file) == Some(LINE_GAP) => *last = last.to(line),
            _ => self.lines.push(line),
        }
    }

    /// The kind of the last section and where it begins.
    pub(super) fn last(&self) -> Option<(SectionKind, ByteRange)> {
        self.sections
            .last()
            .map(|section| (section.kind, section.span))
    }

    /// Whether there is a section of a kind.
    pub(super) fn has(&self, kind: SectionKind) -> bool {
        self.sections.iter().any(|section| section.kind == kind)
    }

    /// How many sections there are so far.
    pub(super) fn count(&self) -> usize {
        self.sections.len()
    }

    /// What sections of a kind describe, from the section `first` on.
    pub(super) fn names(
        &self,
        kind: SectionKind,
        first: usize,
    ) -> impl Iterator<Item = ByteRange> + Clone {
        let sections = self.sections.iter().skip(first);
        sections
            .filter(move |section| section.kind == kind)
            .map(|section| section.name)
    }

    /// The lines of the last section.
    pub(super) fn section_lines(&self) -> &[ByteRange] {
        let first = self.sections.last().map(|last| last.lines.range().start);
        first
            .and_then(|first| self.lines.get(first..))
            .unwrap_or_default()
    }

    /// Whether the last section has no line, not even a blank one.
    pub(super) fn is_section_empty(&self) -> bool {
        self.section_lines().is_empty()
    }

    /// Tells the last section which lines are its own, without the blank ones
    /// at both ends.
    fn end_section(&mut self) {
        let is_blank = |line: &ByteRange| line.range().is_empty();
        let lines = self.section_lines();
        let blank = lines.iter().take_while(|line| is_blank(line)).count();
        let trailing = lines.iter().rev().take_while(|line| is_blank(line));
        let end = self.lines.len() - trailing.count();
        self.lines.truncate(end);
        if let Some(last) = self.sections.last_mut() {
            let first = last.lines.range().start + blank;
            last.lines = ByteRange::new(first.min(end), end);
        }
    }

    /// The block, once it is read.
    pub(super) fn finish(
        &mut self,
        source: &SourceFile,
        span: Span,
        symbol: Option<&str>,
    ) -> DocBlock {
        self.end_section();
        DocBlock {
            span,
            file: Arc::clone(source.shared_text()),
            symbol: symbol.and_then(|symbol| ByteRange::of(symbol, source.text())),
            lines: self.lines.as_slice().into(),
            sections: self.sections.as_slice().into(),
        }
    }
}

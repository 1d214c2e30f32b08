//! Parsed documentation blocks.
//!
//! In: sections and lines, in order. Out: the block. It does not know how a
//! comment is written.
//!
//! A schema is mostly documentation, and a check needs only its names. So a
//! block stores where its lines are in the file, and the text is assembled
//! only when it is displayed.

use std::fmt;
use std::sync::Arc;

use crate::rules::{Fact, Rules};
use crate::source::{ByteRange, SourceFile, Span};

/// A documentation block.
#[derive(Clone, Debug)]
pub(crate) struct DocBlock {
    /// The line that opens the block.
    pub(crate) span: Span,
    file: Arc<String>,
    symbol: Option<ByteRange>,
    /// The lines of all sections, as ranges of the file. Lines with exactly
    /// [`LINE_GAP`] between them share a range.
    lines: Box<[ByteRange]>,
    /// The sections. The first is the overview, which may be empty.
    sections: Box<[StoredSection]>,
}

/// The text between two lines of most sections.
const LINE_GAP: &str = "\n# ";

/// The part of [`LINE_GAP`] at the start of the second line.
const LINE_MARK: &str = "# ";

/// A section as a block stores it.
#[derive(Clone, Copy, Debug)]
struct StoredSection {
    kind: SectionKind,
    name: ByteRange,
    span: ByteRange,
    /// The section's lines, as a range of indices of the block's lines.
    lines: ByteRange,
}

/// A section of a documentation block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Section<'d> {
    pub(crate) kind: SectionKind,
    /// The member or feature that the section describes; empty if the section
    /// describes neither.
    pub(crate) name: &'d str,
    pub(crate) text: DocText<'d>,
    pub(crate) span: Span,
}

/// The kind of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SectionKind {
    /// Text without a tag.
    Plain,
    /// Indented text after the name of the definition.
    Intro,
    Member,
    Feature,
    Returns,
    Errors,
    Since,
    Todo,
    /// A note or an example, which QEMU 9.1 replaced by reStructuredText.
    Obsolete(ObsoleteTag),
}

/// The tag of a section that QEMU no longer supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ObsoleteTag {
    Note,
    Notes,
    Example,
    Examples,
}

impl SectionKind {
    /// Returns the word that introduces a section of this kind, or an empty text
    /// for text without a tag.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::Plain | Self::Intro => "",
            Self::Member => "Member",
            Self::Feature => "Feature",
            Self::Returns => "Returns",
            Self::Errors => "Errors",
            Self::Since => "Since",
            // QEMU's generator reads `TODO` but writes `Todo`.
            Self::Todo => "Todo",
            Self::Obsolete(ObsoleteTag::Note) => "Note",
            Self::Obsolete(ObsoleteTag::Notes) => "Notes",
            Self::Obsolete(ObsoleteTag::Example) => "Example",
            Self::Obsolete(ObsoleteTag::Examples) => "Examples",
        }
    }
}

impl SectionKind {
    /// Returns the words by which messages and dumps name a section of this kind;
    /// `name` is the member or feature that the section describes.
    pub(crate) fn title(self, name: &str, rules: Rules) -> String {
        let verbatim = rules.have(Fact::TagsVerbatim);
        match self {
            Self::Plain if verbatim => "None".to_owned(),
            Self::Plain => "Plain".to_owned(),
            Self::Intro => "Intro".to_owned(),
            Self::Todo if verbatim => "TODO".to_owned(),
            Self::Member | Self::Feature if verbatim => ["@", name].concat(),
            kind => kind.tag().to_owned(),
        }
    }
}

/// The text of a section without the comment markers. [`Display`](fmt::Display)
/// writes it.
#[derive(Clone, Copy, Debug)]
pub struct DocText<'d> {
    file: &'d str,
    lines: &'d [ByteRange],
}

impl DocText<'_> {
    /// An empty text.
    pub(crate) const EMPTY: Self = Self {
        file: "",
        lines: &[],
    };

    /// Returns whether the text has no lines.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

impl<'d> DocText<'d> {
    /// Returns the lines of the text.
    pub(crate) fn lines(self) -> impl Iterator<Item = &'d str> {
        self.lines.iter().flat_map(move |range| {
            // The first line of a range has no marker, because the range begins
            // after the marker.
            let lines = range.text(self.file).split('\n').enumerate();
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
    /// Returns the name of the definition that the block documents, or `None`
    /// for a free-form block.
    pub(crate) fn symbol(&self) -> Option<&str> {
        Some(self.symbol?.text(&self.file))
    }

    /// Returns the sections, the overview first.
    #[expect(
        clippy::indexing_slicing,
        reason = "a section's lines are a range of the same block's lines"
    )]
    pub(crate) fn sections(&self) -> impl Iterator<Item = Section<'_>> + Clone {
        self.sections.iter().map(|section| Section {
            kind: section.kind,
            name: section.name.text(&self.file),
            text: DocText {
                file: &self.file,
                lines: &self.lines[section.lines.range()],
            },
            span: section.span.within(self.span.file),
        })
    }

    /// Returns the first section of a kind.
    pub(crate) fn section(&self, kind: SectionKind) -> Option<Section<'_>> {
        self.sections().find(|section| section.kind == kind)
    }
}

/// A block that is being read. Its memory is reused for the next block.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    lines: Vec<ByteRange>,
    sections: Vec<StoredSection>,
}

impl Draft {
    /// Begins a block with an empty overview.
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

    /// Makes an introduction of the overview.
    pub(super) fn begin_intro(&mut self) {
        if let Some(first) = self.sections.first_mut() {
            first.kind = SectionKind::Intro;
        }
    }

    /// Begins a plain section, or a paragraph of the last section if that one
    /// is plain.
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

    /// Adds a line, a range of `file`, to the last section.
    pub(super) fn append(&mut self, line: ByteRange, file: &str) {
        let continues = !self.is_section_empty();
        match self.lines.last_mut().filter(|_| continues) {
            Some(last) if last.text_between(line, file) == Some(LINE_GAP) => *last = last.to(line),
            _ => self.lines.push(line),
        }
    }

    /// Returns the kind of the last section, the name that it describes, and the
    /// range of its first line.
    pub(super) fn last(&self) -> Option<(SectionKind, ByteRange, ByteRange)> {
        self.sections
            .last()
            .map(|section| (section.kind, section.name, section.span))
    }

    /// Returns whether the block has a section of a kind.
    pub(super) fn has(&self, kind: SectionKind) -> bool {
        self.sections.iter().any(|section| section.kind == kind)
    }

    /// Returns the number of sections.
    pub(super) fn count(&self) -> usize {
        self.sections.len()
    }

    /// Returns the names that sections of a kind describe, beginning with
    /// section number `first`.
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

    /// Returns the lines of the last section.
    #[expect(
        clippy::indexing_slicing,
        reason = "a section begins at the length that `lines` has then"
    )]
    pub(super) fn section_lines(&self) -> &[ByteRange] {
        match self.sections.last() {
            Some(last) => &self.lines[last.lines.range().start..],
            None => &[],
        }
    }

    /// Returns whether the last section has no line, not even a blank one.
    pub(super) fn is_section_empty(&self) -> bool {
        self.section_lines().is_empty()
    }

    /// Sets the range of the last section's lines, without the blank lines at
    /// both ends.
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

    /// Returns the finished block.
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

//! Diagnostics: what is wrong with a schema, and where.
//!
//! In: problems, from whoever finds them. Out: messages. All English is in
//! this room; it does not look anything up in a schema.

use std::fmt::{self, Write as _};

use crate::rules::Style;
use crate::source::{SourceMap, Span};

mod hint;
mod printable;
mod problem;
mod role;
mod subject;
mod text;

pub use printable::{is_printable, printable};
pub use problem::{Expected, MarkupAdvice, Problem};
pub use role::{Role, TypeName, Whose};
pub use subject::{Key, Subject};

/// The kinds of definitions, named by the key that introduces each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DefinitionKind {
    /// `'enum'`.
    Enum,
    /// `'struct'`.
    Struct,
    /// `'union'`.
    Union,
    /// `'alternate'`.
    Alternate,
    /// `'command'`.
    Command,
    /// `'event'`.
    Event,
}

impl DefinitionKind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Enum,
        Self::Struct,
        Self::Union,
        Self::Alternate,
        Self::Command,
        Self::Event,
    ];

    /// The key that introduces such a definition.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Enum => "enum",
            Self::Struct => "struct",
            Self::Union => "union",
            Self::Alternate => "alternate",
            Self::Command => "command",
            Self::Event => "event",
        }
    }
}

impl fmt::Display for DefinitionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

/// Where a problem is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The place that QEMU's generator names. Only its line matters there,
    /// unless `exact` is set.
    pub span: Span,
    /// Whether the column is part of QEMU's message.
    pub exact: bool,
    /// The place to show to people, if it is narrower than `span`.
    pub detail: Option<Span>,
    /// The definition that the problem is in.
    pub definition: Option<(DefinitionKind, Box<str>)>,
    /// The definition that is meant, where QEMU names another.
    pub(crate) meant: Option<Box<Whose>>,
}

impl Site {
    /// A place of which QEMU tells the line.
    pub(crate) fn line(span: Span) -> Self {
        Self {
            span,
            exact: false,
            detail: None,
            definition: None,
            meant: None,
        }
    }

    /// A place of which QEMU tells the column.
    pub(crate) fn exact(span: Span) -> Self {
        Self {
            exact: true,
            ..Self::line(span)
        }
    }

    /// The same with something narrower to show.
    pub(crate) fn showing(self, detail: Option<Span>) -> Self {
        Self {
            detail: detail.or(self.detail),
            ..self
        }
    }

    /// The stretch to show to people.
    #[must_use]
    pub fn shown(&self) -> Span {
        self.detail.unwrap_or(self.span)
    }

    /// QEMU's words for the place: how the file came to be included, the
    /// definition, file and line. The column too, if it is part of it.
    fn describe(&self, sources: &SourceMap, out: &mut String) -> fmt::Result {
        for span in sources.include_chain(self.span.file) {
            if let Some(file) = sources.get(span.file) {
                let (name, line) = (file.name(), file.line(span.start));
                writeln!(out, "In file included from {name}:{line}:")?;
            }
        }
        let Some(file) = sources.get(self.span.file) else {
            return Ok(());
        };
        // QEMU keeps silent about a definition without a name.
        if let Some((kind, name)) = self
            .definition
            .as_ref()
            .filter(|(_, name)| !name.is_empty())
        {
            writeln!(out, "{}: In {kind} '{name}':", file.name())?;
        }
        write!(out, "{}:{}", file.name(), file.line(self.span.start))?;
        if self.exact {
            write!(out, ":{}", file.qemu_column(self.span.start))?;
        }
        Ok(())
    }
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The schema can be used all the same.
    Warning,
    /// It cannot.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// A problem and its place.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// What is wrong.
    pub problem: Problem,
    /// How bad it is.
    pub severity: Severity,
    /// Where; `None` if it is nowhere in a file.
    pub site: Option<Site>,
    pub(crate) rank: Rank,
}

/// When QEMU's generator would find a problem: diagnostics of the checks are
/// sorted by it, so that the first is the one that QEMU reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank(pub(crate) u64, pub(crate) u32);

impl Diagnostic {
    /// The message without its place; it may have several lines.
    #[must_use]
    pub fn message(&self) -> String {
        self.problem.to_string()
    }

    /// Returns the message as QEMU's generator prints it, to the letter,
    /// without the final line end. QEMU has no warnings: they are marked as
    /// such.
    ///
    /// The message quotes the schema verbatim, control characters included,
    /// because it is compared with QEMU's byte by byte. Pass it through
    /// [`printable`] before showing it to people.
    #[must_use]
    pub fn short(&self, sources: &SourceMap) -> String {
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = self.write_short(sources, &mut out);
        out
    }

    fn write_short(&self, sources: &SourceMap, out: &mut String) -> fmt::Result {
        if let Some(site) = &self.site {
            site.describe(sources, out)?;
            out.push_str(": ");
        }
        if self.severity == Severity::Warning {
            write!(out, "{}: ", self.severity)?;
        }
        write!(out, "{}", self.problem)?;
        // QEMU has no words for the other place of a key.
        let related = self
            .related()
            .filter(|(_, what)| *what != text::PREVIOUS_KEY);
        if let Some((site, what)) = related {
            out.push('\n');
            site.describe(sources, out)?;
            write!(out, ": {what}")?;
        }
        Ok(())
    }

    /// Another place that the message is about, and what it is.
    #[must_use]
    pub fn related(&self) -> Option<(&Site, &'static str)> {
        match &self.problem {
            Problem::Redefined {
                previous: Some(previous),
                ..
            } => Some((previous, text::PREVIOUS_DEFINITION)),
            Problem::DuplicateKey { previous, .. } => Some((previous, text::PREVIOUS_KEY)),
            Problem::RustNameClash {
                previous: Some(previous),
                ..
            } => Some((previous, text::OTHER_NAME)),
            _ => None,
        }
    }
}

/// The problems found so far.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    style: Style,
    errors: usize,
}

impl Diagnostics {
    /// None yet; `style` says how bad problems of style are.
    #[must_use]
    pub fn new(style: Style) -> Self {
        Self {
            style,
            ..Self::default()
        }
    }

    /// Adds what another found.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.errors += other.errors;
        self.list.append(&mut other.list);
    }

    /// Adds a problem at a place.
    pub fn report(&mut self, problem: Problem, span: Option<Span>) -> Severity {
        self.report_at(problem, span.map(Site::line))
    }

    /// Adds a problem at a place that tells more than a span.
    pub(crate) fn report_at(&mut self, problem: Problem, site: Option<Site>) -> Severity {
        self.report_ranked(problem, site, Rank::default())
    }

    /// Adds a problem that [`Self::sort_by_rank`] is to put in its place.
    pub(crate) fn report_ranked(
        &mut self,
        mut problem: Problem,
        site: Option<Site>,
        rank: Rank,
    ) -> Severity {
        if let Some(meant) = site.as_ref().and_then(|site| site.meant.as_ref()) {
            problem.of(meant);
        }
        let is_style = self.style == Style::Warn && problem.is_style();
        let severity = if is_style || problem.is_harmless() {
            Severity::Warning
        } else {
            self.errors += 1;
            Severity::Error
        };
        self.list.push(Diagnostic {
            problem,
            severity,
            site,
            rank,
        });
        severity
    }

    /// Sorts by what `rank` makes of the ranks; what has the same rank keeps
    /// its order.
    pub(crate) fn sort_by_rank(&mut self, rank: impl Fn(Rank) -> Rank) {
        self.list.sort_by_key(|diagnostic| rank(diagnostic.rank));
    }

    /// What becomes of problems of style.
    pub(crate) fn style(&self) -> Style {
        self.style
    }

    /// Whether there is an error, so that the schema cannot be used.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Whether there is nothing to say, not even a warning.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are, warnings included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// All of them, in the order in which QEMU's generator comes across them.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// The errors; the first is the one that QEMU reports.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.of(Severity::Error)
    }

    /// The warnings.
    pub fn warnings(&self) -> impl Iterator<Item = &Diagnostic> {
        self.of(Severity::Warning)
    }

    fn of(&self, severity: Severity) -> impl Iterator<Item = &Diagnostic> {
        self.list
            .iter()
            .filter(move |diagnostic| diagnostic.severity == severity)
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

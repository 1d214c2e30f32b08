//! Diagnostics: problems with their places.
//!
//! In: problems, as the stages find them. Out: a list in QEMU's order, and
//! messages. A diagnostic does not look anything up in a schema.

use std::fmt::{self, Write as _};

use super::hint::similar;
use super::problem::Problem;
use super::site::Site;
use super::style::Style;
use crate::source::{SourceMap, Span};

/// The words for the other place of [`Problem::Redefined`].
const PREVIOUS_DEFINITION: &str = "previous definition";
/// The words for the other place of [`Problem::DuplicateKey`].
const PREVIOUS_KEY: &str = "the same key before";

/// The severity of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The schema can be used.
    Warning,
    /// The schema cannot be used.
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
    /// The problem.
    pub problem: Problem,
    /// The severity.
    pub severity: Severity,
    /// The place, or `None` if the problem is not in a file.
    pub site: Option<Site>,
    /// Its place in QEMU's order.
    pub(crate) rank: Rank,
}

/// The position of a problem in the order in which QEMU's generator finds
/// problems. Diagnostics of the checks are sorted by it, so that the first is
/// the one that QEMU reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank(pub(crate) u64, pub(crate) u32);

impl Diagnostic {
    /// Returns the message without its place. It may have several lines.
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
    /// [`printable`](crate::diag::printable) before showing it to people.
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
        // QEMU's message does not mention the other place of a key.
        let related = self.related().filter(|(_, what)| *what != PREVIOUS_KEY);
        if let Some((site, what)) = related {
            out.push('\n');
            site.describe(sources, out)?;
            write!(out, ": {what}")?;
        }
        Ok(())
    }

    /// Returns another place that the message is about, and the words for it.
    #[must_use]
    pub fn related(&self) -> Option<(&Site, &'static str)> {
        match &self.problem {
            Problem::Redefined {
                previous: Some(previous),
                ..
            } => Some((previous, PREVIOUS_DEFINITION)),
            Problem::DuplicateKey { previous, .. } => Some((previous, PREVIOUS_KEY)),
            Problem::Backend(problem) => {
                let (site, words) = problem.related.as_ref()?;
                Some((site, words))
            }
            _ => None,
        }
    }
}

/// The problems found so far.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    /// The number of problems that earlier stages found.
    before_stage: usize,
    style: Style,
    errors: usize,
    /// The number of names with which unknown names were compared.
    compared: usize,
}

/// The number of names with which unknown names are compared, because a schema
/// may have many of both.
const COMPARISONS_MAX: usize = 100_000;

impl Diagnostics {
    /// Creates an empty list; `style` decides the severity of problems of style.
    #[must_use]
    pub fn new(style: Style) -> Self {
        Self {
            style,
            ..Self::default()
        }
    }

    /// Adds a problem at a place.
    pub fn report(&mut self, problem: Problem, span: Option<Span>) -> Severity {
        self.report_at(problem, span.map(Site::line))
    }

    /// Adds a problem at a site.
    pub(crate) fn report_at(&mut self, problem: Problem, site: Option<Site>) -> Severity {
        self.report_ranked(problem, site, Rank::default())
    }

    /// Adds a problem with a rank by which [`Self::sort_by_rank`] sorts it.
    pub(crate) fn report_ranked(
        &mut self,
        mut problem: Problem,
        site: Option<Site>,
        rank: Rank,
    ) -> Severity {
        if let Some(owner) = site.as_ref().and_then(|site| site.actual_owner.as_ref()) {
            problem.set_owner(owner);
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

    /// Begins a stage. What later stages find is sorted separately, because
    /// QEMU's generator finishes each stage for the whole schema first.
    pub(crate) fn begin_stage(&mut self) {
        self.before_stage = self.list.len();
    }

    /// Returns the problems that the current stage found so far.
    pub(crate) fn of_stage(&self) -> &[Diagnostic] {
        self.list.get(self.before_stage..).unwrap_or_default()
    }

    /// Sorts the problems of the current stage by the result of `rank` for each
    /// diagnostic's rank. Diagnostics with equal results keep their order.
    pub(crate) fn sort_by_rank(&mut self, rank: impl Fn(Rank) -> Rank) {
        if let Some(stage) = self.list.get_mut(self.before_stage..) {
            stage.sort_by_key(|diagnostic| rank(diagnostic.rank));
        }
    }

    /// Returns whether older markup is read as what it must mean: where problems
    /// of style are warnings, and after the first error, at which QEMU's
    /// generator has stopped.
    pub(crate) fn is_lenient(&self) -> bool {
        self.style == Style::Warn || self.has_errors()
    }

    /// Returns the name that was probably meant by an unknown name, or `None` if
    /// none is similar or if too many names have been compared.
    pub(crate) fn similar<'a>(
        &mut self,
        name: &str,
        names: impl Iterator<Item = &'a str>,
    ) -> Option<String> {
        if self.compared >= COMPARISONS_MAX {
            return None;
        }
        let names = names.inspect(|_| self.compared += 1);
        similar(name, names).map(str::to_owned)
    }

    /// Returns whether there is an error, so that the schema cannot be used.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Returns whether there are neither errors nor warnings.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Returns the number of diagnostics, warnings included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Iterates over all diagnostics in the order in which QEMU's generator
    /// finds them.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// Iterates over the errors. The first is the one that QEMU reports.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.with_severity(Severity::Error)
    }

    /// Iterates over the warnings.
    pub fn warnings(&self) -> impl Iterator<Item = &Diagnostic> {
        self.with_severity(Severity::Warning)
    }

    fn with_severity(&self, severity: Severity) -> impl Iterator<Item = &Diagnostic> {
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

/// The error of a stage that has already reported what is wrong.
#[derive(Debug)]
pub(crate) struct Reported;

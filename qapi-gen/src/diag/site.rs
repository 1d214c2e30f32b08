//! Places of problems.
//!
//! In: spans. Out: places as QEMU's messages and people name them. What is
//! wrong there is not known here.

use std::fmt::{self, Write as _};

use super::definition_kind::DefinitionKind;
use super::definition_part::Owner;
use crate::source::{SourceMap, Span};

/// The place of a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The place that QEMU's message names, by its line and, if `exact` is
    /// set, its column.
    pub span: Span,
    /// True if QEMU's message contains the column.
    pub exact: bool,
    /// A part of `span` that shows people the problem more exactly.
    pub detail: Option<Span>,
    /// The definition that QEMU's message names.
    pub definition: Option<(DefinitionKind, Box<str>)>,
    /// The definition that contains the problem, if `definition` is another
    /// one.
    pub(crate) actual_owner: Option<Box<Owner>>,
}

impl Site {
    /// Creates a site for which QEMU's message contains only the line.
    pub(crate) fn line(span: Span) -> Self {
        Self {
            span,
            exact: false,
            detail: None,
            definition: None,
            actual_owner: None,
        }
    }

    /// Creates a site for which QEMU's message contains the column, too.
    pub(crate) fn exact(span: Span) -> Self {
        Self {
            exact: true,
            ..Self::line(span)
        }
    }

    /// Returns the site with a more exact place to show to people, if there is
    /// one.
    pub(crate) fn showing(self, detail: Option<Span>) -> Self {
        Self {
            detail: detail.or(self.detail),
            ..self
        }
    }

    /// Returns the place to show to people.
    #[must_use]
    pub fn shown(&self) -> Span {
        self.detail.unwrap_or(self.span)
    }

    /// Writes the place as QEMU's generator does: the includes that lead to the
    /// file, the definition, file, line, and column if QEMU's message contains
    /// it.
    pub(super) fn describe(&self, sources: &SourceMap, out: &mut String) -> fmt::Result {
        for span in sources.include_chain(self.span.file) {
            if let Some(file) = sources.get(span.file) {
                let (name, line) = (file.name(), file.line(span.start));
                writeln!(out, "In file included from {name}:{line}:")?;
            }
        }
        let Some(file) = sources.get(self.span.file) else {
            return Ok(());
        };
        // QEMU omits a definition without a name.
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

//! The context in which the parts of a definition are lowered.
//!
//! In: problems with parts. Out: reports at the definition's site. The parts
//! themselves are not known here.

use crate::diag::{DefinitionKind, Diagnostics, Problem, Rank, Reported, Site};
use crate::rules::Rules;
use crate::source::Span;

/// The result of lowering a part of a definition.
pub(super) type Lowered<T> = Result<T, Reported>;

/// The definition that is being lowered, and the list of problems.
pub(super) struct Scope<'a> {
    pub(super) kind: DefinitionKind,
    pub(super) site: Site,
    /// True if a pragma exempts the definition's members from the naming
    /// rules.
    pub(super) has_free_member_names: bool,
    pub(super) rules: Rules,
    pub(super) diagnostics: &'a mut Diagnostics,
}

impl Scope<'_> {
    /// Reports a problem with the part of the definition at `shown`.
    pub(super) fn report(&mut self, problem: Problem, shown: Span) -> Reported {
        let site = self.site.clone().showing(Some(shown));
        self.diagnostics.report_at(problem, Some(site));
        Reported
    }

    /// Reports a problem that QEMU's generator finds only after it has looked
    /// at all definitions.
    pub(super) fn report_late(&mut self, problem: Problem, shown: Span) -> Reported {
        const LATE: Rank = Rank(1, 0);
        let site = self.site.clone().showing(Some(shown));
        self.diagnostics.report_ranked(problem, Some(site), LATE);
        Reported
    }
}

//! All rules, applied to one schema.
//!
//! In: a checked schema, and what some rules need beside it. Out: a [`Report`].

use super::advice::{Places, Report};
use super::since::DefinitionHistory;
use super::{examples, prefixes, since, unused};
use crate::interface::Interface;
use crate::schema::CheckedSchema;
use crate::source::SourceMap;

/// The knowledge that rules need beside the schema.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'a> {
    /// For each definition, the earlier releases that have it.
    pub history: Option<&'a DefinitionHistory>,
    /// The interface to which a downstream schema adds.
    pub upstream: Option<&'a Interface>,
}

/// Applies all rules to a schema.
#[must_use]
pub fn lint(schema: &CheckedSchema, sources: &SourceMap, context: Context<'_>) -> Report {
    let mut report = Report::default();
    examples::check(schema, sources, &mut report);
    let places = Places { schema, sources };
    if let Some(history) = context.history {
        since::check(&places, history, &mut report.advice);
    }
    unused::check(&places, &mut report.advice);
    if let Some(upstream) = context.upstream {
        prefixes::check(&places, upstream, &mut report.advice);
    }
    report
        .advice
        .sort_by(|a, b| (&a.place, a.rule, &a.subject).cmp(&(&b.place, b.rule, &b.subject)));
    report
}

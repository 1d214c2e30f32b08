//! Advice about a schema that is correct.
//!
//! In: a checked schema, and for some rules other interfaces. Out: what could mislead
//! readers or clients. Each rule has a stable id.

mod advice;
mod examples;
mod prefixes;
mod rules;
mod since;
mod unused;

pub use advice::{Advice, Report, Rule, UnknownRule};
pub use rules::{Context, lint};
pub use since::DefinitionHistory;

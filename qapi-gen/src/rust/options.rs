//! What a caller may choose about the generated code.
//!
//! In: the builder's and the command line's settings. Out: the same, as one
//! value that the plan reads.

use std::collections::BTreeSet;

use crate::rules::Rules;
use crate::schema::Cond;

/// What a caller may choose about the generated code.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whose rules the schema follows.
    pub rules: Rules,
    /// Whether the schema's documentation becomes rustdoc.
    pub docs: bool,
    /// Enumerations that may have values at run time which the schema does not
    /// list, besides those that a reply or an event can carry.
    pub open_enums: BTreeSet<String>,
    /// Commands whose handler writes its reply itself, into the output.
    pub direct_replies: BTreeSet<String>,
    /// The configuration symbols that are defined; `None`: whatever is
    /// conditional is included.
    pub config: Option<BTreeSet<String>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rules: Rules::default(),
            docs: true,
            open_enums: BTreeSet::new(),
            direct_replies: BTreeSet::new(),
            config: None,
        }
    }
}

impl Options {
    /// Whether something under this condition is generated.
    pub(crate) fn includes(&self, cond: Option<&Cond>) -> bool {
        match (&self.config, cond) {
            (Some(defined), Some(cond)) => cond.holds(defined),
            _ => true,
        }
    }
}

//! Problems that a back end found, in the back end's own words.
//!
//! In: a message with its hint and places. Out: a problem for the list of all
//! problems. No back end is known here.

use std::borrow::Cow;

use super::site::Site;

/// A problem that a back end, or an analysis for a back end, found. QEMU has no
/// message for such a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackendProblem {
    /// The name of the kind of problem.
    pub kind: &'static str,
    /// The message.
    pub message: String,
    /// A hint how to solve the problem.
    pub help: Option<Cow<'static, str>>,
    /// Another place that the message is about, and the words for it.
    pub related: Option<(Site, &'static str)>,
    /// True if the schema can be used in spite of the problem.
    pub is_harmless: bool,
}

impl BackendProblem {
    /// Creates a problem that prevents the use of the schema.
    pub(crate) fn new(kind: &'static str, message: String) -> Self {
        Self {
            kind,
            message,
            help: None,
            related: None,
            is_harmless: false,
        }
    }
}

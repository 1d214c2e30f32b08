//! Problems that a back end found, in the back end's own words.
//!
//! In: a message, and what goes with it. Out: a problem for the
//! list of all. This module must not know any back end.

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
    pub help: Option<&'static str>,
    /// Another place that the message is about, and the words for it.
    pub related: Option<(Site, &'static str)>,
    /// Whether the schema can be used in spite of the problem.
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

/// Declares an enum of problems together with the names of its variants, so
/// that a test can ask for a case of each variant.
macro_rules! backend_problems {
    (
        $(#[$attribute:meta])*
        pub enum $problems:ident {
            $(
                $(#[$variant:meta])*
                $name:ident { $($fields:tt)* },
            )*
        }
    ) => {
        $(#[$attribute])*
        pub enum $problems {
            $( $(#[$variant])* $name { $($fields)* }, )*
        }

        impl $problems {
            /// The names of all kinds of problems.
            pub const KINDS: &'static [&'static str] = &[$(stringify!($name)),*];

            /// Returns the name of the kind, one of [`Self::KINDS`].
            #[must_use]
            pub fn kind(&self) -> &'static str {
                match self {
                    $( Self::$name { .. } => stringify!($name), )*
                }
            }
        }
    };
}

pub(crate) use backend_problems;

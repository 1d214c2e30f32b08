//! A client that a server has lost, as the VMM's function gets it.
//!
//! In: a text that is written when it is printed. Out: the same. This file knows no
//! connection.

use std::fmt;
use std::sync::Arc;

/// A client that the server has refused or disconnected although neither the
/// client nor the VMM wanted that. Printing it gives the reason, and for a refused
/// client its process or address, which the kernel is asked for then.
pub struct LostClient<'a> {
    is_refused: bool,
    text: &'a dyn fmt::Display,
}

/// A VMM's function for lost clients.
pub(super) type LossHook = Arc<dyn Fn(&LostClient<'_>) + Send + Sync>;

impl<'a> LostClient<'a> {
    pub(super) fn new(is_refused: bool, text: &'a dyn fmt::Display) -> Self {
        Self { is_refused, text }
    }

    /// Returns whether the client was refused and so never served.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.is_refused
    }
}

impl fmt::Display for LostClient<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl fmt::Debug for LostClient<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LostClient")
            .field("is_refused", &self.is_refused)
            .finish_non_exhaustive()
    }
}

//! A mutex without poisoning.
//!
//! In: a value. Out: exclusive access to it, also after a holder panicked.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A [`Mutex`] whose lock is taken even if a holder panicked.
///
/// Code that holds one of these locks leaves the value consistent before it
/// calls anything that may panic, so poisoning would only turn one failed
/// request into a failed server.
#[derive(Debug, Default)]
pub(crate) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Locks the value until the guard is dropped.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

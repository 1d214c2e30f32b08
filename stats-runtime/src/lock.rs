//! A mutex and a condition variable without poisoning.
//!
//! In: a value. Out: exclusive access to it, also after a holder panicked.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A [`Mutex`] whose lock is taken even if a holder panicked.
///
/// Code that holds one of these locks leaves the value consistent before it
/// calls anything that may panic, so poisoning would only turn one failed
/// request into a failed server.
#[derive(Debug, Default)]
pub(crate) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    #[cfg(feature = "qmp")]
    pub(crate) const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Locks the value until the guard is dropped.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Lock<Arc<T>> {
    /// Returns the current value. Writers must change the value with
    /// [`Arc::make_mut`], so that a snapshot never changes.
    pub(crate) fn snapshot(&self) -> Arc<T> {
        Arc::clone(&self.lock())
    }
}

/// A [`Condvar`] for the value of a [`Lock`].
#[derive(Debug, Default)]
pub(crate) struct Signal(Condvar);

impl Signal {
    /// Wakes all threads that wait, after the value has changed.
    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }

    /// Releases the lock until `condition` does not hold any more.
    pub(crate) fn wait_while<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        condition: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        let waited = self.0.wait_while(guard, condition);
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    /// Releases the lock until `condition` does not hold any more or `time_max`
    /// has passed. The caller finds out which by the value.
    pub(crate) fn wait_while_for<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        time_max: Duration,
        condition: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        let waited = self.0.wait_timeout_while(guard, time_max, condition);
        let (guard, _) = waited.unwrap_or_else(PoisonError::into_inner);
        guard
    }
}

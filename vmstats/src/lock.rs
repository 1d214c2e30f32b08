//! A mutex that a panic of its holder does not make unusable.
//!
//! In: a value. Out: exclusive access to the value. Poison is ignored here and
//! handled nowhere else in the crate, because no holder leaves a value half
//! changed.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A value that one thread at a time can use, and that threads can wait to see
/// changed.
#[derive(Debug, Default)]
pub(crate) struct Lock<T> {
    value: Mutex<T>,
    changed: Condvar,
}

impl<T> Lock<T> {
    /// Makes a lock around `value`.
    pub(crate) fn new(value: T) -> Self {
        Self {
            value: Mutex::new(value),
            changed: Condvar::new(),
        }
    }

    /// Waits until no other thread uses the value.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the threads that wait for a change.
    pub(crate) fn notify(&self) {
        self.changed.notify_all();
    }

    /// Waits for as long as `condition` returns true, but at most `timeout`.
    pub(crate) fn wait_while<'a>(
        &'a self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
        condition: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        let waited = self.changed.wait_timeout_while(guard, timeout, condition);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

//! Threads with names.
//!
//! In: a name and what to do. Out: a handle, or the failure to start. This file knows no
//! thread's purpose.

use std::thread::{Builder, JoinHandle};

use crate::failure::Failure;

/// Starts a thread, which debuggers and `/proc` show with this name of at most 15 bytes.
///
/// # Errors
///
/// Returns an error if the system has no room for another thread.
pub(crate) fn spawn<T: Send + 'static>(
    name: &str,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, Failure> {
    let thread = Builder::new().name(name.to_owned()).spawn(run);
    thread.map_err(|error| Failure::other(format!("cannot start a thread: {error}")))
}

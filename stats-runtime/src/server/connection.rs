//! One client's connection, driven from a thread of its own.
//!
//! In: a blocking byte stream. Out: the session's replies on it, until either
//! side ends.

use std::io::{self, Read, Write};

use crate::commands::Monitor;
use crate::qmp::{Limits, Session};

/// How much is read at a time.
const READ_BYTES: usize = 16 << 10;

/// Serves one client on a stream whose two halves can be used by reference.
///
/// # Errors
///
/// What reading or writing says.
pub(super) fn serve<S>(stream: &S, monitor: &Monitor, limits: Limits) -> io::Result<()>
where
    for<'s> &'s S: Read + Write,
{
    let context = monitor.context();
    let mut session = Session::new(&monitor.host().version(), limits);
    let subscription = monitor.subscribe(|| {});
    let mut buffer = vec![0; READ_BYTES];
    loop {
        subscription.run(&mut session, monitor, &context);
        if !session.output().is_empty() {
            // A client that does not read holds up only this thread.
            let count = (&mut &*stream).write(session.output())?;
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            session.sent(count);
            continue;
        }
        if session.is_over() {
            return Ok(());
        }
        match (&mut &*stream).read(&mut buffer) {
            Ok(0) => session.end_of_input(),
            Ok(count) => session.receive(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

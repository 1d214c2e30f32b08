//! Connecting as the command line asks.
//!
//! In: an endpoint, and the arguments of how to reach it. Out: a client. Only this
//! file waits for a server that is starting; the client itself tries once.

use std::io::{self, Write};
use std::thread;
use std::time::{Duration, Instant};

use crate::cli::ReachArgs;
use crate::client::{Client, ClientError, TIMEOUT};
use crate::endpoint::Endpoint;
use crate::printable::printable;
use qapi_wire::client::deadline;

/// The time between two tries to connect to a server that is starting.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// The time after which the user is told what is waited for.
const SILENT_WAIT: Duration = Duration::from_millis(300);

/// Connects to a server. If the user has given a timeout, waits so long for a
/// server that does not listen yet.
///
/// # Errors
///
/// Returns the client's error.
pub fn connect(endpoint: &Endpoint, reach: &ReachArgs) -> Result<Client, ClientError> {
    retry(reach, |timeout| Client::connect(endpoint, timeout))
}

/// Connects like [`connect`], and enables out-of-band execution if the server
/// offers it.
///
/// # Errors
///
/// Returns the client's error.
pub fn connect_out_of_band(endpoint: &Endpoint, reach: &ReachArgs) -> Result<Client, ClientError> {
    retry(reach, |timeout| {
        Client::connect_out_of_band(endpoint, timeout)
    })
}

fn retry(
    reach: &ReachArgs,
    connect: impl Fn(Duration) -> Result<Client, ClientError>,
) -> Result<Client, ClientError> {
    // An operator who mistypes a path must not wait, so only a timeout that somebody
    // has chosen is spent on a socket that is not there.
    let Some(timeout) = reach.timeout else {
        return connect(TIMEOUT);
    };
    let begin = Instant::now();
    let deadline = deadline::after(timeout);
    let mut has_told = false;
    loop {
        let error = match connect(timeout) {
            Err(ClientError::Connect(endpoint, error)) if endpoint.may_appear_after(&error) => {
                ClientError::Connect(endpoint, error)
            }
            outcome => return outcome,
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(error);
        }
        if !has_told && begin.elapsed() >= SILENT_WAIT {
            has_told = true;
            // Printing fails if nobody reads the error stream.
            let error = error.to_string();
            let _ = writeln!(
                io::stderr(),
                "vmstats: {}; waiting for it, as --timeout says",
                printable(&error)
            );
        }
        thread::sleep(RETRY_INTERVAL.min(left));
    }
}

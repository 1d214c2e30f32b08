//! One question to several monitors at once.
//!
//! In: endpoints, and functions that ask one monitor and print one answer. Out:
//! the answers in the order of the endpoints. This file knows no command of QMP.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use crate::cli::MonitorsArgs;
use crate::client::Client;
use crate::connection;
use crate::endpoint::Endpoint;
use crate::failure::{Failure, warn};

/// The number of monitors that are asked at the same time.
const THREADS_MAX: usize = 16;

/// Asks every monitor with `ask`, and prints each answer with `print` as soon as
/// all monitors before it have answered or failed.
///
/// # Errors
///
/// Returns the failure of the monitor if there is only one. Of several monitors,
/// prints each failure to the standard error stream, and returns how many failed.
pub(super) fn ask_each<T: Send>(
    monitors: &MonitorsArgs,
    ask: impl Fn(&mut Client) -> Result<T, Failure> + Sync,
    mut print: impl FnMut(&Endpoint, T) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let endpoints = endpoints(monitors)?;
    let ask_one = |endpoint: &Endpoint| {
        let mut client = connection::connect(endpoint, &monitors.reach)?;
        ask(&mut client)
    };
    if let ([endpoint], true) = (endpoints.as_slice(), monitors.is_one()) {
        return print(endpoint, ask_one(endpoint)?);
    }
    let mut failed = 0;
    let mut handle = |endpoint: &Endpoint, answer: Result<T, Failure>| {
        match answer.and_then(|answer| print(endpoint, answer)) {
            Ok(()) => {}
            Err(Failure::OutputClosed) => return Err(Failure::OutputClosed),
            Err(failure) => {
                failed += 1;
                warn(&format!("{endpoint}: {failure}"));
            }
        }
        Ok(())
    };
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (sender, answers) = mpsc::channel();
        for _ in 0..endpoints.len().min(THREADS_MAX) {
            let sender = sender.clone();
            let (next, endpoints, ask_one) = (&next, &endpoints, &ask_one);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(endpoint) = endpoints.get(index) else {
                        break;
                    };
                    if sender.send((index, ask_one(endpoint))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut waiting = BTreeMap::new();
        let mut following = endpoints.iter().enumerate().peekable();
        for (index, answer) in answers {
            waiting.insert(index, answer);
            while let Some((index, endpoint)) = following.peek() {
                let Some(answer) = waiting.remove(index) else {
                    break;
                };
                let endpoint = *endpoint;
                following.next();
                handle(endpoint, answer)?;
            }
        }
        Ok::<(), Failure>(())
    })?;
    match failed {
        0 => Ok(()),
        _ => Err(Failure::other(format!(
            "{failed} of {} monitors failed",
            endpoints.len()
        ))),
    }
}

/// Returns the addresses of all monitors, each once.
fn endpoints(monitors: &MonitorsArgs) -> Result<Vec<Endpoint>, Failure> {
    let credentials = monitors.reach.tls.as_deref();
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for place in monitors.places() {
        let found = place.scan().map_err(Failure::other)?;
        if found.is_empty() {
            return Err(Failure::other(place.nothing()));
        }
        for endpoint in found {
            if !place.is_searched() || !endpoints.contains(&endpoint) {
                endpoints.push(endpoint.with_credentials(credentials));
            }
        }
    }
    Ok(endpoints)
}

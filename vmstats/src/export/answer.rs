//! The answer of a virtual machine, or the reason for the lack of one.
//!
//! In: samples and errors of the client. Out: types. Nothing here asks or writes.

use std::sync::Arc;
use std::time::Duration;

use super::unplugged::Unplugged;
use crate::client::ClientError;
use crate::endpoint::Endpoint;
use crate::printable::printable;
use crate::sample::{Identity, Sample, Timestamp};
#[cfg(test)]
use crate::sample::{Object, Window};
use crate::source::Peer;

/// A virtual machine at an address.
#[derive(Debug)]
pub(super) struct Vm {
    /// A number that no other virtual machine has or had.
    pub(super) id: usize,
    /// The address of its monitor.
    pub(super) endpoint: Endpoint,
    /// The address as a label, which is the identity of the virtual machine in all series.
    pub(super) label: String,
}

impl Vm {
    /// Makes the description of a virtual machine.
    pub(super) fn new(id: usize, endpoint: Endpoint) -> Self {
        Self {
            id,
            label: printable(&endpoint.to_string()).into_owned(),
            endpoint,
        }
    }
}

/// The statistics of a virtual machine, with its description.
#[derive(Debug)]
pub(super) struct Answer {
    /// The description.
    pub(super) identity: Identity,
    /// The number of vCPUs, if the monitor tells it.
    pub(super) vcpus: Option<usize>,
    /// Its process, if it is known.
    pub(super) process: Option<Peer>,
    /// The start of its process in nanoseconds since 1970, if it is known.
    pub(super) started: Option<u64>,
    /// The values.
    pub(super) sample: Sample,
    /// The counts of vCPUs that were unplugged since the process started.
    pub(super) unplugged: Unplugged,
    /// The time from the question to the answer.
    pub(super) duration: Duration,
    /// The number of statistics that the sample lacks because there are too many.
    pub(super) left_out: usize,
}

#[cfg(test)]
impl Answer {
    /// An answer with these objects, of a process that is not known.
    pub(super) fn of_objects(window: Window, objects: Vec<Object>) -> Self {
        Self {
            identity: Identity::default(),
            vcpus: None,
            process: None,
            started: None,
            sample: Sample {
                window,
                run: 0,
                objects,
                absences: Vec::new(),
            },
            unplugged: Unplugged::default(),
            duration: Duration::ZERO,
            left_out: 0,
        }
    }
}

/// A virtual machine after a collection.
#[derive(Clone, Debug)]
pub(super) struct VmState {
    /// The virtual machine.
    pub(super) vm: Arc<Vm>,
    /// The last answer with its time. It is older than the collection if there is a
    /// failure.
    pub(super) last: Option<(Timestamp, Arc<Answer>)>,
    /// The reason why the virtual machine did not answer, also in words.
    pub(super) failure: Option<(Reason, String)>,
}

impl VmState {
    /// A virtual machine that answered.
    #[cfg(test)]
    pub(super) fn answered(id: usize, at: Timestamp, answer: Answer) -> Self {
        Self {
            vm: Arc::new(Vm::new(id, Endpoint::Unix("/x".into()))),
            last: Some((at, Arc::new(answer))),
            failure: None,
        }
    }

    /// Returns the answer of this collection.
    pub(super) fn answer(&self) -> Option<&Arc<Answer>> {
        let (_, answer) = self.last.as_ref().filter(|_| self.failure.is_none())?;
        Some(answer)
    }

    /// Returns the description of the virtual machine, if it ever answered.
    pub(super) fn identity(&self) -> Option<&Identity> {
        self.last.as_ref().map(|(_, answer)| &answer.identity)
    }
}

/// The words for [`Reason::Timeout`], whose error names options that `export` lacks.
pub(super) const TIMEOUT: &str = "no answer before the deadline";

/// The words for [`Reason::Silent`] while no error has come.
pub(super) const SILENT: &str = "no greeting before the deadline: another client may have the \
    monitor, or the process is stopped";

/// The reason why a virtual machine did not answer, for a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Reason {
    /// The monitor did not reply in time.
    Timeout,
    /// The monitor accepted or queued the connection, and sent nothing.
    Silent,
    /// Nobody serves the monitor, or this program may not connect.
    Connect,
    /// The connection broke.
    Closed,
    /// The monitor refuses to tell statistics.
    Refused,
    /// The peer does not speak the protocol.
    Protocol,
}

impl Reason {
    /// The reasons.
    pub(super) const ALL: [Self; 6] = [
        Self::Timeout,
        Self::Silent,
        Self::Connect,
        Self::Closed,
        Self::Refused,
        Self::Protocol,
    ];

    /// Returns the value of the label.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Silent => "silent",
            Self::Connect => "connect",
            Self::Closed => "closed",
            Self::Refused => "refused",
            Self::Protocol => "protocol",
        }
    }

    /// Returns the reason of a client's error.
    pub(super) fn of(error: &ClientError) -> Self {
        use std::io::ErrorKind::{TimedOut, WouldBlock};
        match error {
            ClientError::Connect(..) => Self::Connect,
            ClientError::NoGreeting(_) => Self::Silent,
            ClientError::Transport(error) if matches!(error.kind(), TimedOut | WouldBlock) => {
                Self::Timeout
            }
            ClientError::Transport(_) => Self::Closed,
            ClientError::Protocol(_) | ClientError::HumanMonitor => Self::Protocol,
            ClientError::Refused(_) | ClientError::NoStatistics(_) => Self::Refused,
        }
    }
}

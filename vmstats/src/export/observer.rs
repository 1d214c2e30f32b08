//! One virtual machine, asked again and again.
//!
//! In: an address. Out: an answer for each question, over a connection that stays open as
//! long as the same server is at the address. Nothing here waits for other virtual machines.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use qapi_stats::stats::StatsTarget;

use super::answer::{Answer, Reason};
use crate::client::{Client, ClientError};
use crate::endpoint::Endpoint;
use crate::sample::{Clock, Object, Sample};
use crate::selection::Selection;
use crate::source::Monitor;

/// How long a connection and each reply may take. Scrapes do not wait so long; beyond it
/// the connection is made again.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The time between two tries to connect to a monitor that does not greet. Such a try
/// takes a place in the queue of a QEMU that serves another client.
const RETRY_SILENT_INTERVAL: Duration = Duration::from_secs(30);

/// The number of unplugged vCPUs whose values are kept.
const UNPLUGGED_MAX: usize = 4096;

/// The connection to a virtual machine's monitor.
pub(super) struct Observer {
    endpoint: Endpoint,
    selection: Selection,
    clock: Clock,
    /// The connection, with the socket's file when it was made.
    monitor: Option<(Monitor, Option<(u64, u64)>)>,
    /// The last answer.
    last: Option<Arc<Answer>>,
    /// The last time at which the monitor did not greet, and the error.
    silent: Option<(Instant, String)>,
}

impl Observer {
    /// Makes an observer that is not connected.
    pub(super) fn new(endpoint: Endpoint, selection: Selection, clock: Clock) -> Self {
        Self {
            endpoint,
            selection,
            clock,
            monitor: None,
            last: None,
            silent: None,
        }
    }

    /// Asks for statistics; connects if necessary. `connected` is called when the monitor
    /// has greeted, and before it is connected again.
    ///
    /// # Errors
    ///
    /// Returns the reason, also in words.
    pub(super) fn ask(
        &mut self,
        connected: &mut dyn FnMut(bool),
    ) -> Result<Arc<Answer>, (Reason, String)> {
        if let Some((since, text)) = &self.silent
            && since.elapsed() < RETRY_SILENT_INTERVAL
        {
            return Err((Reason::Silent, text.clone()));
        }
        let file = self.file();
        // Another server may have bound the path, while the connection leads to the old one.
        self.monitor = self.monitor.take().filter(|(_, of)| *of == file);
        let outcome = match self.monitor.take() {
            Some((monitor, _)) => match self.sample(monitor, file) {
                // The virtual machine may have been started again since the last question.
                Err(error) if Reason::of(&error) == Reason::Closed => {
                    self.connect_and_sample(connected, file)
                }
                outcome => outcome,
            },
            None => self.connect_and_sample(connected, file),
        };
        outcome.map_err(|error| {
            let reason = Reason::of(&error);
            let text = match reason {
                // The error's own words name an option that this command lacks.
                Reason::Timeout => reason.explanation().to_owned(),
                _ => error.to_string(),
            };
            self.silent = (reason == Reason::Silent).then(|| (Instant::now(), text.clone()));
            connected(false);
            (reason, text)
        })
    }

    fn connect_and_sample(
        &mut self,
        connected: &mut dyn FnMut(bool),
        file: Option<(u64, u64)>,
    ) -> Result<Arc<Answer>, ClientError> {
        connected(false);
        let client = Client::connect(&self.endpoint, TIMEOUT)?;
        connected(true);
        let (endpoint, selection) = (self.endpoint.to_string(), self.selection.clone());
        let monitor = Monitor::open(client, &endpoint, selection, self.clock, true)?;
        self.sample(monitor, file)
    }

    fn sample(
        &mut self,
        mut monitor: Monitor,
        file: Option<(u64, u64)>,
    ) -> Result<Arc<Answer>, ClientError> {
        let begin = Instant::now();
        // The exporter compares no samples, so that the number of the run does not matter.
        let sample = monitor.sample(0)?;
        let started = monitor.started();
        let answer = Arc::new(Answer {
            identity: monitor.identity().clone(),
            vcpus: monitor.vcpus(),
            started,
            unplugged: unplugged(self.last.as_deref(), &sample, started),
            sample,
            duration: begin.elapsed(),
            left_out: monitor.left_out(),
        });
        self.last = Some(Arc::clone(&answer));
        self.monitor = Some((monitor, file));
        Ok(answer)
    }

    /// Returns the device and the inode of the socket.
    fn file(&self) -> Option<(u64, u64)> {
        let Endpoint::Unix(path) = &self.endpoint else {
            return None;
        };
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    }
}

/// Returns the last values of the vCPUs that were unplugged, so that sums do not go back: a
/// scraper would take that for a reset, and count everything again.
fn unplugged(last: Option<&Answer>, sample: &Sample, started: Option<u64>) -> Vec<Object> {
    // Another process counts from zero.
    let Some(last) = last.filter(|last| last.started == started) else {
        return Vec::new();
    };
    let vcpus = |sample: &Sample| -> Vec<Object> {
        let objects = sample.objects.iter();
        let vcpus = objects.filter(|object| object.table.target == StatsTarget::Vcpu);
        vcpus.cloned().collect()
    };
    let mut unplugged = last.unplugged.clone();
    let is_same = |(one, other): (&Object, &Object)| one.is(other);
    let (before, after) = (&last.sample.objects, &sample.objects);
    if before.len() == after.len() && before.iter().zip(after).all(is_same) {
        return unplugged;
    }
    let (before, after) = (vcpus(&last.sample), vcpus(sample));
    unplugged.extend(before.into_iter().filter(|object| {
        let of_provider = |other: &&Object| other.table.provider == object.table.provider;
        let mut others = after.iter().filter(of_provider).peekable();
        // Without any vCPU, the provider refused, and its values are absent.
        others.peek().is_some() && !others.any(|other| other.is(object))
    }));
    let excess = unplugged.len().saturating_sub(UNPLUGGED_MAX);
    unplugged.drain(..excess);
    unplugged
}

#[cfg(test)]
mod tests {
    use qapi_stats::stats::{StatsSchema, StatsSchemaValue};

    use super::*;
    use crate::sample::{Identity, ObjectId, Table, Timestamp, Value, Window};

    fn sample(indexes: &[i64]) -> Sample {
        let now = Timestamp(0);
        let window = Window {
            begin: now,
            end: now,
        };
        let table = Arc::new(Table::new(StatsSchema {
            provider: "kvm".into(),
            target: StatsTarget::Vcpu,
            stats: vec![StatsSchemaValue::cumulative("exits")],
        }));
        let objects = indexes.iter().map(|index| Object {
            table: Arc::clone(&table),
            id: ObjectId {
                index: Some(*index),
                qom_path: None,
            },
            window,
            values: vec![Value::Number(5)],
        });
        Sample {
            window,
            run: 0,
            objects: objects.collect(),
            absences: Vec::new(),
        }
    }

    fn answer(indexes: &[i64], unplugged: Vec<Object>) -> Answer {
        Answer {
            identity: Identity::default(),
            vcpus: None,
            started: Some(1),
            sample: sample(indexes),
            unplugged,
            duration: Duration::ZERO,
            left_out: 0,
        }
    }

    #[test]
    fn unplugged_vcpus_are_kept_until_the_process_ends() {
        let ids = |objects: &[Object]| -> Vec<_> {
            objects.iter().map(|object| object.id.index).collect()
        };
        let last = answer(&[0, 1, 2], Vec::new());
        let kept = unplugged(Some(&last), &sample(&[0, 2]), Some(1));
        assert_eq!(ids(&kept), [Some(1)]);
        // It was plugged in again, and counts from zero.
        let last = answer(&[0, 2], kept);
        let kept = unplugged(Some(&last), &sample(&[0, 1, 2]), Some(1));
        assert_eq!(ids(&kept), [Some(1)]);
        let last = answer(&[0, 1, 2], kept);
        assert!(unplugged(Some(&last), &sample(&[0]), Some(2)).is_empty());
        // A provider that refuses has unplugged nothing.
        let last = answer(&[0, 1], Vec::new());
        assert!(unplugged(Some(&last), &sample(&[]), Some(1)).is_empty());
    }
}

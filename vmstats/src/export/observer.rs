//! One virtual machine, asked again and again.
//!
//! In: an address. Out: an answer for each question, over a connection that stays open as
//! long as the same server is at the address. Nothing here waits for other virtual machines.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::answer::{Answer, Reason, TIMEOUT};
use super::unplugged::unplugged;
use crate::client::{Client, ClientError};
use crate::endpoint::Endpoint;
use crate::sample::Clock;
use crate::selection::Selection;
use crate::source::Monitor;

/// The longest wait for a greeting.
const GREETING_TIMEOUT: Duration = Duration::from_secs(10);

/// The time after which a greeting is so late that another client had the monitor.
const GREETING_LATE: Duration = Duration::from_secs(2);

/// The longest wait for a greeting after one that did not come. A connection that waits in
/// the queue of a QEMU takes the monitor when its owner reconnects.
const GREETING_TIMEOUT_AGAIN: Duration = Duration::from_secs(1);

/// The longest wait for a reply. Scrapers wait less; the connection is made again after it.
const REPLY_TIMEOUT: Duration = Duration::from_secs(30);

/// The time until a monitor that hung is asked again. It is doubled each time.
const PAUSE_MIN: Duration = Duration::from_secs(30);

/// The longest pause for a monitor that answered before: its process may be stopped.
const PAUSE_MAX_STOPPED: Duration = Duration::from_secs(60);

/// The longest pause for a monitor that never answered: another client may have it.
const PAUSE_MAX_OCCUPIED: Duration = Duration::from_secs(600);

/// The connection to a virtual machine's monitor.
pub(super) struct Observer {
    endpoint: Endpoint,
    selection: Selection,
    clock: Clock,
    monitor: Option<Monitor>,
    /// The last answer.
    last: Option<Arc<Answer>>,
    /// True if the monitor did not greet, or late, before its first answer. The connection is
    /// closed after each answer then, so that the monitor's owner can come back.
    is_occupied: bool,
    hang: Option<Hang>,
}

/// The last failure of a monitor that hung.
struct Hang {
    /// The time before which the monitor is not asked.
    until: Instant,
    pause: Duration,
    failure: (Reason, String),
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
            is_occupied: false,
            hang: None,
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
        if let Some(hang) = self.hang.as_ref()
            && Instant::now() < hang.until
        {
            return Err(hang.failure.clone());
        }
        let outcome = match self.monitor.take() {
            Some(monitor) => match self.sample(monitor) {
                // The virtual machine may have been started again since the last question.
                Err(error) if Reason::of(&error) == Reason::Closed => {
                    self.connect_and_sample(connected)
                }
                outcome => outcome,
            },
            None => self.connect_and_sample(connected),
        };
        match outcome {
            Ok(answer) => {
                self.hang = None;
                Ok(answer)
            }
            Err(error) => {
                connected(false);
                Err(self.fail(&error))
            }
        }
    }

    /// Notes a failure, and returns it.
    fn fail(&mut self, error: &ClientError) -> (Reason, String) {
        let reason = match Reason::of(error) {
            // A monitor that kept the connection has no other client: it hangs.
            Reason::Silent if self.last.is_some() && !self.is_occupied => Reason::Timeout,
            reason => reason,
        };
        let text = match reason {
            Reason::Timeout => TIMEOUT.to_owned(),
            _ => error.to_string(),
        };
        self.is_occupied |= reason == Reason::Silent;
        let failure = (reason, text);
        let pause_max = match reason {
            Reason::Timeout => PAUSE_MAX_STOPPED,
            Reason::Silent => PAUSE_MAX_OCCUPIED,
            _ => {
                self.hang = None;
                return failure;
            }
        };
        let longer = { self.hang.take() }.map_or(PAUSE_MIN, |hang| hang.pause * 2);
        let pause = longer.min(pause_max);
        self.hang = Some(Hang {
            until: Instant::now() + pause,
            pause,
            failure: failure.clone(),
        });
        failure
    }

    fn connect_and_sample(
        &mut self,
        connected: &mut dyn FnMut(bool),
    ) -> Result<Arc<Answer>, ClientError> {
        connected(false);
        let timeout = if self.hang.is_some() || self.is_occupied {
            GREETING_TIMEOUT_AGAIN
        } else {
            GREETING_TIMEOUT
        };
        let begin = Instant::now();
        let mut client = Client::connect(&self.endpoint, timeout)?;
        self.is_occupied |= self.last.is_none() && begin.elapsed() > GREETING_LATE;
        client.set_timeout(REPLY_TIMEOUT);
        connected(true);
        let (endpoint, selection) = (self.endpoint.to_string(), self.selection.clone());
        let monitor = Monitor::open(client, &endpoint, selection, self.clock, true)?;
        if monitor.process().is_none() {
            // Nothing tells whether the virtual machine is the one before, such as on another
            // host, and what vCPUs of an earlier one counted is in no sum of this one.
            self.last = None;
        }
        self.sample(monitor)
    }

    fn sample(&mut self, mut monitor: Monitor) -> Result<Arc<Answer>, ClientError> {
        let begin = Instant::now();
        // The exporter compares no samples, so that the number of the run does not matter.
        let sample = monitor.sample(0)?;
        let process = monitor.process().cloned();
        let before = self.last.as_deref();
        // The kernel computes a start from the wall clock, so that it moves with the clock.
        let started = before
            .filter(|before| process.is_some() && before.process == process)
            .map_or_else(|| monitor.started(), |before| before.started);
        let of_process = before.filter(|before| before.started == started);
        let of_process = of_process.map(|before| (&before.sample, &before.unplugged));
        let answer = Arc::new(Answer {
            identity: monitor.identity().clone(),
            vcpus: monitor.vcpus(),
            unplugged: unplugged(of_process, &sample),
            process,
            started,
            sample,
            duration: begin.elapsed(),
            left_out: monitor.left_out(),
        });
        self.last = Some(Arc::clone(&answer));
        self.monitor = Some(monitor).filter(|_| !self.is_occupied);
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Timestamp, Window};

    #[test]
    fn monitor_hangs_if_it_answered_before_and_is_occupied_if_it_never_did() {
        let endpoint = Endpoint::Unix("/nowhere".into());
        let new = || {
            let selection = Selection::of_names(&[]);
            Observer::new(endpoint.clone(), selection, Clock::start())
        };
        let mut observer = new();
        let silent = || ClientError::NoGreeting("no greeting".to_owned());
        let mut pauses = Vec::new();
        for _ in 0..7 {
            let (reason, _) = observer.fail(&silent());
            assert_eq!(reason, Reason::Silent);
            pauses.push(observer.hang.as_ref().unwrap().pause.as_secs());
        }
        assert_eq!(pauses, [30, 60, 120, 240, 480, 600, 600]);
        assert!(observer.is_occupied);
        // The monitor is not asked in the pause.
        let (reason, _) = observer.ask(&mut |_| panic!("connected")).unwrap_err();
        assert_eq!(reason, Reason::Silent);

        let now = Timestamp::of_wall_clock();
        let window = Window {
            begin: now,
            end: now,
        };
        let answer = Some(Arc::new(Answer::of_objects(window, Vec::new())));
        // Its owner came back.
        observer.last.clone_from(&answer);
        assert_eq!(observer.fail(&silent()).0, Reason::Silent);

        let mut observer = new();
        observer.last = answer;
        let (reason, text) = observer.fail(&silent());
        assert_eq!(reason, Reason::Timeout);
        assert_eq!(text, TIMEOUT);
        observer.fail(&silent());
        observer.fail(&silent());
        assert_eq!(observer.hang.as_ref().unwrap().pause, PAUSE_MAX_STOPPED);
        observer.fail(&ClientError::HumanMonitor);
        assert!(observer.hang.is_none());
    }
}

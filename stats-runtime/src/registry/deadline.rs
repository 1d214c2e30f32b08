//! A provider with a deadline: it runs on a worker thread and writes into a
//! buffer.
//!
//! In: a query, and the time that the provider has. Out: everything that the
//! provider wrote in time, or an error that names the provider. Only the
//! client's thread writes into the client's sink; a late answer is discarded.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use qapi_stats::stats::{StatsProvider, StatsTarget};

use super::misuse::{TOO_MUCH, misuse};
use super::recording::{Recording, SchemaRecording};
use crate::lock::{Lock, Signal};
use crate::provider::{Provider, ProviderError, StatsQuery};
use crate::sink::{SchemaSink, StatsSink};

/// A provider that must answer within a time.
///
/// The recording stores single values, so that the client's sink gets no
/// [`StatsSink::row`], and the speed of rows is lost.
pub(super) struct DeadlineProvider {
    name: StatsProvider,
    time_max: Duration,
    worker: Arc<Worker>,
}

/// The state that the clients' threads and the worker thread share.
struct Worker {
    provider: Arc<dyn Provider>,
    state: Lock<State>,
    /// Signalled when the worker has got a job, has become free, or must end.
    changed: Signal,
}

#[derive(Default)]
struct State {
    has_thread: bool,
    /// True from the moment a job is handed over until its reply is there.
    is_busy: bool,
    must_end: bool,
    job: Option<Job>,
}

/// A call of the provider, and the place for its reply.
struct Job {
    call: Call,
    reply: Arc<Reply>,
}

/// A call of one of the provider's methods.
enum Call {
    Query {
        target: StatsTarget,
        names: Option<Vec<String>>,
        vcpus: Option<Vec<String>>,
    },
    Schemas,
}

/// Everything that the provider wrote during a call.
enum Recorded {
    Query(Recording),
    Schemas(SchemaRecording),
}

#[derive(Default)]
struct Reply {
    outcome: Lock<Option<Result<Recorded, WorkerError>>>,
    /// Signalled when `outcome` has been set.
    is_there: Signal,
}

enum WorkerError {
    Provider(ProviderError),
    Panicked,
    TooMuch,
}

impl fmt::Debug for DeadlineProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadlineProvider")
            .field("name", &self.name)
            .field("time_max", &self.time_max)
            .finish_non_exhaustive()
    }
}

impl DeadlineProvider {
    pub(super) fn new(
        name: StatsProvider,
        provider: Arc<dyn Provider>,
        time_max: Duration,
    ) -> Self {
        let worker = Arc::new(Worker {
            provider,
            state: Lock::default(),
            changed: Signal::default(),
        });
        Self {
            name,
            time_max,
            worker,
        }
    }

    /// Has the worker execute a call. The time also passes while the worker is
    /// busy with the call of another client.
    fn run(&self, call: Call) -> Result<Recorded, ProviderError> {
        let begin = Instant::now();
        let left = || self.time_max.saturating_sub(begin.elapsed());
        let reply = Arc::new(Reply::default());
        {
            let state = self.worker.state.lock();
            let changed = &self.worker.changed;
            let mut state = changed.wait_while_for(state, left(), |state| state.is_busy);
            if state.is_busy {
                return Err(self.late());
            }
            self.start_thread(&mut state)?;
            state.is_busy = true;
            state.job = Some(Job {
                call,
                reply: Arc::clone(&reply),
            });
        }
        self.worker.changed.notify_all();
        let outcome = reply.outcome.lock();
        let is_there = &reply.is_there;
        let mut outcome = is_there.wait_while_for(outcome, left(), |outcome| outcome.is_none());
        let name = &self.name;
        match outcome.take() {
            None => Err(self.late()),
            Some(Ok(recorded)) => Ok(recorded),
            Some(Err(WorkerError::Provider(error))) => Err(error),
            Some(Err(WorkerError::Panicked)) => {
                Err(ProviderError::new(format!("Provider '{name}' panicked")))
            }
            Some(Err(WorkerError::TooMuch)) => Err(misuse(name, TOO_MUCH)),
        }
    }

    fn late(&self) -> ProviderError {
        ProviderError::new(format!(
            "Provider '{}' did not answer within {:?}",
            self.name, self.time_max
        ))
    }

    /// Starts the worker's thread if it does not run yet.
    fn start_thread(&self, state: &mut State) -> Result<(), ProviderError> {
        if state.has_thread {
            return Ok(());
        }
        let worker = Arc::clone(&self.worker);
        thread::Builder::new()
            .name("stats-provider".to_owned())
            .spawn(move || worker.work())
            .map_err(|error| {
                let name = &self.name;
                ProviderError::new(format!("Provider '{name}' has no thread: {error}"))
            })?;
        state.has_thread = true;
        Ok(())
    }
}

impl Provider for DeadlineProvider {
    fn query(&self, query: &StatsQuery<'_>, sink: &mut dyn StatsSink) -> Result<(), ProviderError> {
        let call = Call::Query {
            target: query.target().clone(),
            names: query.names().map(<[String]>::to_vec),
            vcpus: query.vcpus().map(<[String]>::to_vec),
        };
        if let Recorded::Query(recording) = self.run(call)? {
            recording.replay(sink);
        }
        Ok(())
    }

    fn schemas(&self, sink: &mut dyn SchemaSink) -> Result<(), ProviderError> {
        if let Recorded::Schemas(recording) = self.run(Call::Schemas)? {
            recording.replay(sink);
        }
        Ok(())
    }

    // Call the provider on the caller's thread, because a list of paths needs no
    // reading of values that could block.
    fn vcpus(&self) -> Vec<(u64, String)> {
        self.worker.provider.vcpus()
    }
}

impl Drop for DeadlineProvider {
    fn drop(&mut self) {
        self.worker.state.lock().must_end = true;
        self.worker.changed.notify_all();
    }
}

impl Worker {
    /// Executes one job after the other until the provider is dropped.
    fn work(&self) {
        while let Some(Job { call, reply }) = self.next_job() {
            let outcome = catch_unwind(AssertUnwindSafe(|| self.execute(&call)));
            *reply.outcome.lock() = Some(outcome.unwrap_or(Err(WorkerError::Panicked)));
            reply.is_there.notify_all();
            // Free the reply of a client that no longer waits before the next
            // job is accepted; otherwise two replies would be in memory.
            drop(reply);
            self.state.lock().is_busy = false;
            self.changed.notify_all();
        }
    }

    /// Waits for a job. Returns `None` when the thread must end.
    fn next_job(&self) -> Option<Job> {
        let is_idle = |state: &mut State| state.job.is_none() && !state.must_end;
        let mut state = self.changed.wait_while(self.state.lock(), is_idle);
        state.job.take()
    }

    fn execute(&self, call: &Call) -> Result<Recorded, WorkerError> {
        let (recorded, is_complete) = match call {
            Call::Query {
                target,
                names,
                vcpus,
            } => {
                let query = StatsQuery::new(target, names.as_deref(), vcpus.as_deref());
                let mut recording = Recording::default();
                self.provider
                    .query(&query, &mut recording)
                    .map_err(WorkerError::Provider)?;
                let is_complete = recording.is_complete();
                (Recorded::Query(recording), is_complete)
            }
            Call::Schemas => {
                let mut recording = SchemaRecording::default();
                self.provider
                    .schemas(&mut recording)
                    .map_err(WorkerError::Provider)?;
                let is_complete = recording.is_complete();
                (Recorded::Schemas(recording), is_complete)
            }
        };
        if is_complete {
            Ok(recorded)
        } else {
            Err(WorkerError::TooMuch)
        }
    }
}

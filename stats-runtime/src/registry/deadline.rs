//! Providers that may take too long: a worker and a buffer of their own.
//!
//! In: a query and the provider's time. Out: what the provider wrote, whole and
//! in time, or an error that names it. The client's sink is only touched by the
//! client's thread; what comes late is thrown away.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use qapi_stats::stats::{StatsProvider, StatsTarget};

use crate::lock::{Lock, Signal};
use crate::provider::{Provider, ProviderError, SchemaSink, StatsQuery, StatsSink};

use super::recording::{Recording, SchemaRecording};

/// A provider that has to answer in time.
pub(super) struct Deadlined {
    name: StatsProvider,
    time_max: Duration,
    worker: Arc<Worker>,
}

/// What the asking threads and the provider's own share.
struct Worker {
    provider: Arc<dyn Provider>,
    state: Lock<State>,
    /// The worker has something to do, or has become free.
    changed: Signal,
}

#[derive(Default)]
struct State {
    is_running: bool,
    is_busy: bool,
    has_ended: bool,
    job: Option<Job>,
}

/// A question, and where its answer goes.
struct Job {
    question: Question,
    answer: Arc<Answer>,
}

enum Question {
    Query {
        target: StatsTarget,
        names: Option<Vec<String>>,
        vcpus: Option<Vec<String>>,
    },
    Schemas,
}

enum Answered {
    Query(Recording),
    Schemas(SchemaRecording),
}

#[derive(Default)]
struct Answer {
    outcome: Lock<Option<Result<Answered, Failed>>>,
    is_there: Signal,
}

enum Failed {
    Provider(ProviderError),
    Panicked,
    TooLong,
}

impl fmt::Debug for Deadlined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deadlined")
            .field("name", &self.name)
            .field("time_max", &self.time_max)
            .finish_non_exhaustive()
    }
}

impl Deadlined {
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

    /// Has the worker answer. While it is busy with an earlier question this
    /// one waits, and its time passes.
    fn ask(&self, question: Question) -> Result<Answered, ProviderError> {
        let begin = Instant::now();
        let left = || self.time_max.saturating_sub(begin.elapsed());
        let answer = Arc::new(Answer::default());
        {
            let state = self.worker.state.lock();
            let changed = &self.worker.changed;
            let mut state = changed.wait_while_for(state, left(), |state| state.is_busy);
            if state.is_busy {
                return Err(self.late());
            }
            self.start(&mut state)?;
            state.is_busy = true;
            state.job = Some(Job {
                question,
                answer: Arc::clone(&answer),
            });
        }
        self.worker.changed.notify_all();
        let outcome = answer.outcome.lock();
        let is_there = &answer.is_there;
        let mut outcome = is_there.wait_while_for(outcome, left(), |outcome| outcome.is_none());
        let name = &self.name;
        match outcome.take() {
            None => Err(self.late()),
            Some(Ok(answered)) => Ok(answered),
            Some(Err(Failed::Provider(error))) => Err(error),
            Some(Err(Failed::Panicked)) => {
                Err(ProviderError::new(format!("Provider '{name}' panicked")))
            }
            Some(Err(Failed::TooLong)) => Err(ProviderError::new(format!(
                "Provider '{name}' gave too much"
            ))),
        }
    }

    fn late(&self) -> ProviderError {
        ProviderError::new(format!(
            "Provider '{}' did not answer within {:?}",
            self.name, self.time_max
        ))
    }

    /// Starts the worker's thread when it is first needed.
    fn start(&self, state: &mut State) -> Result<(), ProviderError> {
        if state.is_running {
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
        state.is_running = true;
        Ok(())
    }
}

impl Provider for Deadlined {
    fn query(&self, query: &StatsQuery<'_>, sink: &mut dyn StatsSink) -> Result<(), ProviderError> {
        let question = Question::Query {
            target: query.target().clone(),
            names: query.names().map(<[String]>::to_vec),
            vcpus: query.vcpus().map(<[String]>::to_vec),
        };
        if let Answered::Query(recording) = self.ask(question)? {
            recording.replay(sink);
        }
        Ok(())
    }

    fn schemas(&self, sink: &mut dyn SchemaSink) -> Result<(), ProviderError> {
        if let Answered::Schemas(recording) = self.ask(Question::Schemas)? {
            recording.replay(sink);
        }
        Ok(())
    }
}

impl Drop for Deadlined {
    fn drop(&mut self) {
        self.worker.state.lock().has_ended = true;
        self.worker.changed.notify_all();
    }
}

impl Worker {
    /// Answers one question after the other until nobody can ask any more.
    fn work(&self) {
        while let Some(Job { question, answer }) = self.next_job() {
            let outcome = catch_unwind(AssertUnwindSafe(|| self.answer(&question)));
            *answer.outcome.lock() = Some(outcome.unwrap_or(Err(Failed::Panicked)));
            answer.is_there.notify_all();
            // If nobody waits any more, what was written is freed here.
            drop(answer);
            self.state.lock().is_busy = false;
            self.changed.notify_all();
        }
    }

    fn next_job(&self) -> Option<Job> {
        let nothing = |state: &mut State| state.job.is_none() && !state.has_ended;
        let mut state = self.changed.wait_while(self.state.lock(), nothing);
        state.job.take()
    }

    fn answer(&self, question: &Question) -> Result<Answered, Failed> {
        let (answered, is_whole) = match question {
            Question::Query {
                target,
                names,
                vcpus,
            } => {
                let query = StatsQuery::new(target, names.as_deref(), vcpus.as_deref());
                let mut recording = Recording::default();
                self.provider
                    .query(&query, &mut recording)
                    .map_err(Failed::Provider)?;
                let is_whole = recording.is_whole();
                (Answered::Query(recording), is_whole)
            }
            Question::Schemas => {
                let mut recording = SchemaRecording::default();
                self.provider
                    .schemas(&mut recording)
                    .map_err(Failed::Provider)?;
                let is_whole = recording.is_whole();
                (Answered::Schemas(recording), is_whole)
            }
        };
        if is_whole {
            Ok(answered)
        } else {
            Err(Failed::TooLong)
        }
    }
}

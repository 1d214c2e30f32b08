//! Providers whose answers are recorded before a client sees them: complete ones
//! only, or those of an earlier request.
//!
//! In: another provider, and queries. Out: the other provider's answers, all or
//! nothing. The deadline's recording is in `deadline.rs`, because another thread
//! fills it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use qapi_stats::stats::{StatsProvider, StatsTarget};

use super::misuse::{TOO_MUCH, misuse};
use super::recording::{Recording, SchemaRecording};
use crate::lock::Lock;
use crate::provider::{Provider, ProviderError, StatsQuery};
use crate::sink::{SchemaSink, StatsSink};

/// A provider that writes a complete answer, or none.
pub(super) struct CompleteProvider<P> {
    pub(super) name: StatsProvider,
    pub(super) provider: P,
}

impl<P: Provider> Provider for CompleteProvider<P> {
    fn query(&self, query: &StatsQuery<'_>, sink: &mut dyn StatsSink) -> Result<(), ProviderError> {
        record(&self.name, &self.provider, query)?.replay(sink);
        Ok(())
    }

    fn schemas(&self, sink: &mut dyn SchemaSink) -> Result<(), ProviderError> {
        let mut recording = SchemaRecording::default();
        self.provider.schemas(&mut recording)?;
        if !recording.is_complete() {
            return Err(misuse(&self.name, TOO_MUCH));
        }
        recording.replay(sink);
        Ok(())
    }

    fn vcpus(&self) -> Vec<(u64, String)> {
        self.provider.vcpus()
    }
}

/// A provider that answers from its last values while they are fresh.
pub(super) struct CachedProvider<P> {
    name: StatsProvider,
    provider: P,
    age_max: Duration,
    /// The last values of each target. A target without values has no entry, so
    /// that clients cannot make the list grow.
    kept: Lock<Vec<Kept>>,
}

/// The last values of a target.
#[derive(Clone)]
struct Kept {
    target: StatsTarget,
    at: Instant,
    recording: Arc<Recording>,
}

impl<P: Provider> CachedProvider<P> {
    pub(super) fn new(name: StatsProvider, provider: P, age_max: Duration) -> Self {
        Self {
            name,
            provider,
            age_max,
            kept: Lock::default(),
        }
    }

    fn fresh(&self, target: &StatsTarget) -> Option<Arc<Recording>> {
        let kept = self.kept.lock();
        let kept = kept.iter().find(|kept| kept.target == *target)?;
        let is_fresh = kept.at.elapsed() <= self.age_max;
        is_fresh.then(|| Arc::clone(&kept.recording))
    }
}

impl<P: Provider> Provider for CachedProvider<P> {
    fn query(&self, query: &StatsQuery<'_>, sink: &mut dyn StatsSink) -> Result<(), ProviderError> {
        let target = query.target();
        if let Some(recording) = self.fresh(target) {
            recording.replay(sink);
            return Ok(());
        }
        // Take the time before the values are read, so that no value is older than
        // its age says.
        let at = Instant::now();
        let recording = Arc::new(record(
            &self.name,
            &self.provider,
            &StatsQuery::all(target),
        )?);
        {
            let mut kept = self.kept.lock();
            kept.retain(|kept| kept.target != *target);
            if !recording.is_empty() {
                kept.push(Kept {
                    target: target.clone(),
                    at,
                    recording: Arc::clone(&recording),
                });
            }
        }
        recording.replay(sink);
        Ok(())
    }

    fn schemas(&self, sink: &mut dyn SchemaSink) -> Result<(), ProviderError> {
        self.provider.schemas(sink)
    }

    fn vcpus(&self) -> Vec<(u64, String)> {
        self.provider.vcpus()
    }
}

/// Records the complete answer of a provider.
fn record(
    name: &StatsProvider,
    provider: &impl Provider,
    query: &StatsQuery<'_>,
) -> Result<Recording, ProviderError> {
    let mut recording = Recording::default();
    provider.query(query, &mut recording)?;
    if recording.is_complete() {
        Ok(recording)
    } else {
        Err(misuse(name, TOO_MUCH))
    }
}

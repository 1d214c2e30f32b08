//! The registered providers, and the queries to them.
//!
//! In: named providers, and clients' filters. Out: the providers' statistics in
//! a sink, filtered, checked and in QEMU's order. This module knows no wire.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use qapi_stats::stats::{
    StatsFilter, StatsProvider, StatsResult, StatsSchema, StatsSchemaValue, StatsTarget,
};
use qapi_stats::wire::OpenValues;

use crate::lock::Lock;
use crate::provider::{Provider, ProviderError, SchemaSink, StatsQuery, StatsSink};
use crate::sink::{ResultsSink, SchemasSink, TypedResults, TypedSchemas};

mod deadline;
mod filter;
mod guard;
mod misuse;
mod recorded;
mod recording;
mod registration;

use deadline::DeadlineProvider;
use filter::PreparedFilter;
use guard::{Guard, SchemaGuard};
use misuse::misuse;
use recorded::{CachedProvider, CompleteProvider};
use registration::is_valid_name;

pub use registration::{DuplicateStatistic, RegisterError, Registration};

/// The providers of a program, in the order of registration.
///
/// A clone is another handle to the same providers. All methods may be called from
/// any thread at any time. A query asks the providers that were registered when the
/// query began, and holds no lock while they run, so that providers can be
/// registered and removed meanwhile.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    // Readers clone the inner Arc and release the lock, so each query sees a
    // snapshot. Writers use Arc::make_mut, which edits in place if no snapshot is
    // alive and copies the list otherwise.
    registered: Lock<Arc<Registered>>,
    /// The names that providers described when they were registered, so that a new
    /// provider is compared without a call of all others.
    names: Lock<StatisticNames>,
    reported: Lock<Reported>,
}

/// The statistics whose duplicates have been reported, and the function that they
/// are reported to.
#[derive(Default)]
struct Reported {
    statistics: BTreeSet<String>,
    report: Option<Report>,
}

type Report = Arc<dyn Fn(&DuplicateStatistic) + Send + Sync>;

impl fmt::Debug for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.statistics.fmt(f)
    }
}

/// The names and the providers, in columns, because a filter needs the names alone.
#[derive(Clone, Default)]
struct Registered {
    names: Vec<StatsProvider>,
    entries: Vec<Entry>,
}

#[derive(Clone)]
struct Entry {
    provider: Arc<dyn Provider>,
    only_when_named: bool,
    /// The number of requests in which the provider failed and was skipped; `None`
    /// if its failure is the request's.
    skipped: Option<Arc<AtomicU64>>,
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.names).finish()
    }
}

impl Registry {
    /// Creates a registry without providers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn snapshot(&self) -> Arc<Registered> {
        self.shared.registered.snapshot()
    }

    /// Registers a provider that answers every request. From now on clients can
    /// query the provider, filter by its name and list it.
    ///
    /// A provider of a VMM's own, beside KVM's, better answers
    /// [only when it is named](Registration::only_when_named).
    ///
    /// # Errors
    ///
    /// Fails as [`register_with`](Self::register_with) does.
    pub fn register(
        &self,
        name: impl Into<StatsProvider>,
        provider: impl Provider + 'static,
    ) -> Result<(), RegisterError> {
        self.register_with(name, provider, Registration::new())
    }

    /// Registers a provider under a name, which need not be in the schema.
    ///
    /// The provider is asked for its schema once during this call. The targets that
    /// the provider describes can be queried, also those that the schema of QEMU does
    /// not list.
    ///
    /// # Errors
    ///
    /// Fails if a provider of this name is registered, or if the name cannot be a
    /// value of a QAPI enumeration. A [duplicate](Self::on_duplicate) statistic is
    /// reported and accepted, because a newer kernel may bring the name.
    pub fn register_with(
        &self,
        name: impl Into<StatsProvider>,
        provider: impl Provider + 'static,
        registration: Registration,
    ) -> Result<(), RegisterError> {
        let name = canonical(name.into());
        if !is_valid_name(name.name()) {
            return Err(RegisterError::InvalidName { name });
        }
        if self.snapshot().names.contains(&name) {
            return Err(RegisterError::AlreadyRegistered { name });
        }
        let provider = wrapped(&name, Arc::new(provider), registration);
        // Call the provider before the lock is taken: it may use the registry.
        let described = Description::of(&name, provider.as_ref());
        let entry = Entry {
            provider,
            only_when_named: registration.only_when_named,
            skipped: registration.skip_when_failing.then(Arc::default),
        };
        let mut current = self.shared.registered.lock();
        // Look again, because another thread may have registered the name meanwhile.
        if current.names.contains(&name) {
            drop(current);
            return Err(RegisterError::AlreadyRegistered { name });
        }
        let next = Arc::make_mut(&mut current);
        next.names.push(name.clone());
        next.entries.push(entry);
        drop(current);
        if !registration.only_when_named {
            let mut names = self.shared.names.lock();
            for statistic in &described.statistics {
                names.add(&name, statistic);
            }
            let duplicates = std::mem::take(&mut names.duplicates);
            drop(names);
            self.report(duplicates);
        }
        Ok(())
    }

    /// Registers a provider that consists of two functions. Each has the contract
    /// of the method of the same name in [`Provider`].
    ///
    /// # Errors
    ///
    /// Fails as [`register_with`](Self::register_with) does.
    pub fn add_stats_callbacks<Q, S>(
        &self,
        name: impl Into<StatsProvider>,
        query: Q,
        schemas: S,
    ) -> Result<(), RegisterError>
    where
        Q: Fn(&StatsQuery<'_>, &mut dyn StatsSink) -> Result<(), ProviderError>
            + Send
            + Sync
            + 'static,
        S: Fn(&mut dyn SchemaSink) -> Result<(), ProviderError> + Send + Sync + 'static,
    {
        self.register(name, Callbacks { query, schemas })
    }

    /// Removes the provider called `name`. Returns false if the name
    /// is not registered.
    ///
    /// Queries that begin later do not see the provider. A query that has begun
    /// may still call the provider after this function returns, and the last such
    /// query drops the provider.
    pub fn remove(&self, name: impl Into<StatsProvider>) -> bool {
        let name = canonical(name.into());
        let removed = {
            let mut current = self.shared.registered.lock();
            let Some(index) = current.names.iter().position(|other| *other == name) else {
                return false;
            };
            let next = Arc::make_mut(&mut current);
            next.names.remove(index);
            next.entries.remove(index)
        };
        self.shared.names.lock().remove(&name);
        // Drop the provider after the lock is released, because its destructor may
        // use the registry.
        drop(removed);
        true
    }

    /// Returns the registered names in the order of registration.
    #[must_use]
    pub fn names(&self) -> Vec<StatsProvider> {
        self.snapshot().names.clone()
    }

    /// Returns the number of requests in which a provider failed and was skipped,
    /// or `None` if no provider of this name is
    /// [skipped when it fails](Registration::skip_when_failing).
    #[must_use]
    pub fn skipped(&self, name: impl Into<StatsProvider>) -> Option<u64> {
        let name = canonical(name.into());
        let registered = self.snapshot();
        let (_, entry) = registered.iter().find(|(other, _)| **other == name)?;
        let skipped = entry.skipped.as_ref()?;
        Some(skipped.load(Ordering::Relaxed))
    }

    /// Returns the statistics that two of the providers describe that answer every
    /// request. libvirt refuses all schemas of a VM that has one. A VMM's test calls
    /// this once the providers describe all that they have.
    #[must_use]
    pub fn duplicates(&self) -> Vec<DuplicateStatistic> {
        let registered = self.snapshot();
        let mut names = StatisticNames::default();
        for (name, entry) in registered.iter() {
            if !entry.only_when_named {
                for statistic in Description::of(name, entry.provider.as_ref()).statistics {
                    names.add(name, &statistic);
                }
            }
        }
        names.duplicates
    }

    /// Sets the function that receives a [duplicate](Self::duplicates) of each statistic
    /// once: when
    /// the second provider is registered, or when a client asks for the schemas of all
    /// providers and both describe the statistic by then. The function is called with
    /// no lock held. By default duplicates are events of `tracing`, if that feature is
    /// on.
    pub fn on_duplicate(&self, report: impl Fn(&DuplicateStatistic) + Send + Sync + 'static) {
        self.shared.reported.lock().report = Some(Arc::new(report));
    }

    /// Reports the duplicates that have not been reported.
    fn report(&self, duplicates: Vec<DuplicateStatistic>) {
        for duplicate in duplicates {
            let mut reported = self.shared.reported.lock();
            // Without a function the duplicate stays unreported, for one that comes later.
            if reported.report.is_none() && !cfg!(feature = "tracing") {
                continue;
            }
            if !reported.statistics.insert(duplicate.statistic.clone()) {
                continue;
            }
            let report = reported.report.clone();
            drop(reported);
            if let Some(report) = report {
                report(&duplicate);
                continue;
            }
            #[cfg(feature = "tracing")]
            tracing::warn!(target: "stats_runtime::registry", "{duplicate}");
        }
    }

    /// Returns the indexes and QOM paths of the vCPUs of the first provider that knows
    /// any. Providers that answer only when they are named come last.
    #[must_use]
    pub fn vcpus(&self) -> Vec<(u64, String)> {
        let registered = self.snapshot();
        let mut entries: Vec<_> = registered.entries.iter().collect();
        entries.sort_by_key(|entry| entry.only_when_named);
        let mut vcpus = entries.into_iter().map(|entry| {
            let vcpus = || entry.provider.vcpus();
            catch_unwind(AssertUnwindSafe(vcpus)).unwrap_or_default()
        });
        vcpus.find(|vcpus| !vcpus.is_empty()).unwrap_or_default()
    }

    /// Returns the typed results of a query, in the order of the wire.
    ///
    /// # Errors
    ///
    /// Returns the error of the first provider that fails, and no results.
    pub fn query(&self, filter: &StatsFilter) -> Result<Vec<StatsResult>, ProviderError> {
        let mut results = TypedResults::default();
        self.query_into(filter, &mut results)?;
        Ok(results.into_results())
    }

    /// Writes the results of a query into a sink. A result without a statistic is
    /// omitted.
    ///
    /// # Errors
    ///
    /// Returns the error of the first provider that fails. The sink may then have
    /// some results, which the caller must discard.
    pub fn query_into(
        &self,
        filter: &StatsFilter,
        sink: &mut dyn ResultsSink,
    ) -> Result<(), ProviderError> {
        let filter = PreparedFilter::new(filter);
        let registered = self.snapshot();
        for request in filter.provider_requests(&registered.names) {
            let Some((name, entry)) = registered.get(request.index) else {
                continue;
            };
            if entry.only_when_named && !request.is_named {
                continue;
            }
            let query = StatsQuery::new(filter.target(), request.names, filter.vcpus());
            sink.provider(name);
            let mut guard = Guard::new(&query, sink);
            entry.outcome(contained(name, || entry.provider.query(&query, &mut guard)))?;
            if guard.is_misused() {
                entry.outcome(Err(misuse(name, "a statistic of no object")))?;
            }
            if sink.is_full() {
                break;
            }
        }
        Ok(())
    }

    /// Returns the typed schemas of one provider, or of all providers.
    ///
    /// # Errors
    ///
    /// Returns the error of the first provider that fails, and no schemas.
    pub fn schemas(
        &self,
        provider: Option<&StatsProvider>,
    ) -> Result<Vec<StatsSchema>, ProviderError> {
        let mut schemas = TypedSchemas::default();
        self.schemas_into(provider, &mut schemas)?;
        Ok(schemas.into_schemas())
    }

    /// Writes the schemas of one provider, or of all providers, into a sink.
    ///
    /// # Errors
    ///
    /// Returns the error of the first provider that fails. The sink may then have
    /// some schemas, which the caller must discard.
    pub fn schemas_into(
        &self,
        only: Option<&StatsProvider>,
        sink: &mut dyn SchemasSink,
    ) -> Result<(), ProviderError> {
        let registered = self.snapshot();
        let only = only.cloned().map(canonical);
        let mut names = StatisticNames::default();
        // One provider alone clashes with nobody; a VM with KVM's statistics only is the
        // usual case, and collecting names costs as much as writing them.
        let answering = registered.entries.iter();
        let clash_possible = answering.filter(|entry| !entry.only_when_named).count() > 1;
        for (name, entry) in registered.iter().rev() {
            let is_wanted = match &only {
                Some(only) => only == name,
                None => !entry.only_when_named,
            };
            if is_wanted {
                sink.provider(name);
                let mut guard = SchemaGuard::new(sink, |statistic| {
                    if clash_possible {
                        names.add(name, statistic);
                    }
                });
                entry.outcome(contained(name, || entry.provider.schemas(&mut guard)))?;
                if guard.is_misused() {
                    let fault = misuse(name, "the meaning of a statistic of no target");
                    entry.outcome(Err(fault))?;
                }
            }
        }
        self.report(names.duplicates);
        Ok(())
    }
}

/// Accepts registered provider names and targets as values of `StatsProvider` and
/// `StatsTarget`, even if the schema does not list them. The decoder and introspection
/// ask for them.
impl OpenValues for Registry {
    fn is_registered(&self, enum_name: &str, value: &str) -> bool {
        let registered = self.snapshot();
        match enum_name {
            "StatsProvider" => registered.names.iter().any(|name| name.name() == value),
            "StatsTarget" => registered
                .targets()
                .iter()
                .any(|target| target.name() == value),
            _ => false,
        }
    }

    fn registered(&self, enum_name: &str) -> Vec<String> {
        let registered = self.snapshot();
        match enum_name {
            "StatsProvider" => registered.names.iter().map(ToString::to_string).collect(),
            "StatsTarget" => registered
                .targets()
                .iter()
                .map(ToString::to_string)
                .collect(),
            _ => Vec::new(),
        }
    }
}

impl Registered {
    fn get(&self, index: usize) -> Option<(&StatsProvider, &Entry)> {
        Some((self.names.get(index)?, self.entries.get(index)?))
    }

    fn iter(&self) -> impl DoubleEndedIterator<Item = (&StatsProvider, &Entry)> {
        self.names.iter().zip(&self.entries)
    }

    /// Asks all providers for their targets. A request whose target is in the schema
    /// costs nothing of this.
    fn targets(&self) -> BTreeSet<StatsTarget> {
        let described = self.iter().map(|(name, entry)| {
            let described = Description::of(name, entry.provider.as_ref());
            described.targets
        });
        described.flatten().collect()
    }
}

impl Entry {
    /// Returns the outcome of a call for the request: a failure of a provider that
    /// may be skipped is counted, and no failure of the request.
    fn outcome(&self, outcome: Result<(), ProviderError>) -> Result<(), ProviderError> {
        match (&self.skipped, outcome) {
            (Some(skipped), Err(_)) => {
                skipped.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            (_, outcome) => outcome,
        }
    }
}

/// Returns the provider with what its registration adds.
fn wrapped(
    name: &StatsProvider,
    provider: Arc<dyn Provider>,
    registration: Registration,
) -> Arc<dyn Provider> {
    let mut provider = provider;
    if let Some(time_max) = registration.time_max {
        provider = Arc::new(DeadlineProvider::new(name.clone(), provider, time_max));
    }
    if let Some(age_max) = registration.age_max {
        provider = Arc::new(CachedProvider::new(name.clone(), provider, age_max));
    }
    // A deadline's answer is complete already.
    if registration.skip_when_failing && registration.time_max.is_none() {
        let name = name.clone();
        provider = Arc::new(CompleteProvider { name, provider });
    }
    provider
}

/// The names of the statistics of several providers, and those that come twice.
#[derive(Debug, Default)]
struct StatisticNames {
    providers: HashMap<String, StatsProvider>,
    /// The names that came twice. Each is one duplicate, however many providers
    /// have it.
    repeated: BTreeSet<String>,
    duplicates: Vec<DuplicateStatistic>,
}

impl StatisticNames {
    fn remove(&mut self, provider: &StatsProvider) {
        self.providers.retain(|_, other| other != provider);
        let providers = &self.providers;
        self.repeated
            .retain(|statistic| providers.contains_key(statistic));
    }

    /// Adds a statistic of a provider. The providers may come in any order.
    fn add(&mut self, provider: &StatsProvider, statistic: &str) {
        let Some(other) = self.providers.get(statistic) else {
            let statistic = statistic.to_owned();
            self.providers.insert(statistic, provider.clone());
            return;
        };
        if other != provider && self.repeated.insert(statistic.to_owned()) {
            let [first, second] = if other <= provider {
                [other, provider]
            } else {
                [provider, other]
            };
            self.duplicates.push(DuplicateStatistic {
                statistic: statistic.to_owned(),
                first: first.clone(),
                second: second.clone(),
            });
        }
    }
}

/// The names and targets that a provider describes.
#[derive(Debug, Default)]
struct Description {
    statistics: BTreeSet<String>,
    targets: Vec<StatsTarget>,
}

impl Description {
    /// Asks a provider. A provider that fails describes nothing yet.
    fn of(name: &StatsProvider, provider: &dyn Provider) -> Self {
        let mut described = Self::default();
        match contained(name, || provider.schemas(&mut described)) {
            Ok(()) => described,
            Err(_) => Self::default(),
        }
    }
}

impl SchemaSink for Description {
    fn schema(&mut self, target: StatsTarget) {
        if !self.targets.contains(&target) {
            self.targets.push(target);
        }
    }

    fn stat(&mut self, stat: &StatsSchemaValue) {
        self.statistics.insert(stat.name.clone());
    }
}

/// Returns the schema's variant for a provider's name, or the name unchanged if the
/// schema does not list it.
fn canonical(name: StatsProvider) -> StatsProvider {
    name.name().into()
}

struct Callbacks<Q, S> {
    query: Q,
    schemas: S,
}

impl<Q, S> Provider for Callbacks<Q, S>
where
    Q: Fn(&StatsQuery<'_>, &mut dyn StatsSink) -> Result<(), ProviderError> + Send + Sync,
    S: Fn(&mut dyn SchemaSink) -> Result<(), ProviderError> + Send + Sync,
{
    fn query(&self, query: &StatsQuery<'_>, sink: &mut dyn StatsSink) -> Result<(), ProviderError> {
        (self.query)(query, sink)
    }

    fn schemas(&self, sink: &mut dyn SchemaSink) -> Result<(), ProviderError> {
        (self.schemas)(sink)
    }
}

/// Calls a provider, and turns its panic into an error that names the provider.
fn contained(
    provider: &StatsProvider,
    call: impl FnOnce() -> Result<(), ProviderError>,
) -> Result<(), ProviderError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| {
        Err(ProviderError::new(format!(
            "Provider '{provider}' panicked"
        )))
    })
}

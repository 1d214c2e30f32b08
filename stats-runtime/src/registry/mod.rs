//! The registered providers, and the queries to them.
//!
//! In: named providers, and clients' filters. Out: the providers' statistics in
//! a sink, filtered, checked and in QEMU's order. This module knows no wire.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use qapi_stats::stats::{StatsFilter, StatsProvider, StatsResult, StatsSchema};
use qapi_stats::wire::OpenValues;

use crate::lock::Lock;
use crate::provider::{Provider, ProviderError, SchemaSink, StatsQuery, StatsSink};
use crate::sink::{ResultsSink, SchemasSink, TypedResults, TypedSchemas};

mod deadline;
mod filter;
mod guard;
mod recording;

use deadline::DeadlineProvider;
use filter::PreparedFilter;
use guard::{Guard, SchemaGuard};

/// The providers of a program, in the order of registration.
///
/// All methods may be called from any thread at any time. A query asks the
/// providers that were registered when the query began, and holds no lock while
/// they run, so that providers can be registered and removed meanwhile.
#[derive(Debug, Default)]
pub struct Registry {
    // Readers clone the Arc and release the lock, so each query sees a
    // snapshot. Writers use Arc::make_mut, which edits in place if no snapshot is
    // alive and copies the list otherwise.
    providers: Lock<Arc<Registered>>,
}

#[derive(Clone, Default)]
struct Registered {
    names: Vec<StatsProvider>,
    providers: Vec<Arc<dyn Provider>>,
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.names).finish()
    }
}

/// The error that a provider's name is registered already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlreadyRegistered {
    name: StatsProvider,
}

impl fmt::Display for AlreadyRegistered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a provider called '{}' is registered already", self.name)
    }
}

impl std::error::Error for AlreadyRegistered {}

impl Registry {
    /// Creates a registry without providers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a provider under a name, which need not be in the schema. From
    /// now on clients can query the provider, filter by its name and list it.
    ///
    /// # Errors
    ///
    /// Fails if the name is registered already: clients would get two schemas for
    /// one provider, which they take for an error.
    pub fn register(
        &self,
        name: StatsProvider,
        provider: Arc<dyn Provider>,
    ) -> Result<(), AlreadyRegistered> {
        let name = canonical(name);
        let mut current = self.providers.lock();
        if current.names.contains(&name) {
            return Err(AlreadyRegistered { name });
        }
        let next = Arc::make_mut(&mut current);
        next.names.push(name);
        next.providers.push(provider);
        Ok(())
    }

    /// Registers a provider that must answer each request within `time_max`. If
    /// the provider is late, the request fails with an error that names the
    /// provider, and the late answer is discarded.
    ///
    /// The provider runs on a thread of its own, which starts with the first
    /// request and serves one request at a time; further requests wait until
    /// their own time has passed. A provider that never returns costs that thread
    /// and nothing more.
    ///
    /// The answer is recorded value by value. A provider that writes
    /// [rows](crate::StatsSink::row) therefore loses what rows save.
    ///
    /// # Errors
    ///
    /// Fails if the name is registered already.
    pub fn register_with_deadline(
        &self,
        name: StatsProvider,
        provider: Arc<dyn Provider>,
        time_max: Duration,
    ) -> Result<(), AlreadyRegistered> {
        let name = canonical(name);
        let provider = DeadlineProvider::new(name.clone(), provider, time_max);
        self.register(name, Arc::new(provider))
    }

    /// Registers a provider that consists of two functions. Each has the contract
    /// of the method of the same name in [`Provider`].
    ///
    /// # Errors
    ///
    /// Fails if the name is registered already.
    pub fn add_stats_callbacks<Q, S>(
        &self,
        name: StatsProvider,
        query: Q,
        schemas: S,
    ) -> Result<(), AlreadyRegistered>
    where
        Q: Fn(&StatsQuery<'_>, &mut dyn StatsSink) -> Result<(), ProviderError>
            + Send
            + Sync
            + 'static,
        S: Fn(&mut dyn SchemaSink) -> Result<(), ProviderError> + Send + Sync + 'static,
    {
        self.register(name, Arc::new(Callbacks { query, schemas }))
    }

    /// Removes the provider called `name`. Returns false if the name
    /// is not registered.
    ///
    /// Queries that begin later do not see the provider. A query that has begun
    /// may still call the provider after this function returns, and the last such
    /// query drops the provider.
    pub fn remove(&self, name: &StatsProvider) -> bool {
        let name = canonical(name.clone());
        let removed = {
            let mut current = self.providers.lock();
            let Some(index) = current.names.iter().position(|other| *other == name) else {
                return false;
            };
            let next = Arc::make_mut(&mut current);
            next.names.remove(index);
            next.providers.remove(index)
        };
        // Drop the provider after the lock is released, because its destructor may
        // use the registry.
        drop(removed);
        true
    }

    /// Returns the registered names in the order of registration.
    #[must_use]
    pub fn names(&self) -> Vec<StatsProvider> {
        self.providers.snapshot().names.clone()
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
        let registered = self.providers.snapshot();
        for request in filter.provider_requests(&registered.names) {
            let Some((name, provider)) = registered.get(request.index) else {
                continue;
            };
            let query = StatsQuery::new(filter.target(), request.names, filter.vcpus());
            sink.provider(name);
            let mut guard = Guard::new(&query, sink);
            contained(name, || provider.query(&query, &mut guard))?;
            if guard.is_misused() {
                return Err(misuse(name, "a statistic of no object"));
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
        let registered = self.providers.snapshot();
        let only = only.cloned().map(canonical);
        for (name, provider) in registered.names.iter().zip(&registered.providers).rev() {
            if only.as_ref().is_none_or(|only| only == name) {
                sink.provider(name);
                let mut guard = SchemaGuard::new(sink);
                contained(name, || provider.schemas(&mut guard))?;
                if guard.is_misused() {
                    return Err(misuse(name, "the meaning of a statistic of no target"));
                }
            }
        }
        Ok(())
    }
}

/// The registered names are values of `StatsProvider`, also those that the
/// schema does not list. The decoder and introspection ask for them.
impl OpenValues for Registry {
    fn is_registered(&self, enum_name: &str, value: &str) -> bool {
        let registered = self.providers.snapshot();
        enum_name == ENUM && registered.names.iter().any(|name| name.name() == value)
    }

    fn registered(&self, enum_name: &str) -> Vec<String> {
        if enum_name != ENUM {
            return Vec::new();
        }
        let registered = self.providers.snapshot();
        registered.names.iter().map(ToString::to_string).collect()
    }
}

/// The enumeration's name in the schema.
const ENUM: &str = "StatsProvider";

impl Registered {
    fn get(&self, index: usize) -> Option<(&StatsProvider, &dyn Provider)> {
        Some((self.names.get(index)?, self.providers.get(index)?.as_ref()))
    }
}

/// Returns the same name, as the schema's variant if the schema lists it.
fn canonical(name: StatsProvider) -> StatsProvider {
    let Ok(canonical) = name.name().parse();
    canonical
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

fn misuse(provider: &StatsProvider, what: &str) -> ProviderError {
    ProviderError::new(format!("Provider '{provider}' gave {what}"))
}

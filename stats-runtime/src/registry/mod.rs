//! The registered providers, and the queries that go to them.
//!
//! In: providers under names, and clients' filters. Out: what the providers
//! write, into a sink, checked and in the contract's order. It knows no wire.

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

use deadline::Deadlined;
use filter::Selection;
use guard::{Guard, SchemaGuard};

/// The providers of a program, in the order in which they were registered.
///
/// All methods may be called from any thread at any time. A query works on the
/// providers that were registered when it began and holds no lock while they
/// run, so providers come and go meanwhile.
#[derive(Debug, Default)]
pub struct Registry {
    // Readers clone the `Arc` and release the lock, so each query sees a
    // snapshot. Writers use `Arc::make_mut`, which edits in place if no snapshot
    // is alive and copies the list otherwise.
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

/// A provider's name that is registered already.
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
    /// A registry without providers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a provider. The name may be one of the schema's or any other:
    /// from now on clients can query, filter and list it.
    ///
    /// # Errors
    ///
    /// That the name is taken: two providers under one would give the same
    /// statistic twice, which clients take for a broken schema.
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

    /// Registers a provider that has `time_max` to answer each request: when it
    /// is late, the request fails with an error that names it, and what it
    /// writes later is thrown away.
    ///
    /// It runs in a thread of its own, which is started when it is first
    /// asked and answers one request at a time; others wait for it as long as
    /// their own time lasts. One that never returns costs that thread, and
    /// nothing more.
    ///
    /// # Errors
    ///
    /// That the name is taken.
    pub fn register_with_deadline(
        &self,
        name: StatsProvider,
        provider: Arc<dyn Provider>,
        time_max: Duration,
    ) -> Result<(), AlreadyRegistered> {
        let name = canonical(name);
        let provider = Deadlined::new(name.clone(), provider, time_max);
        self.register(name, Arc::new(provider))
    }

    /// Registers a provider that is a pair of functions, each with the
    /// contract of the method of [`Provider`] of that name.
    ///
    /// # Errors
    ///
    /// That the name is taken.
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

    /// Removes the provider called `name`; false if there is none.
    ///
    /// Queries that begin later do not see it. One that has begun may still be
    /// calling it when this returns; the last one to end drops it.
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
        // A provider's destructor may do anything: not under the lock.
        drop(removed);
        true
    }

    /// The registered names, the first registered first.
    #[must_use]
    pub fn names(&self) -> Vec<StatsProvider> {
        self.providers.snapshot().names.clone()
    }

    /// Answers a query with typed results, in the order of the wire.
    ///
    /// # Errors
    ///
    /// The first provider's error; there are no results then.
    pub fn query(&self, filter: &StatsFilter) -> Result<Vec<StatsResult>, ProviderError> {
        let mut results = TypedResults::default();
        self.query_into(filter, &mut results)?;
        Ok(results.into_results())
    }

    /// Answers a query into a sink. Results that hold no statistic are left
    /// out.
    ///
    /// # Errors
    ///
    /// The first provider's error. The sink may then hold some results, which
    /// the caller discards.
    pub fn query_into(
        &self,
        filter: &StatsFilter,
        sink: &mut dyn ResultsSink,
    ) -> Result<(), ProviderError> {
        let selection = Selection::new(filter);
        let registered = self.providers.snapshot();
        for question in selection.questions(&registered.names) {
            let Some((name, provider)) = registered.get(question.index) else {
                continue;
            };
            let query = StatsQuery::new(selection.target(), question.names, selection.vcpus());
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

    /// Answers with the typed schemas of one provider, or of all.
    ///
    /// # Errors
    ///
    /// The first provider's error; there are no schemas then.
    pub fn schemas(
        &self,
        provider: Option<&StatsProvider>,
    ) -> Result<Vec<StatsSchema>, ProviderError> {
        let mut schemas = TypedSchemas::default();
        self.schemas_into(provider, &mut schemas)?;
        Ok(schemas.into_schemas())
    }

    /// Writes the schemas of one provider, or of all, into a sink.
    ///
    /// # Errors
    ///
    /// The first provider's error. The sink may then hold some schemas, which
    /// the caller discards.
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

/// A registered name is a value of `StatsProvider` although the schema does
/// not list it.
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

/// A name that the schema lists is always its variant, never `Unknown`.
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

/// What a provider answers, its panic included: one that has a bug takes
/// nobody down with it.
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

//! Statistics as text for Prometheus: OpenMetrics 1.0, and the older text format
//! 0.0.4.
//!
//! In: a registry. Out: text in which every number is exact. Names, types, units
//! and descriptions come from the schemas of the providers alone. This module has
//! no socket and no HTTP.
//!
//! ```
//! use qapi_stats::stats::{StatsSchemaValue, StatsTarget};
//! use stats_runtime::Registry;
//! use stats_runtime::exposition::{Exposition, Format, Options};
//!
//! let registry = Registry::new();
//! registry.add_stats_callbacks(
//!     "block",
//!     |query, sink| {
//!         if *query.target() == StatsTarget::Vm {
//!             sink.result(Some("/machine/peripheral/disk0"));
//!             sink.scalar("busy-ns", 1_500_000_000);
//!         }
//!         Ok(())
//!     },
//!     |sink| {
//!         sink.schema(StatsTarget::Vm);
//!         sink.stat(&StatsSchemaValue::cumulative("busy-ns").seconds(-9));
//!         Ok(())
//!     },
//! )?;
//! let options = Options::new().label("vm", "web")?;
//! let exposition = Exposition::of(&registry, &options)?;
//! assert_eq!(
//!     exposition.to_text(Format::OpenMetrics),
//!     "# TYPE vmstats_block_vm_busy_seconds counter\n\
//!      ## UNIT vmstats_block_vm_busy_seconds seconds\n\
//!      ## HELP vmstats_block_vm_busy_seconds block vm busy-ns (cumulative, 10^-9 seconds)\n\
//!      vmstats_block_vm_busy_seconds_total{vm=\"web\",qom_path=\"/machine/peripheral/disk0\"} 1.5\n\
//!      ## EOF\n"
//! );
//! assert!(exposition.omitted().is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::io;

use qapi_stats::stats::{StatsFilter, StatsProvider, StatsRequest, StatsSchemaValue, StatsTarget};

use crate::provider::ProviderError;
use crate::registry::Registry;

mod catalog;
mod decimal;
mod family;
mod names;
mod omitted;
mod options;
mod reading;
mod text;

use family::{Described, Families, Family};

pub use catalog::{Catalog, Metric, Point};
pub use family::Object;
pub use omitted::{Omitted, OmittedReason};
pub use options::{Buckets, Format, InvalidName, Options};
pub use reading::{Description, MetricKind, Reading};

/// The statistics of a registry at one moment, as metrics.
///
/// - A metric is called `<prefix>_<provider>_<target>_<statistic>`, then its unit,
///   then `_total` for a counter. Values are converted into the unit without a
///   prefix, and the statistic loses `_ns`, `_us` or `_ms` at its end:
///   `halt_wait_ns` is `vmstats_kvm_vcpu_halt_wait_seconds_total`.
/// - A cumulative statistic is a counter; an instant, a peak and a boolean are
///   gauges; a histogram is a histogram, whose bound `le` is the highest value that
///   the bucket counts: `1e-09`, `3e-09`, `7e-09` of nanoseconds by powers of two.
/// - A histogram has a sum if the provider describes one: a cumulative statistic of
///   the same unit that is called `x_sum`, `x_ns`, `x_us` or `x_ms` for `x` or
///   `x_hist`. OpenMetrics 1.0 also has a count only then.
/// - The label of an object is `vcpu`, with the vCPU's index, if a provider
///   [lists](Registry::vcpus) the vCPU; else `qom_path`.
/// - Samples have no timestamp, as Prometheus recommends.
///
/// All providers are asked by name, so that those take part which answer
/// [only when they are named](crate::Registration::only_when_named).
#[derive(Clone, Debug)]
pub struct Exposition {
    labels: Vec<(String, String)>,
    families: Vec<Family>,
    omitted: Vec<Omitted>,
}

impl Exposition {
    /// Asks all providers of a registry.
    ///
    /// # Errors
    ///
    /// Returns the error of the first provider that fails and is not
    /// [skipped](crate::Registration::skip_when_failing).
    pub fn of(registry: &Registry, options: &Options) -> Result<Self, ProviderError> {
        let vcpus = registry.vcpus();
        let mut families = Families::new(options.name_prefix(), &vcpus);
        for provider in registry.names() {
            for (target, stats) in targets(registry, &provider)? {
                let filter = StatsFilter {
                    target: (&target).into(),
                    providers: Some(vec![StatsRequest {
                        provider: provider.clone(),
                        names: None,
                    }]),
                };
                let described = Described {
                    provider: &provider,
                    target: &target,
                    stats: &stats,
                };
                families.add(described, &registry.query(&filter)?);
            }
        }
        Ok(Self {
            labels: options.labels().to_vec(),
            omitted: families.omitted,
            families: families.families,
        })
    }

    /// Returns the statistics without a metric, with the reason.
    #[must_use]
    pub fn omitted(&self) -> &[Omitted] {
        &self.omitted
    }

    /// Returns the text.
    #[must_use]
    pub fn to_text(&self, format: Format) -> String {
        self.parts(format).collect()
    }

    /// Writes the text, with one call for each family.
    ///
    /// # Errors
    ///
    /// Fails as the output does.
    pub fn write_to(&self, format: Format, out: &mut impl io::Write) -> io::Result<()> {
        let mut parts = self.parts(format);
        parts.try_for_each(|part| out.write_all(part.as_bytes()))
    }

    /// Returns the text of each family, and the end.
    fn parts(&self, format: Format) -> impl Iterator<Item = String> {
        let families = self.families.iter();
        let families = families.map(move |family| text::of_family(format, &self.labels, family));
        let end = (format == Format::OpenMetrics).then(|| text::END.to_owned());
        families.chain(end)
    }
}

/// Returns the targets of a provider, each once, with all of its statistics.
fn targets(
    registry: &Registry,
    provider: &StatsProvider,
) -> Result<Vec<(StatsTarget, Vec<StatsSchemaValue>)>, ProviderError> {
    let mut targets: Vec<(StatsTarget, Vec<StatsSchemaValue>)> = Vec::new();
    for schema in registry.schemas(Some(provider))? {
        match targets
            .iter_mut()
            .find(|(target, _)| *target == schema.target)
        {
            Some((_, stats)) => stats.extend(schema.stats),
            None => targets.push((schema.target, schema.stats)),
        }
    }
    Ok(targets)
}

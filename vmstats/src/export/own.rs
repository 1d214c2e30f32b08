//! The metrics about the exporter, and about virtual machines as it sees them.
//!
//! In: a catalog. Out: one metric for each field, defined before any statistic so that
//! none can take its name.

use qapi_stats::stats::{StatsSchemaValue, StatsUnit};
use stats_runtime::exposition::{Catalog, Metric};

/// Declares metrics: a field, its description and its help.
macro_rules! own_metrics {
    ($($field:ident: $stat:expr, $help:literal;)*) => {
        /// The metrics that are not statistics.
        #[derive(Debug)]
        pub(super) struct OwnMetrics {
            $(
                #[doc = $help]
                pub(super) $field: Option<Metric>,
            )*
        }

        impl OwnMetrics {
            /// Defines the metrics. A field is `None` if its name is taken, which no name
            /// of an empty catalog is.
            pub(super) fn define(catalog: &mut Catalog) -> Self {
                Self { $($field: catalog.define(&$stat, $help),)* }
            }
        }
    };
}

/// Returns a count as the value of a metric.
pub(super) fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn gauge(name: &str) -> StatsSchemaValue {
    StatsSchemaValue::instant(name)
}

fn counter(name: &str) -> StatsSchemaValue {
    StatsSchemaValue::cumulative(name)
}

own_metrics! {
    build_info: gauge("build_info"), "The version of vmstats.";
    scrape_duration: gauge("scrape_duration").seconds(-9),
        "Time that the collection took.";
    collections: counter("collections"), "Collections since the start of the exporter.";
    failures: counter("vm_failures"),
        "Requests to virtual machines without an answer in time, by reason.";
    vms: gauge("vms"), "Virtual machines that were found.";
    duplicate_names: gauge("duplicate_names"),
        "Virtual machines that share their name with another one.";
    place_sockets: gauge("place_sockets"), "Sockets at each place of the command line.";
    omitted_statistics: gauge("omitted_statistics"),
        "Statistics without a metric, because another one has its name or it cannot have one.";
    exposition_bytes: gauge("exposition").in_unit(Some(StatsUnit::Bytes)),
        "Size of the previous text.";
    exposition_series: gauge("exposition_series"), "Samples in the previous text.";
    otlp_exports: counter("otlp_exports"), "Messages to the OpenTelemetry receiver, by outcome.";
    otlp_queue_length: gauge("otlp_queue_length"),
        "Messages that wait for the OpenTelemetry receiver.";
    up: gauge("vm_up"),
        "1 if the virtual machine answered in time, else 0 with the reason.";
    info: gauge("vm_info"), "The virtual machine, as its monitor describes it.";
    vcpus: gauge("vm_vcpus"), "vCPUs of the virtual machine.";
    start_time: gauge("vm_start_time").seconds(-9),
        "Start of the virtual machine's process since 1970.";
    vm_scrape_duration: gauge("vm_scrape_duration").seconds(-9),
        "Time from the question to the virtual machine's answer.";
    last_answer: gauge("vm_last_answer_timestamp").seconds(-9),
        "Time of the last answer since 1970, of virtual machines that are down.";
    dropped_statistics: gauge("vm_dropped_statistics"),
        "Statistics of the virtual machine that were left out, if there are any.";
}

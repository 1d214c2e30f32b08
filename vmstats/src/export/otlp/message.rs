//! A collection as OpenTelemetry's metrics.
//!
//! In: a collection. Out: a message: sums with their start time, gauges, and histograms
//! with their exact bounds, under the names of the catalog. This file sends nothing.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Attribute;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use qapi_stats::stats::StatsValue;
use stats_runtime::exposition::{
    Catalog, Description, Metric as Family, MetricKind, Object as Label, Point, Reading,
};

use super::super::answer::{Reason, VmState};
use super::super::collector::Collection;
use super::super::encoder::Encoder;
use super::super::naming;
use super::super::own;
use super::super::plan::Plans;
use super::super::points::VmPoint;
use crate::sample::{Timestamp, nanos};

const CUMULATIVE: i32 = AggregationTemporality::Cumulative as i32;

/// Makes the message of a collection. `started` is the start of this program.
pub(in crate::export) fn message(
    collection: &Collection,
    encoder: &mut Encoder,
    started: Timestamp,
) -> ExportMetricsServiceRequest {
    let mut metrics = Metrics::default();
    let attributes: Vec<_> = { collection.vms.iter() }
        .map(|vm| vec![text("vmstats.vm.id", &vm.vm.label)])
        .collect();
    // Totals of the host count from the start of this program.
    let of_program = Times {
        read: collection.at.0,
        started: started.0,
    };
    let dropped = encoder.each_point(collection, &mut |plans, vm, point| {
        let answer = vm.and_then(|vm| collection.vms.get(vm)?.answer());
        let times = answer.map_or(of_program, |answer| Times {
            read: collection.at.0,
            started: answer.started.unwrap_or_default(),
        });
        let attributes = vm.and_then(|vm| attributes.get(vm));
        let attributes = attributes.map_or(&[][..], Vec::as_slice);
        statistic(&mut metrics, plans, &point, times, attributes).is_some()
    });
    let own = Own {
        plans: encoder.plans(),
        times: of_program,
    };
    for ((vm, attributes), dropped) in collection.vms.iter().zip(&attributes).zip(dropped) {
        own.machine(&mut metrics, vm, attributes, dropped);
    }
    own.program(&mut metrics, collection);
    let scope = InstrumentationScope {
        name: "vmstats".to_owned(),
        version: env!("VMSTATS_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource()),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(scope),
                metrics: metrics.0.into_values().collect(),
                schema_url: String::new(),
            }],
            schema_url: String::new(),
        }],
    }
}

/// The times of a data point, in nanoseconds since 1970.
#[derive(Clone, Copy)]
struct Times {
    read: u64,
    /// The time at which a counter was zero, or 0 if it is unknown.
    started: u64,
}

/// Returns the description of the sender.
fn resource() -> Resource {
    let host = rustix::system::uname();
    Resource {
        attributes: vec![
            text("service.name", "vmstats"),
            text("host.name", &host.nodename().to_string_lossy()),
        ],
        ..Resource::default()
    }
}

/// The metrics of a message, by the number of their family.
#[derive(Default)]
struct Metrics(BTreeMap<usize, Metric>);

impl Metrics {
    /// Adds a value. `parts` are the first words of the family's name. Returns `None` if
    /// the value has no number.
    fn add(
        &mut self,
        catalog: &Catalog,
        (family, parts): (&Family, &[&str]),
        point: &Point<'_>,
        times: Times,
        attributes: Vec<KeyValue>,
    ) -> Option<()> {
        let description = catalog.description(family)?;
        let reading = catalog.read(family, point).ok()?;
        let entry = self.0.entry(family.family());
        let metric = entry.or_insert_with(|| Metric {
            name: dotted(description.name, parts),
            description: description.help.to_owned(),
            unit: unit(description.unit),
            data: Some(match description.kind {
                MetricKind::Counter => Data::Sum(Sum {
                    data_points: Vec::new(),
                    aggregation_temporality: CUMULATIVE,
                    is_monotonic: true,
                }),
                MetricKind::Histogram => Data::Histogram(Histogram {
                    data_points: Vec::new(),
                    aggregation_temporality: CUMULATIVE,
                }),
                _ => Data::Gauge(Gauge::default()),
            }),
            ..Metric::default()
        });
        let time_unix_nano = times.read;
        match (&mut metric.data, reading) {
            (Some(Data::Sum(Sum { data_points, .. })), Reading::Number { value, integer }) => {
                data_points.push(NumberDataPoint {
                    attributes,
                    start_time_unix_nano: times.started,
                    time_unix_nano,
                    value: Some(number(&description, value, integer)),
                    ..NumberDataPoint::default()
                });
            }
            (Some(Data::Gauge(Gauge { data_points })), Reading::Number { value, integer }) => {
                data_points.push(NumberDataPoint {
                    attributes,
                    time_unix_nano,
                    value: Some(number(&description, value, integer)),
                    ..NumberDataPoint::default()
                });
            }
            (
                Some(Data::Histogram(histogram)),
                Reading::Histogram {
                    bounds,
                    counts,
                    sum,
                },
            ) => {
                let count = counts
                    .iter()
                    .try_fold(0u64, |sum, count| sum.checked_add(*count))?;
                histogram.data_points.push(HistogramDataPoint {
                    attributes,
                    start_time_unix_nano: times.started,
                    time_unix_nano,
                    count,
                    sum,
                    bucket_counts: counts,
                    explicit_bounds: bounds,
                    ..HistogramDataPoint::default()
                });
            }
            _ => return None,
        }
        Some(())
    }
}

/// Adds a value of a virtual machine, or a total of the host. Returns `None` if the value
/// has no number.
fn statistic(
    metrics: &mut Metrics,
    plans: &Plans,
    point: &VmPoint<'_>,
    times: Times,
    attributes: &[KeyValue],
) -> Option<()> {
    let column = point.column;
    let mut attributes = attributes.to_vec();
    match &point.label {
        Label::Vcpu(index) => attributes.push(KeyValue {
            key: "vmstats.vcpu.index".to_owned(),
            value: Some(AnyValue {
                value: Some(Attribute::IntValue(i64::try_from(*index).ok()?)),
            }),
            ..KeyValue::default()
        }),
        Label::Path(path) => attributes.push(text("vmstats.object.path", &naming::text(path))),
        _ => {}
    }
    let parts = ["vmstats", column.provider.name(), column.target.name()];
    let exposed = Point::new(&point.value).with_sum(point.sum.as_ref());
    let family = (&column.metric, &parts[..]);
    metrics.add(&plans.catalog, family, &exposed, times, attributes)
}

/// The metrics that are not statistics.
struct Own<'a> {
    plans: &'a Plans,
    times: Times,
}

impl Own<'_> {
    fn add(
        &self,
        metrics: &mut Metrics,
        family: Option<&Family>,
        attributes: Vec<KeyValue>,
        value: u64,
    ) {
        if let Some(family) = family {
            let value = StatsValue::Scalar(value);
            let (family, point) = ((family, &["vmstats", "vm"][..]), Point::new(&value));
            // A number is always one.
            let _ = metrics.add(&self.plans.catalog, family, &point, self.times, attributes);
        }
    }

    /// Adds what is known about a virtual machine.
    fn machine(
        &self,
        metrics: &mut Metrics,
        vm: &VmState,
        attributes: &[KeyValue],
        dropped: usize,
    ) {
        let own = &self.plans.own;
        let attributes = attributes.to_vec();
        if let Some((reason, _)) = &vm.failure {
            let reason = text("vmstats.reason", reason.name());
            let attributes = [attributes.clone(), vec![reason]].concat();
            self.add(metrics, own.up.as_ref(), attributes, 0);
        } else {
            self.add(metrics, own.up.as_ref(), attributes.clone(), 1);
        }
        let Some(answer) = vm.answer() else {
            return;
        };
        let identity = &answer.identity;
        let uuid = naming::text(identity.uuid.as_deref().unwrap_or_default());
        let name = naming::text(identity.name.as_deref().unwrap_or_default());
        let info = vec![
            text("vmstats.vm.name", &name),
            text("vmstats.vm.uuid", &uuid),
            text("vmstats.vm.version", &naming::text(&identity.version)),
        ];
        let info = [attributes.clone(), info].concat();
        self.add(metrics, own.info.as_ref(), info, 1);
        if let Some(vcpus) = answer.vcpus {
            let vcpus = own::number(vcpus);
            self.add(metrics, own.vcpus.as_ref(), attributes.clone(), vcpus);
        }
        let duration = nanos(answer.duration);
        let family = own.vm_scrape_duration.as_ref();
        self.add(metrics, family, attributes.clone(), duration);
        let dropped = own::number(dropped);
        self.add(
            metrics,
            own.dropped_statistics.as_ref(),
            attributes,
            dropped,
        );
    }

    /// Adds what is known about this program.
    fn program(&self, metrics: &mut Metrics, collection: &Collection) {
        let own = &self.plans.own;
        for reason in Reason::ALL {
            let count = collection
                .failures
                .get(&reason)
                .copied()
                .unwrap_or_default();
            let reason = vec![text("vmstats.reason", reason.name())];
            self.add(metrics, own.failures.as_ref(), reason, count);
        }
        let duration = nanos(collection.duration);
        let vms = own::number(collection.vms.len());
        let omitted = own::number(self.plans.catalog.omitted().len());
        for (family, value) in [
            (&own.scrape_duration, duration),
            (&own.collections, collection.generation),
            (&own.vms, vms),
            (&own.omitted_statistics, omitted),
        ] {
            self.add(metrics, family.as_ref(), Vec::new(), value);
        }
    }
}

/// Returns a name of the catalog with dots after its first words, as OpenTelemetry has
/// them. Names that differ stay different, because each dot is an underscore there.
fn dotted(name: &str, parts: &[&str]) -> String {
    let (mut dotted, mut rest) = (String::new(), name);
    for part in parts {
        let after = rest.strip_prefix(part);
        let Some(after) = after.and_then(|after| after.strip_prefix('_')) else {
            break;
        };
        dotted.push_str(part);
        dotted.push('.');
        rest = after;
    }
    dotted + rest
}

/// Returns a number in the type that all numbers of its family have, because a store takes
/// two types for two streams.
fn number(description: &Description<'_>, value: f64, integer: Option<u64>) -> Number {
    // The protocol's integers end at 2^63.
    let integer = integer.filter(|_| description.is_integer);
    let integer = integer.and_then(|integer| i64::try_from(integer).ok());
    integer.map_or(Number::AsDouble(value), Number::AsInt)
}

/// Returns a unit in the code that OpenTelemetry uses.
fn unit(unit: Option<&str>) -> String {
    match unit {
        Some("seconds") => "s".to_owned(),
        Some("bytes") => "By".to_owned(),
        Some(unit) => format!("{{{unit}}}"),
        None => String::new(),
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(Attribute::StringValue(value.to_owned())),
        }),
        ..KeyValue::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_catalog_stay_different_when_they_get_dots() {
        let parts = ["vmstats", "kvm", "vcpus"];
        for (name, expected) in [
            ("vmstats_kvm_vcpus_x_seconds", "vmstats.kvm.vcpus.x_seconds"),
            ("vmstats_kvm_vcpu_s_x", "vmstats.kvm.vcpu_s_x"),
            // A provider's name may have been changed to fit.
            ("vmstats_k_m_vcpus_x", "vmstats.k_m_vcpus_x"),
        ] {
            assert_eq!(dotted(name, &parts), expected);
            assert_eq!(dotted(name, &parts).replace('.', "_"), name);
        }
    }
}

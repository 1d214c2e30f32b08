//! A collection as OpenTelemetry's metrics.
//!
//! In: a collection. Out: a message: sums with the time at which they were zero, gauges,
//! and histograms with their exact bounds. This file sends nothing.

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
use stats_runtime::exposition::{MetricKind, Object as Label, Point, Reading};

use super::super::answer::VmState;
use super::super::collector::Collection;
use super::super::encoder::Encoder;
use super::super::naming;
use super::super::plan::Plans;
use super::super::points::VmPoint;
use crate::sample::Timestamp;

const CUMULATIVE: i32 = AggregationTemporality::Cumulative as i32;

/// Makes the message of a collection.
pub(in crate::export) fn message(
    collection: &Collection,
    encoder: &mut Encoder,
) -> ExportMetricsServiceRequest {
    let mut metrics = BTreeMap::new();
    let labels = naming::labels(&collection.vms).labels;
    let vms = collection.vms.iter().zip(&labels);
    let attributes: Vec<_> = vms.map(|(vm, label)| attributes(vm, label)).collect();
    for (vm, attributes) in collection.vms.iter().zip(&attributes) {
        up(&mut metrics, vm, attributes, collection.at.0);
    }
    encoder.each_point(collection, &mut |plans, vm, point| {
        let answer = vm.and_then(|vm| collection.vms.get(vm)?.answer());
        let attributes = vm.and_then(|vm| attributes.get(vm));
        let read = Read {
            at: answer.map_or(collection.at, |answer| answer.sample.window.end),
            started: answer.and_then(|answer| answer.started),
        };
        let attributes = attributes.map_or(&[][..], Vec::as_slice);
        add(&mut metrics, plans, &point, &read, attributes).is_some()
    });
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
                metrics: metrics.into_values().collect(),
                schema_url: String::new(),
            }],
            schema_url: String::new(),
        }],
    }
}

/// The times of a data point.
struct Read {
    at: Timestamp,
    /// The time at which a counter was zero, in nanoseconds since 1970.
    started: Option<u64>,
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

/// Returns the attributes of a virtual machine's data points.
fn attributes(vm: &VmState, label: &str) -> Vec<KeyValue> {
    let uuid = vm.identity().and_then(|identity| identity.uuid.as_deref());
    let id = match uuid {
        Some(uuid) => naming::text(uuid),
        None => naming::text(&vm.vm.endpoint.to_string()),
    };
    vec![text("vmstats.vm.name", label), text("vmstats.vm.id", &id)]
}

/// Adds whether a virtual machine answered.
fn up(metrics: &mut BTreeMap<String, Metric>, vm: &VmState, attributes: &[KeyValue], now: u64) {
    let mut attributes = attributes.to_vec();
    if let Some((reason, _)) = &vm.failure {
        attributes.push(text("vmstats.reason", reason.name()));
    }
    let metric = metrics
        .entry("vmstats.vm.up".to_owned())
        .or_insert_with_key(|name| Metric {
            name: name.clone(),
            description: "1 if the virtual machine answered in time, else 0".to_owned(),
            data: Some(Data::Gauge(Gauge::default())),
            ..Metric::default()
        });
    if let Some(Data::Gauge(gauge)) = &mut metric.data {
        gauge.data_points.push(NumberDataPoint {
            attributes,
            time_unix_nano: now,
            value: Some(Number::AsInt(i64::from(vm.failure.is_none()))),
            ..NumberDataPoint::default()
        });
    }
}

/// Adds a point. Returns `None` if it has no number.
fn add(
    metrics: &mut BTreeMap<String, Metric>,
    plans: &Plans,
    point: &VmPoint<'_>,
    read: &Read,
    attributes: &[KeyValue],
) -> Option<()> {
    let column = point.column;
    let description = plans.catalog.description(&column.metric)?;
    let exposed = Point::new(&point.value).with_sum(point.sum.as_ref());
    let reading = plans.catalog.read(&column.metric, &exposed).ok()?;
    let (provider, target) = (column.provider.name(), column.target.name());
    let name = format!("vmstats.{provider}.{target}.{}", column.metric.base_name());
    let metric = metrics.entry(name).or_insert_with_key(|name| Metric {
        name: name.clone(),
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
    let time_unix_nano = read.at.0;
    let start_time_unix_nano = read.started.unwrap_or_default();
    match (&mut metric.data, reading) {
        (
            Some(Data::Sum(Sum { data_points, .. }) | Data::Gauge(Gauge { data_points })),
            Reading::Number { value, integer },
        ) => {
            // The protocol's integers end at 2^63.
            let integer = integer.and_then(|integer| i64::try_from(integer).ok());
            data_points.push(NumberDataPoint {
                attributes,
                start_time_unix_nano,
                time_unix_nano,
                value: Some(integer.map_or(Number::AsDouble(value), Number::AsInt)),
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
                start_time_unix_nano,
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

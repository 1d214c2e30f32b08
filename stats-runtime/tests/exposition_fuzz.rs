//! Names and values that nobody would choose never make an invalid line.

#![cfg(feature = "exposition")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use qapi_stats::stats::{
    StatsProvider, StatsSchema, StatsSchemaValue, StatsTarget, StatsType, StatsUnit, StatsValue,
};
use stats_runtime::exposition::{Catalog, Format, Object, Options, Point};

/// The texts that the strict parser reads.
const TEXTS: usize = 300;

/// The ends of names that mean something.
const ENDS: &[&str] = &[
    "", "_total", "_sum", "_ns", "_bucket", "_count", "_created", "_seconds", "-hist",
];

/// Names that become alike, end like those of samples, or break a line.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => ("[xy]", prop::sample::select(ENDS)).prop_map(|(name, end)| format!("{name}{end}")),
        1 => prop::sample::select(&["", "a\nb 1", "# EOF", "\"", "\\", "é\0", "up{x=\"y\"} 1"][..])
            .prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn described() -> impl Strategy<Value = StatsSchemaValue> {
    let type_ = prop_oneof![
        Just(StatsType::Cumulative),
        Just(StatsType::Instant),
        Just(StatsType::Peak),
        Just(StatsType::LinearHistogram),
        Just(StatsType::Log2Histogram),
        name().prop_map(|name| StatsType::Unknown(name.into())),
    ];
    let unit = prop_oneof![
        Just(None),
        Just(Some(StatsUnit::Seconds)),
        Just(Some(StatsUnit::Bytes)),
        Just(Some(StatsUnit::Boolean)),
        name().prop_map(|unit| Some(StatsUnit::Unknown(unit.into()))),
    ];
    let base = prop::option::of(prop_oneof![Just(2i8), Just(10), any::<i8>()]);
    let exponent = prop_oneof![Just(0i16), Just(-9), -30..30i16, any::<i16>()];
    let width = prop::option::of(prop_oneof![Just(1u32), any::<u32>()]);
    (name(), type_, unit, base, exponent, width).prop_map(
        |(name, type_, unit, base, exponent, width)| {
            StatsSchemaValue::new(&*name, type_)
                .in_unit(unit)
                .scaled(base, exponent)
                .with_bucket_size(width)
        },
    )
}

fn value() -> impl Strategy<Value = StatsValue> {
    prop_oneof![
        any::<u64>().prop_map(StatsValue::Scalar),
        any::<bool>().prop_map(StatsValue::Boolean),
        vec(prop_oneof![0..9u64, any::<u64>()], 0..70).prop_map(StatsValue::List),
    ]
}

fn object() -> impl Strategy<Value = Object> {
    prop_oneof![
        Just(Object::Only),
        (0..3u64).prop_map(Object::Vcpu),
        name().prop_map(Object::Path),
    ]
}

/// A virtual machine: its schema, and values for each statistic.
type Machine = (String, StatsSchema, Vec<(Object, StatsValue)>);

fn machine() -> impl Strategy<Value = Machine> {
    let target = prop_oneof![
        Just(StatsTarget::Vm),
        Just(StatsTarget::Vcpu),
        name().prop_map(|name| StatsTarget::Unknown(name.into())),
    ];
    let provider = prop_oneof![Just("kvm".to_owned()), name()];
    let schema = (provider, target, vec(described(), 0..8));
    (any::<String>(), schema, vec((object(), value()), 1..4)).prop_map(
        |(name, (provider, target, stats), values)| {
            let schema = StatsSchema {
                provider: StatsProvider::Unknown(provider.into()),
                target,
                stats,
            };
            (name, schema, values)
        },
    )
}

/// The text of machines, in which every statistic has each of the values.
fn text(format: Format, machines: &[Machine]) -> String {
    let mut catalog = Catalog::new(&Options::new());
    let mut families: BTreeMap<usize, String> = BTreeMap::new();
    for (number, (name, schema, values)) in machines.iter().enumerate() {
        // Two machines of one name are told apart by the caller.
        let vm = format!("{number}{name}");
        let labels = Options::new().label("vm", vm).unwrap();
        let mut seen = BTreeSet::new();
        for metric in catalog.describe(schema) {
            for (object, value) in values {
                if seen.insert(format!("{} {object:?}", metric.family())) {
                    let sum = StatsValue::Scalar(7);
                    let sum = metric.sum_statistic().map(|_| &sum);
                    let point = Point::new(value).with_sum(sum).created_at(1);
                    let out = families.entry(metric.family()).or_default();
                    // A value of another type has no line.
                    let _ = catalog.write(out, format, &metric, &labels, object, &point);
                }
            }
        }
    }
    let mut text = String::new();
    for (family, lines) in families {
        if !lines.is_empty() {
            text += &catalog.metadata(format, family);
            text += &lines;
        }
    }
    if format == Format::OpenMetrics {
        text += Catalog::END;
    }
    text
}

/// Checks a line of a sample, and returns its name with its labels.
fn check_sample(line: &str) -> &str {
    let is_name = |name: &str| {
        let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        name.bytes().all(is_valid) && !name.starts_with(|first: char| first.is_ascii_digit())
    };
    let (series, value) = line.rsplit_once(' ').unwrap();
    let is_number = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    assert!(
        !value.is_empty() && value.bytes().all(is_number),
        "{line:?}"
    );
    let (name, labels) = series.split_once('{').unwrap();
    assert!(is_name(name), "{line:?}");
    let mut rest = labels;
    loop {
        let (label, value) = rest.split_once("=\"").unwrap();
        assert!(is_name(label), "{line:?}");
        let mut is_escaped = false;
        let end = value.char_indices().find(|(_, character)| match character {
            _ if is_escaped => {
                assert!("\\\"n".contains(*character), "{line:?}");
                is_escaped = false;
                false
            }
            '\\' => {
                is_escaped = true;
                false
            }
            character => *character == '"',
        });
        let (_, after) = value.split_at(end.unwrap().0 + 1);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => {
                assert_eq!(after, "}", "{line:?}");
                return series;
            }
        }
    }
}

proptest! {
    #[test]
    fn every_line_is_valid_when_names_and_values_are_not(machines in vec(machine(), 0..5)) {
        for format in [Format::OpenMetrics, Format::Prometheus] {
            let text = text(format, &machines);
            prop_assert!(text.is_empty() || text.ends_with('\n'));
            let mut families = BTreeSet::new();
            let mut samples = BTreeSet::new();
            for line in text.split_terminator('\n') {
                if let Some(family) = line.strip_prefix("# TYPE ") {
                    let (name, _) = family.split_once(' ').unwrap();
                    prop_assert!(families.insert(name.to_owned()), "{line:?}");
                } else if !line.starts_with("# HELP ")
                    && !line.starts_with("# UNIT ")
                    && line != "# EOF"
                {
                    prop_assert!(samples.insert(check_sample(line)), "{line:?}");
                }
            }
        }
    }
}

/// Reads texts that NUL separates.
const READ: &str = "
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read
for text in sys.stdin.buffer.read().decode().split('\\0')[:-1]:
    try:
        list(read(text))
    except Exception as error:
        sys.exit(f'{error!r}\\n{text}')
";

#[test]
fn strict_parser_reads_what_odd_names_make() {
    let python = std::env::var("PROMETHEUS_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let is_there = Command::new(&python)
        .args(["-c", "import prometheus_client.openmetrics.parser"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !is_there {
        return skip::because("prometheus_client is not installed");
    }
    let mut runner = TestRunner::deterministic();
    let mut input = String::new();
    for _ in 0..TEXTS {
        let machines = vec(machine(), 1..5)
            .new_tree(&mut runner)
            .unwrap()
            .current();
        let text = text(Format::OpenMetrics, &machines);
        // A label may have a NUL, which here separates texts.
        input += &text.replace('\0', "");
        input.push('\0');
    }
    let mut child = Command::new(&python)
        .args(["-c", READ])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

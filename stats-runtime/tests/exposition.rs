//! The texts for Prometheus, read by programs that know the formats.

#![cfg(feature = "exposition")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::io::Write as _;
use std::process::{Command, Stdio};

use qapi_stats::stats::{
    Stats, StatsResult, StatsSchemaValue, StatsTarget, StatsType, StatsUnit, StatsValue,
};
use stats_runtime::exposition::{Exposition, Format, OmittedReason, Options};
use stats_runtime::sink::{add_stats_entry, add_stats_schema};
use stats_runtime::{
    Provider, ProviderError, Registration, Registry, SchemaSink, StatsQuery, StatsSink,
};

/// A provider of the statistics of one target.
struct Table {
    target: StatsTarget,
    schema: Vec<StatsSchemaValue>,
    results: Vec<(Option<&'static str>, Vec<Stats>)>,
    vcpus: Vec<String>,
}

impl Provider for Table {
    fn query(&self, query: &StatsQuery<'_>, sink: &mut dyn StatsSink) -> Result<(), ProviderError> {
        if *query.target() == self.target {
            for (path, stats) in &self.results {
                add_stats_entry(sink, *path, stats);
            }
        }
        Ok(())
    }

    fn schemas(&self, sink: &mut dyn SchemaSink) -> Result<(), ProviderError> {
        add_stats_schema(sink, self.target.clone(), &self.schema);
        Ok(())
    }

    fn vcpus(&self) -> Vec<(u64, String)> {
        (0..).zip(self.vcpus.iter().cloned()).collect()
    }
}

fn table(target: impl Into<StatsTarget>, schema: &[StatsSchemaValue]) -> Table {
    Table {
        target: target.into(),
        schema: schema.to_vec(),
        results: Vec::new(),
        vcpus: Vec::new(),
    }
}

impl Table {
    fn result(mut self, path: Option<&'static str>, stats: &[(&str, StatsValue)]) -> Self {
        let stats = stats.iter().map(|(name, value)| Stats {
            name: (*name).to_owned(),
            value: value.clone(),
        });
        self.results.push((path, stats.collect()));
        self
    }

    fn register(self, registry: &Registry, name: &str) {
        let registration = Registration::new().only_when_named();
        registry.register_with(name, self, registration).unwrap();
    }
}

fn stat(name: &str, type_: StatsType, unit: Option<StatsUnit>, exponent: i16) -> StatsSchemaValue {
    StatsSchemaValue::new(name, type_)
        .in_unit(unit)
        .scaled((exponent != 0).then_some(10), exponent)
}

/// Returns a registry with each kind of statistic, and with names that need to be
/// escaped.
fn registry() -> Registry {
    use StatsType::{Cumulative, Instant, LinearHistogram, Log2Histogram, Peak};
    use StatsUnit::{Boolean, Bytes, Cycles, Seconds};
    use StatsValue::{List, Scalar};
    let registry = Registry::new();
    let mut linear = stat("sizes", LinearHistogram, None, 0);
    linear.bucket_size = Some(500);
    let kvm = [
        stat("exits", Cumulative, None, 0),
        stat("halt_wait_ns", Cumulative, Some(Seconds), -9),
        stat("halt_wait_hist", Log2Histogram, Some(Seconds), -9),
        stat("guest_mode", Instant, Some(Boolean), 0),
        stat("deepest", Peak, Some(Cycles), 3),
    ];
    let vcpu = |exits: u64| {
        [
            ("exits", Scalar(exits)),
            ("halt_wait_ns", Scalar(18_446_744_073_709_551_615)),
            ("halt_wait_hist", List(vec![4, 3, 2, 1])),
            ("guest_mode", StatsValue::Boolean(true)),
            ("deepest", Scalar(12)),
        ]
    };
    let mut kvm = table("vcpu", &kvm)
        .result(Some("/machine/unattached/device[2]"), &vcpu(u64::MAX))
        .result(Some("/machine/unattached/device[0]"), &vcpu(7));
    kvm.vcpus = [
        "/machine/unattached/device[0]",
        "/machine/unattached/device[2]",
    ]
    .map(str::to_owned)
    .to_vec();
    kvm.register(&registry, "kvm");
    let schema = [
        linear,
        stat("sizes-sum", Cumulative, None, 0),
        stat("read-bytes", Cumulative, Some(Bytes), 0),
        stat(
            "lowest-latency-us",
            StatsType::Unknown("trough".into()),
            Some(Seconds),
            -6,
        ),
        stat("fill", Instant, None, -2),
    ];
    table("block", &schema)
        .result(
            Some("/machine/\"a\\b\nc\""),
            &[
                ("sizes", List(vec![0, 5, 4])),
                ("sizes-sum", Scalar(4100)),
                ("read-bytes", Scalar(9_007_199_254_740_993)),
                ("lowest-latency-us", Scalar(17)),
                ("fill", Scalar(42)),
            ],
        )
        .register(&registry, "com.example.block");
    registry
}

const OPEN_METRICS: &str = r#"# TYPE vmstats_kvm_vcpu_halt_wait_hist_seconds histogram
# UNIT vmstats_kvm_vcpu_halt_wait_hist_seconds seconds
# HELP vmstats_kvm_vcpu_halt_wait_hist_seconds kvm vcpu halt_wait_hist (log2-histogram, 10^-9 seconds)
vmstats_kvm_vcpu_halt_wait_hist_seconds_bucket{vm="w\\\"\n",vcpu="1",le="0.0"} 1
vmstats_kvm_vcpu_halt_wait_hist_seconds_bucket{vm="w\\\"\n",vcpu="1",le="1e-09"} 3
vmstats_kvm_vcpu_halt_wait_hist_seconds_bucket{vm="w\\\"\n",vcpu="1",le="3e-09"} 6
vmstats_kvm_vcpu_halt_wait_hist_seconds_bucket{vm="w\\\"\n",vcpu="1",le="+Inf"} 10
vmstats_kvm_vcpu_halt_wait_hist_seconds_count{vm="w\\\"\n",vcpu="1"} 10
vmstats_kvm_vcpu_halt_wait_hist_seconds_sum{vm="w\\\"\n",vcpu="1"} 18446744073.709551615
vmstats_kvm_vcpu_halt_wait_hist_seconds_bucket{vm="w\\\"\n",vcpu="0",le="0.0"} 1
vmstats_kvm_vcpu_halt_wait_hist_seconds_bucket{vm="w\\\"\n",vcpu="0",le="1e-09"} 3
vmstats_kvm_vcpu_halt_wait_hist_seconds_bucket{vm="w\\\"\n",vcpu="0",le="3e-09"} 6
vmstats_kvm_vcpu_halt_wait_hist_seconds_bucket{vm="w\\\"\n",vcpu="0",le="+Inf"} 10
vmstats_kvm_vcpu_halt_wait_hist_seconds_count{vm="w\\\"\n",vcpu="0"} 10
vmstats_kvm_vcpu_halt_wait_hist_seconds_sum{vm="w\\\"\n",vcpu="0"} 18446744073.709551615
# TYPE vmstats_kvm_vcpu_exits counter
# HELP vmstats_kvm_vcpu_exits kvm vcpu exits (cumulative)
vmstats_kvm_vcpu_exits_total{vm="w\\\"\n",vcpu="1"} 18446744073709551615
vmstats_kvm_vcpu_exits_total{vm="w\\\"\n",vcpu="0"} 7
# TYPE vmstats_kvm_vcpu_halt_wait_seconds counter
# UNIT vmstats_kvm_vcpu_halt_wait_seconds seconds
# HELP vmstats_kvm_vcpu_halt_wait_seconds kvm vcpu halt_wait_ns (cumulative, 10^-9 seconds)
vmstats_kvm_vcpu_halt_wait_seconds_total{vm="w\\\"\n",vcpu="1"} 18446744073.709551615
vmstats_kvm_vcpu_halt_wait_seconds_total{vm="w\\\"\n",vcpu="0"} 18446744073.709551615
# TYPE vmstats_kvm_vcpu_guest_mode gauge
# HELP vmstats_kvm_vcpu_guest_mode kvm vcpu guest_mode (instant, boolean)
vmstats_kvm_vcpu_guest_mode{vm="w\\\"\n",vcpu="1"} 1
vmstats_kvm_vcpu_guest_mode{vm="w\\\"\n",vcpu="0"} 1
# TYPE vmstats_kvm_vcpu_deepest_cycles gauge
# UNIT vmstats_kvm_vcpu_deepest_cycles cycles
# HELP vmstats_kvm_vcpu_deepest_cycles kvm vcpu deepest (peak, 10^3 cycles)
vmstats_kvm_vcpu_deepest_cycles{vm="w\\\"\n",vcpu="1"} 12000
vmstats_kvm_vcpu_deepest_cycles{vm="w\\\"\n",vcpu="0"} 12000
# TYPE vmstats_com_example_block_block_sizes histogram
# HELP vmstats_com_example_block_block_sizes com.example.block block sizes (linear-histogram)
vmstats_com_example_block_block_sizes_bucket{vm="w\\\"\n",qom_path="/machine/\"a\\b\nc\"",le="499.0"} 4
vmstats_com_example_block_block_sizes_bucket{vm="w\\\"\n",qom_path="/machine/\"a\\b\nc\"",le="999.0"} 9
vmstats_com_example_block_block_sizes_bucket{vm="w\\\"\n",qom_path="/machine/\"a\\b\nc\"",le="+Inf"} 9
vmstats_com_example_block_block_sizes_count{vm="w\\\"\n",qom_path="/machine/\"a\\b\nc\""} 9
vmstats_com_example_block_block_sizes_sum{vm="w\\\"\n",qom_path="/machine/\"a\\b\nc\""} 4100
# TYPE vmstats_com_example_block_block_read_bytes counter
# UNIT vmstats_com_example_block_block_read_bytes bytes
# HELP vmstats_com_example_block_block_read_bytes com.example.block block read-bytes (cumulative, bytes)
vmstats_com_example_block_block_read_bytes_total{vm="w\\\"\n",qom_path="/machine/\"a\\b\nc\""} 9007199254740993
# TYPE vmstats_com_example_block_block_lowest_latency_seconds unknown
# UNIT vmstats_com_example_block_block_lowest_latency_seconds seconds
# HELP vmstats_com_example_block_block_lowest_latency_seconds com.example.block block lowest-latency-us (trough, 10^-6 seconds)
vmstats_com_example_block_block_lowest_latency_seconds{vm="w\\\"\n",qom_path="/machine/\"a\\b\nc\""} 0.000017
# TYPE vmstats_com_example_block_block_fill gauge
# HELP vmstats_com_example_block_block_fill com.example.block block fill (instant, 10^-2)
vmstats_com_example_block_block_fill{vm="w\\\"\n",qom_path="/machine/\"a\\b\nc\""} 0.42
# EOF
"#;

fn exposition() -> Exposition {
    let options = Options::new().label("vm", "w\\\"\n").unwrap();
    Exposition::of(&registry(), &options).unwrap()
}

#[test]
fn text_has_all_statistics_with_exact_numbers() {
    let exposition = exposition();
    assert_eq!(exposition.omitted(), []);
    let text = exposition.to_text(Format::OpenMetrics);
    for (line, expected) in text.lines().zip(OPEN_METRICS.lines()) {
        assert_eq!(line, expected);
    }
    assert_eq!(text, OPEN_METRICS);
    let mut written = Vec::new();
    exposition
        .write_to(Format::OpenMetrics, &mut written)
        .unwrap();
    assert_eq!(written, text.as_bytes());
}

#[test]
fn old_text_names_counters_in_full_and_always_counts() {
    let registry = Registry::new();
    let schema = [
        stat("exits", StatsType::Cumulative, None, 0),
        stat("hist", StatsType::Log2Histogram, None, 0),
        stat("odd", StatsType::Unknown("odd".into()), None, 0),
    ];
    let values = [
        ("exits", StatsValue::Scalar(1)),
        ("hist", StatsValue::Scalar(3)),
        ("odd", StatsValue::Scalar(5)),
    ];
    table("vm", &schema)
        .result(None, &values)
        .register(&registry, "own");
    let options = Options::new().prefix("vmm").unwrap();
    let exposition = Exposition::of(&registry, &options).unwrap();
    assert_eq!(
        exposition.to_text(Format::Prometheus),
        "# TYPE vmm_own_vm_hist histogram\n\
         # HELP vmm_own_vm_hist own vm hist (log2-histogram)\n\
         vmm_own_vm_hist_bucket{le=\"+Inf\"} 3\n\
         vmm_own_vm_hist_count 3\n\
         # TYPE vmm_own_vm_exits_total counter\n\
         # HELP vmm_own_vm_exits_total own vm exits (cumulative)\n\
         vmm_own_vm_exits_total 1\n\
         # TYPE vmm_own_vm_odd untyped\n\
         # HELP vmm_own_vm_odd own vm odd (odd)\n\
         vmm_own_vm_odd 5\n"
    );
    let open_metrics = exposition.to_text(Format::OpenMetrics);
    assert!(!open_metrics.contains("_count"), "{open_metrics}");
}

/// The values of one object, by name.
type Values<'a> = &'a [(&'a str, StatsValue)];

/// Returns the statistics that are left out, as `name: reason`.
fn omitted(
    schema: &[StatsSchemaValue],
    results: &[(Option<&'static str>, Values<'_>)],
) -> Vec<(String, OmittedReason)> {
    let registry = Registry::new();
    let mut own = table("vm", schema);
    for (path, values) in results {
        own = own.result(*path, values);
    }
    own.register(&registry, "own");
    let exposition = Exposition::of(&registry, &Options::new()).unwrap();
    let omitted = exposition.omitted().iter();
    omitted
        .map(|omitted| (omitted.statistic.clone(), omitted.reason.clone()))
        .collect()
}

#[test]
fn statistics_without_a_metric_are_listed_with_the_reason() {
    use OmittedReason::{Buckets, Exponent, NameTaken, NotDescribed, ObjectTwice, WrongValue};
    use StatsType::{Cumulative, Instant, LinearHistogram, Log2Histogram};
    use StatsValue::{Boolean, List, Scalar};
    let one = |stat: StatsSchemaValue, value: StatsValue| {
        let name = stat.name.clone();
        omitted(&[stat], &[(None, &[(&name, value)])])
    };
    let left_out = |reason| vec![("x".to_owned(), reason)];
    let plain = |type_| stat("x", type_, None, 0);
    assert_eq!(one(plain(Instant), Scalar(1)), []);
    assert_eq!(one(plain(Instant), List(vec![1, 2])), left_out(WrongValue));
    assert_eq!(one(plain(Cumulative), Boolean(true)), left_out(WrongValue));
    assert_eq!(one(plain(Log2Histogram), List(vec![])), left_out(Buckets));
    assert_eq!(one(plain(Log2Histogram), List(vec![0; 66])), []);
    assert_eq!(
        one(plain(Log2Histogram), List(vec![0; 67])),
        left_out(Buckets)
    );
    assert_eq!(
        one(plain(LinearHistogram), List(vec![0; 2])),
        left_out(Buckets)
    );
    assert_eq!(
        one(stat("x", Instant, None, 65), Scalar(1)),
        left_out(Exponent)
    );
    let mut odd_base = stat("x", Instant, None, 1);
    odd_base.base = Some(3);
    assert_eq!(one(odd_base, Scalar(1)), left_out(Exponent));

    let twice: &[(&str, StatsValue)] = &[("x", Scalar(1))];
    assert_eq!(
        omitted(
            &[plain(Instant)],
            &[(Some("/a"), twice), (Some("/a"), twice)]
        ),
        left_out(ObjectTwice)
    );
    assert_eq!(omitted(&[], &[(None, twice)]), left_out(NotDescribed));
    assert_eq!(
        omitted(
            &[
                stat("read-ops", Cumulative, None, 0),
                stat("read_ops", Instant, None, 0)
            ],
            &[]
        ),
        [(
            "read_ops".to_owned(),
            NameTaken("own vm read-ops".to_owned())
        )]
    );
    // Samples of the counter `a` may be called `a_created`.
    assert_eq!(
        omitted(
            &[
                stat("a_created", Instant, None, 0),
                stat("a", Cumulative, None, 0)
            ],
            &[]
        ),
        [("a".to_owned(), NameTaken("own vm a_created".to_owned()))]
    );
}

#[test]
fn names_of_different_providers_may_not_become_one_metric() {
    let registry = Registry::new();
    let schema = [stat("x", StatsType::Instant, None, 0)];
    let value: &[(&str, StatsValue)] = &[("x", StatsValue::Scalar(1))];
    table("b_c", &schema)
        .result(None, value)
        .register(&registry, "a");
    table("c", &schema)
        .result(None, value)
        .register(&registry, "a_b");
    let exposition = Exposition::of(&registry, &Options::new()).unwrap();
    assert_eq!(
        exposition
            .to_text(Format::Prometheus)
            .matches("vmstats_a_b_c_x 1\n")
            .count(),
        1
    );
    let omitted = &exposition.omitted()[0];
    assert_eq!(
        omitted.to_string(),
        "the statistic 'x' of the provider 'a_b' for 'c' has no metric: its metric would have the \
         name of 'a b_c x'"
    );
}

#[test]
fn result_is_an_error_when_a_provider_fails_and_is_not_skipped() {
    let failing = |registration| {
        let registry = Registry::new();
        let broken = |_: &StatsQuery<'_>, _: &mut dyn StatsSink| Err(ProviderError::new("broken"));
        registry
            .add_stats_callbacks("broken", broken, |sink: &mut dyn SchemaSink| {
                sink.schema(StatsTarget::Vm);
                Ok(())
            })
            .unwrap();
        let inner = registry.clone();
        let outer = Registry::new();
        outer
            .register_with("outer", Nested(inner), registration)
            .unwrap();
        Exposition::of(&outer, &Options::new())
            .map(|exposition| exposition.to_text(Format::OpenMetrics))
    };
    assert!(failing(Registration::new()).is_err());
    assert_eq!(
        failing(Registration::new().skip_when_failing()).unwrap(),
        "# EOF\n"
    );
}

/// A provider that answers with another registry.
struct Nested(Registry);

impl Provider for Nested {
    fn query(&self, _: &StatsQuery<'_>, sink: &mut dyn StatsSink) -> Result<(), ProviderError> {
        let filter = qapi_stats::stats::StatsFilter {
            target: qapi_stats::stats::StatsFilterBranch::Vm,
            providers: None,
        };
        for StatsResult {
            qom_path, stats, ..
        } in self.0.query(&filter)?
        {
            add_stats_entry(sink, qom_path.as_deref(), &stats);
        }
        Ok(())
    }

    fn schemas(&self, sink: &mut dyn SchemaSink) -> Result<(), ProviderError> {
        sink.schema(StatsTarget::Vm);
        Ok(())
    }
}

/// Runs a program with a text as its input, and returns whether the program could
/// be started. Fails if the program does not accept the text.
fn is_accepted_by(program: &str, arguments: &[&str], text: &str) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped());
    let Ok(mut child) = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
    else {
        return false;
    };
    let mut input = child.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {said}\n{text}");
    true
}

/// Reads OpenMetrics with the parser of the project Prometheus, and prints each
/// value again.
const READ: &str = "
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read
families = list(read(sys.stdin.read()))
names = [family.name for family in families]
assert len(set(names)) == len(names) == 9, names
samples = {(s.name, s.labels.get('vcpu'), s.labels.get('le')): s for f in families for s in f.samples}
assert samples[('vmstats_kvm_vcpu_exits_total', '1', None)].value == 2**64 - 1
sample = samples[('vmstats_kvm_vcpu_halt_wait_hist_seconds_bucket', '0', '3e-09')]
assert sample.value == 6 and sample.labels['vm'] == 'w\\\\\"\\n', sample
";

#[test]
fn strict_parser_reads_open_metrics() {
    let python = std::env::var("PROMETHEUS_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let is_there = Command::new(&python)
        .args(["-c", "import prometheus_client.openmetrics.parser"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !is_there {
        return skip::because("prometheus_client is not installed");
    }
    let text = exposition().to_text(Format::OpenMetrics);
    assert!(is_accepted_by(&python, &["-c", READ], &text));
}

#[test]
fn promtool_accepts_the_old_text() {
    let text = exposition().to_text(Format::Prometheus);
    if !is_accepted_by("promtool", &["check", "metrics"], &text) {
        skip::because("promtool is not installed");
    }
}

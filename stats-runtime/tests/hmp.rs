//! The human monitor, line by line.

#![cfg(feature = "hmp")]
#![allow(clippy::unwrap_used, reason = "tests")]

use qapi::stats::{StatsProvider, StatsSchemaValue, StatsTarget, StatsType, StatsUnit};
use stats_runtime::host::{Host, Vcpu};
use stats_runtime::{Registry, hmp};

struct TwoVcpus;

impl Host for TwoVcpus {
    fn vcpus(&self) -> Vec<Vcpu> {
        (0..2)
            .map(|index| Vcpu {
                index,
                qom_path: format!("/vcpu/{index}"),
            })
            .collect()
    }
}

fn stat(name: &str, type_: StatsType, unit: Option<StatsUnit>, exponent: i16) -> StatsSchemaValue {
    let base = (exponent != 0).then_some(10);
    StatsSchemaValue {
        name: name.to_owned(),
        type_,
        unit,
        base,
        exponent,
        bucket_size: None,
    }
}

fn registry() -> Registry {
    let registry = Registry::new();
    registry
        .add_stats_callbacks(
            StatsProvider::Kvm,
            |query, sink| {
                if *query.target() == StatsTarget::Vcpu {
                    for index in [1, 0] {
                        sink.result(Some(&format!("/vcpu/{index}")));
                        sink.histogram("halt", &[1, 2, 3]);
                        sink.boolean("guest_mode", index == 1);
                        sink.scalar("exits", 40 + index);
                    }
                }
                Ok(())
            },
            |sink| {
                sink.schema(StatsTarget::Vcpu);
                sink.stat(&stat(
                    "halt",
                    StatsType::Log2Histogram,
                    Some(StatsUnit::Seconds),
                    -9,
                ));
                sink.stat(&stat(
                    "guest_mode",
                    StatsType::Instant,
                    Some(StatsUnit::Boolean),
                    0,
                ));
                sink.stat(&stat("exits", StatsType::Cumulative, None, 0));
                Ok(())
            },
        )
        .unwrap();
    registry
}

fn check(line: &str, cpu_index: Option<i64>, expected: &[&str]) {
    let expected: String = expected.iter().map(|line| format!("{line}\r\n")).collect();
    assert_eq!(
        hmp::execute(&registry(), &TwoVcpus, line, cpu_index).unwrap(),
        expected,
        "{line}"
    );
}

#[test]
fn info_stats() {
    check(
        "info stats vcpu",
        None,
        &[
            "provider: kvm",
            "    halt (log2-histogram, ns): [1]=3 [2]=2 [3]=1 ",
            "    guest_mode (instant, boolean): no",
            "    exits (cumulative): 40",
        ],
    );
    check(
        "info stats vcpu exits",
        Some(1),
        &["provider: kvm", "    exits (cumulative): 41"],
    );
    check(
        "info stats vcpu exits,guest_mode kvm",
        None,
        &[
            "    guest_mode (instant, boolean): no",
            "    exits (cumulative): 40",
        ],
    );
    check(
        "info stats vcpu * kvm",
        None,
        &[
            "    halt (log2-histogram, ns): [1]=3 [2]=2 [3]=1 ",
            "    guest_mode (instant, boolean): no",
            "    exits (cumulative): 40",
        ],
    );
    for nothing in [
        "info stats vm",
        "info stats vcpu nosuch",
        "info stats vcpu ,",
        "",
        "  ",
    ] {
        check(nothing, None, &[]);
    }
}

#[test]
fn what_is_wrong_with_a_line() {
    let usage = "Try \"help info stats\" for more information";
    check("info stats", None, &["stats: string expected", usage]);
    check("info stats \"vm", None, &["stats: string expected", usage]);
    check("info stats VM", None, &["invalid stats target VM"]);
    check("info stats \"\"", None, &["invalid stats target "]);
    check("info stats vm a, b", None, &["invalid stats provider b"]);
    check("info stats zz * xyz", None, &["invalid stats target zz"]);
    check(
        "info stats vm * kvm extra",
        None,
        &["stats: extraneous characters at the end of line", usage],
    );
    check("nosuch a b", None, &["unknown command: 'nosuch'"]);
    check("info nosuch", None, &["unknown command: 'info nosuch'"]);
    check("help nosuch", None, &["unknown command: 'nosuch'"]);
    check(
        "help info nosuch",
        None,
        &["unknown command: 'info nosuch'"],
    );
    let error = hmp::execute(&registry(), &TwoVcpus, "info stats vm", Some(2)).unwrap_err();
    assert_eq!(error.desc(), "Parameter 'cpu-index' expects a CPU number");
}

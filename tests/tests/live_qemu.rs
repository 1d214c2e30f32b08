//! Against a real QEMU under KVM: what it says of the kernel's statistics is
//! what we say, and our client can ask it.

#![cfg(target_arch = "x86_64")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use qapi::stats::commands::{QueryStats, QueryStatsSchemas};
use qapi::stats::{
    StatsFilter, StatsFilterBranch, StatsProvider, StatsResult, StatsSchema, StatsVCPUFilter,
    StatsValue,
};
use stats_runtime::Registry;
use vmstats::client::Client;
use vmstats::endpoint::Endpoint;
use vmstats::guest::{Guest, GuestConfig};

/// A running QEMU, ended by its process id.
struct Qemu(Child);

impl Drop for Qemu {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a QEMU with two vCPUs; `None`, with the reason printed, where there
/// is no QEMU or no KVM.
fn qemu(socket: &Path) -> Option<Qemu> {
    if let Err(error) = File::options().read(true).write(true).open("/dev/kvm") {
        println!("skipped: /dev/kvm cannot be opened: {error}");
        return None;
    }
    let qmp = format!("unix:{},server=on,wait=off", socket.display());
    let child = Command::new("qemu-system-x86_64")
        .args([
            "-accel",
            "kvm",
            "-machine",
            "pc",
            "-smp",
            "2",
            "-m",
            "32",
            "-nodefaults",
        ])
        .args(["-display", "none", "-name", "test", "-qmp", &qmp])
        .stdin(Stdio::null())
        .spawn();
    match child {
        Ok(child) => Some(Qemu(child)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!("skipped: QEMU is not installed");
            None
        }
        Err(error) => panic!("QEMU does not start: {error}"),
    }
}

fn connect(socket: &Path) -> Client {
    let endpoint = Endpoint::Unix(socket.to_owned());
    let begin = Instant::now();
    loop {
        match Client::connect(&endpoint, Duration::from_secs(10)) {
            Ok(client) => return client,
            Err(error) if begin.elapsed() > Duration::from_secs(20) => panic!("{error}"),
            Err(_) => thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn filter(target: StatsFilterBranch) -> StatsFilter {
    StatsFilter {
        target,
        providers: None,
    }
}

fn vcpu() -> StatsFilterBranch {
    StatsFilterBranch::Vcpu(StatsVCPUFilter { vcpus: None })
}

/// What KVM's statistics mean, as text that can be compared.
fn meanings(schemas: &[StatsSchema]) -> BTreeSet<String> {
    schemas
        .iter()
        .filter(|schema| schema.provider == StatsProvider::Kvm)
        .flat_map(|schema| {
            schema
                .stats
                .iter()
                .map(|stat| format!("{} {stat:?}", schema.target))
        })
        .collect()
}

/// How many values each statistic has.
fn sizes(results: &[StatsResult]) -> BTreeMap<String, usize> {
    let size = |value: &StatsValue| match value {
        StatsValue::List(values) => values.len(),
        StatsValue::Scalar(_) | StatsValue::Boolean(_) => 1,
    };
    let stats = results.iter().flat_map(|result| &result.stats);
    stats
        .map(|stat| (stat.name.clone(), size(&stat.value)))
        .collect()
}

fn names(results: &[StatsResult]) -> Vec<&str> {
    results[0]
        .stats
        .iter()
        .map(|stat| stat.name.as_str())
        .collect()
}

#[test]
fn qemu_and_we_say_the_same_of_this_kernel() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("qmp.sock");
    let Some(_qemu) = qemu(&socket) else { return };
    let mut client = connect(&socket);

    let guest = Guest::boot(GuestConfig {
        vcpus: 2,
        running: 2,
    })
    .unwrap();
    let registry = Registry::new();
    registry
        .register(StatsProvider::Kvm, guest.provider().clone())
        .unwrap();

    let theirs = client
        .execute(&QueryStatsSchemas { provider: None })
        .unwrap();
    let ours = registry.schemas(None).unwrap();
    assert!(!meanings(&theirs).is_empty());
    assert_eq!(meanings(&ours), meanings(&theirs));
    let targets = |schemas: &[StatsSchema]| {
        schemas
            .iter()
            .map(|schema| schema.target.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(targets(&ours), targets(&theirs)[..ours.len()]);

    for target in [StatsFilterBranch::Vm, vcpu()] {
        let theirs = client.execute(&QueryStats(filter(target.clone()))).unwrap();
        let ours = registry.query(&filter(target)).unwrap();
        assert_eq!(sizes(&ours), sizes(&theirs));
        // The order is the contract's, which is QEMU's.
        assert_eq!(names(&ours), names(&theirs));
        assert_eq!(ours.len(), theirs.len());
    }
    guest.stop().unwrap();
}

#[test]
fn our_client_can_ask_qemu() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("qmp.sock");
    let Some(_qemu) = qemu(&socket) else { return };
    let mut client = connect(&socket);
    assert!(client.version().qemu.major > 6);
    let results = client.execute(&QueryStats(filter(vcpu()))).unwrap();
    assert_eq!(results.len(), 2);
    assert!(results.iter().all(|result| result.qom_path.is_some()));
    let refused = client.execute(&QueryStatsSchemas {
        provider: Some("xyz".parse().unwrap()),
    });
    assert_eq!(
        refused.unwrap_err().to_string(),
        "the server refuses: Parameter 'provider' does not accept value 'xyz'"
    );
    // The connection is still good.
    assert_eq!(
        client
            .execute(&QueryStats(filter(StatsFilterBranch::Vm)))
            .unwrap()
            .len(),
        1
    );
}

//! Against a real QEMU under KVM: what it says of the kernel's statistics is
//! what we say, our client can ask it, and it refuses and hides what we do.

#![cfg(target_arch = "x86_64")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]
#![allow(
    deprecated,
    reason = "deprecated things are sent to see what becomes of them"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use demo_guest::{Guest, GuestConfig};
use qapi_stats::stats::commands::{QueryStats, QueryStatsSchemas};
use qapi_stats::stats::{
    StatsFilter, StatsFilterBranch, StatsProvider, StatsResult, StatsSchema, StatsVCPUFilter,
    StatsValue,
};
use qapi_wire::command::{Call, CommandSet, Request};
use qapi_wire::compat::Policy;
use qapi_wire::{Context, Document, Error, ErrorClass, Value, Writer};
use stats_runtime::Registry;
use tests::qemu_7_2::Dispatcher;
use tests::qemu_7_2::qemu_7_2::commands::{
    Eject, MigrateSetCapabilities, NbdServerRemove, ObjectAdd, QueryMigrateParameters, Transaction,
    XQueryRoms,
};
use tests::qemu_7_2::qemu_7_2::{
    self as part, Abort, AbortWrapper, HumanReadableText, MigrationCapability,
    MigrationCapabilityStatus, MigrationParameters, ObjectOptions, ObjectOptionsBranch,
    SecretProperties, TransactionAction, TransactionActionBranch,
};
use vmstats::client::{Client, ClientError};
use vmstats::endpoint::Endpoint;

/// A running QEMU, ended by its process id.
struct Qemu(Child);

impl Drop for Qemu {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a QEMU with two vCPUs and further options; `None`, with the reason
/// printed, where there is no QEMU or no KVM.
fn qemu(socket: &Path, options: &[&str]) -> Option<Qemu> {
    if let Err(error) = File::options().read(true).write(true).open("/dev/kvm") {
        skip::because(format_args!("/dev/kvm cannot be opened: {error}"));
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
        .args(options)
        .stdin(Stdio::null())
        .spawn();
    match child {
        Ok(child) => Some(Qemu(child)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            skip::because("QEMU is not installed");
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
fn schemas_equal_qemus_on_this_kernel() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("qmp.sock");
    let Some(_qemu) = qemu(&socket, &[]) else {
        return;
    };
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
fn client_gets_statistics_from_qemu() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("qmp.sock");
    let Some(_qemu) = qemu(&socket, &[]) else {
        return;
    };
    let mut client = connect(&socket);
    assert!(client.version().major > 6);
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

/// Succeeds with everything that the part of QEMU's interface has.
struct Part;

impl part::Commands for Part {
    fn nbd_server_remove(&self, _: NbdServerRemove) -> Result<(), Error> {
        Ok(())
    }
    fn eject(&self, _: Eject) -> Result<(), Error> {
        Ok(())
    }
    fn x_query_roms(&self) -> Result<HumanReadableText, Error> {
        Ok(HumanReadableText {
            human_readable_text: String::new(),
        })
    }
    fn migrate_set_capabilities(&self, _: MigrateSetCapabilities) -> Result<(), Error> {
        Ok(())
    }
    fn query_migrate_parameters(&self) -> Result<MigrationParameters, Error> {
        Ok(MigrationParameters {
            x_checkpoint_delay: Some(1),
        })
    }
    fn transaction(&self, _: Transaction) -> Result<(), Error> {
        Ok(())
    }
    fn object_add(&self, _: ObjectOptions) -> Result<(), Error> {
        Ok(())
    }
}

/// What we answer to a request.
fn ours<R: Request>(request: &R, policy: Policy) -> Result<Value, Error> {
    let mut text = Vec::new();
    Writer::new(&mut text).members(request);
    let arguments = Document::parse(&text)?;
    let context = Context::strict().with_policy(policy);
    let mut reply = Vec::new();
    let call = Call {
        name: R::INFO.name,
        arguments: arguments.root(),
        context: &context,
    };
    Dispatcher(Part).execute(call, &mut Writer::new(&mut reply).with_policy(policy))?;
    Ok(qapi_wire::json::parse(&reply)?)
}

/// What we and QEMU answer to a request that the policy refuses.
#[track_caller]
fn refused<R: Request>(client: &mut Client, policy: Policy, request: &R) -> String {
    let ours = ours(request, policy).unwrap_err();
    match client.execute_raw(request) {
        Err(ClientError::Refused(theirs)) => assert_eq!(ours, theirs),
        other => panic!("{other:?}"),
    }
    let is_command = ours.desc().contains(" command ");
    assert_eq!(is_command, *ours.class() == ErrorClass::CommandNotFound);
    ours.desc().to_owned()
}

#[test]
fn policy_refuses_and_hides_the_same_as_qemus() {
    let compat = "deprecated-input=reject,unstable-input=reject,unstable-output=hide";
    let policy: Policy = compat.parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("qmp.sock");
    let Some(_qemu) = qemu(&socket, &["-compat", compat]) else {
        return;
    };
    let mut client = connect(&socket);
    if (client.version().major, client.version().minor) != (7, 2) {
        skip::because("other things are deprecated in this QEMU than in 7.2");
        return;
    }
    let descs = [
        refused(
            &mut client,
            policy,
            &NbdServerRemove {
                name: "n".to_owned(),
            },
        ),
        refused(&mut client, policy, &XQueryRoms {}),
        refused(
            &mut client,
            policy,
            &Eject {
                device: Some("d".to_owned()),
                id: None,
            },
        ),
        refused(
            &mut client,
            policy,
            &MigrateSetCapabilities {
                capabilities: vec![MigrationCapabilityStatus {
                    capability: MigrationCapability::XIgnoreShared,
                    state: true,
                }],
            },
        ),
        refused(
            &mut client,
            policy,
            &Transaction {
                actions: vec![TransactionAction {
                    type_: TransactionActionBranch::DriveBackup(AbortWrapper { data: Abort {} }),
                }],
            },
        ),
        refused(
            &mut client,
            policy,
            &ObjectAdd(ObjectOptions {
                qom_type: ObjectOptionsBranch::Secret(SecretProperties {
                    loaded: Some(true),
                    data: Some("d".to_owned()),
                }),
                id: "s".to_owned(),
            }),
        ),
    ];
    assert_eq!(
        descs,
        [
            "Deprecated command nbd-server-remove disabled by policy",
            "Unstable command x-query-roms disabled by policy",
            "Deprecated parameter device disabled by policy",
            "Unstable value x-ignore-shared disabled by policy",
            "Deprecated value drive-backup disabled by policy",
            "Deprecated parameter loaded disabled by policy",
        ]
    );

    let delay = |reply: &Value| {
        reply
            .as_object()
            .unwrap()
            .get("x-checkpoint-delay")
            .is_some()
    };
    let query = QueryMigrateParameters {};
    assert!(!delay(
        &client.execute_raw(&query).unwrap().value().to_value()
    ));
    assert!(!delay(&ours(&query, policy).unwrap()));
    let socket = folder.path().join("other.sock");
    let Some(_other) = qemu(&socket, &[]) else {
        return;
    };
    let mut other = connect(&socket);
    assert!(delay(
        &other.execute_raw(&query).unwrap().value().to_value()
    ));
    assert!(delay(&ours(&query, Policy::ACCEPT).unwrap()));
}

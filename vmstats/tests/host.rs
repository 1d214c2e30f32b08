//! `vmstats host` with VMMs that hand over and die, with hostile ones, and with a service
//! manager that starts it again.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod hosting;
mod program;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hosting::{
    Host, PATIENCE, is_closed, kvm_files, made_up, made_up_vm, names, query, send, set, wait,
    wait_until_served,
};
use kvm_stats::Writer;
use program::{RawClient, Running, kvm_opens};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendFlags, SocketAddrUnix, SocketType, sendmsg,
};
use serde_json::{Value, json};
use stats_handover::{Handover, connect};
use tempfile::TempDir;

#[test]
fn guest_is_served_with_the_numbers_of_its_monitor() {
    if !kvm_opens() {
        return;
    }
    let host = Host::start(&[]);
    let handover = host.handover();
    let guest = program::Server::demo(&["--handover", handover.to_str().unwrap()]).unwrap();
    let served = host.socket("tried");
    wait_until_served(&served);
    for target in ["vm", "vcpu"] {
        let flat = |answer: Vec<Value>| {
            let mut numbers = Vec::new();
            for result in answer {
                let path = result["qom-path"].to_string();
                for stat in result["stats"].as_array().unwrap() {
                    let name = format!("{path} {}", stat["name"]);
                    match &stat["value"] {
                        Value::Array(buckets) => {
                            for (bucket, value) in buckets.iter().enumerate() {
                                numbers.push((format!("{name} {bucket}"), value.as_u64()));
                            }
                        }
                        value => numbers.push((name, value.as_u64())),
                    }
                }
            }
            numbers
        };
        let before = flat(query(&guest.socket, target));
        let ours = flat(query(&served, target));
        let after = flat(query(&guest.socket, target));
        assert_eq!(before.len(), ours.len());
        assert!(!ours.is_empty());
        for ((before, ours), after) in before.iter().zip(&ours).zip(&after) {
            assert_eq!(before.0, ours.0);
            // Counters only grow; gauges of the VM do not move in this guest.
            if target == "vcpu" || before.1 == after.1 {
                assert!(
                    before.1 <= ours.1 && ours.1 <= after.1,
                    "{before:?} {ours:?} {after:?}"
                );
            }
        }
    }
    assert_eq!(kvm_files(host.pid()), 3);
    drop(guest);
    wait("dropped", || host.names().is_empty(), || host.log());
    wait("closed", || kvm_files(host.pid()) == 0, || host.log());
}

#[test]
fn vm_changes_when_its_vmm_says_so() {
    let host = Host::start(&[]);
    let mut handover = made_up_vm("web1", 2);
    handover
        .set_uuid("4f9f0a2e-9b5c-4b7e-8a55-0d6f3f6f2f11")
        .unwrap();
    handover.give(connect(host.handover()).unwrap()).unwrap();
    let socket = host.socket("web1");
    wait_until_served(&socket);
    let mut client = RawClient::connect(&socket);
    let uuid = client.ask("{'execute': 'query-uuid'}");
    assert_eq!(
        uuid["return"]["UUID"],
        "4f9f0a2e-9b5c-4b7e-8a55-0d6f3f6f2f11"
    );
    let indexes = |client: &mut RawClient| {
        let vcpus = client.ask("{'execute': 'query-cpus-fast'}");
        let vcpus = vcpus["return"].as_array().unwrap().clone();
        vcpus
            .iter()
            .map(|vcpu| vcpu["cpu-index"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(indexes(&mut client), [0, 1]);
    let (disk, _) = made_up("block-disk0");
    handover.remove_vcpu(0).unwrap();
    handover
        .add_vcpu_fd(7, "/machine/peripheral/cpu7", disk.try_clone_fd().unwrap())
        .unwrap();
    handover
        .add_object("block", "/machine/disk0", disk.try_clone_fd().unwrap())
        .unwrap();
    wait(
        "changed",
        || query(&socket, "vcpu")[0]["qom-path"] == "/machine/peripheral/cpu7",
        || host.log(),
    );
    assert_eq!(indexes(&mut client), [1, 7]);
    let block = json!({
        "execute": "query-stats",
        "arguments": {"target": "block", "providers": [{"provider": "block"}]},
    });
    let of_block = |client: &mut RawClient| client.ask(&block.to_string())["return"].clone();
    wait_for(&mut client, |client| {
        of_block(client)[0]["qom-path"] == "/machine/disk0"
    });
    handover.remove_object("block", "/machine/disk0").unwrap();
    wait_for(&mut client, |client| {
        of_block(client).as_array().is_none_or(Vec::is_empty)
    });
    drop(handover);
    wait("dropped", || host.names().is_empty(), || host.log());
    assert!(client.read().is_none(), "the client is disconnected");
}

/// Waits until a client sees something.
fn wait_for(client: &mut RawClient, mut is_true: impl FnMut(&mut RawClient) -> bool) {
    let begin = Instant::now();
    while !is_true(client) {
        assert!(begin.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn hostile_vmm_is_refused_with_the_reason_when_others_are_served() {
    let host = Host::start(&[]);
    let mut good = made_up_vm("good", 1);
    good.give(connect(host.handover()).unwrap()).unwrap();
    let socket = host.socket("good");
    wait_until_served(&socket);

    let (pipe, _writer) = rustix::pipe::pipe().unwrap();
    let growing = rustix::fs::memfd_create("growing", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    let null = OwnedFd::from(fs::File::open("/dev/null").unwrap());
    let folder = OwnedFd::from(fs::File::open(host.folder.path()).unwrap());
    let (stream, _other) = UnixStream::pair().unwrap();
    let stream = OwnedFd::from(stream);
    let (writer, _) = made_up("kvm-1/vcpu-0");
    let lying = sealed(&lying_image());
    let shorter = sealed(&[0; 24]);
    let pidfd = rustix::process::pidfd_open(
        rustix::process::getpid(),
        rustix::process::PidfdFlags::empty(),
    )
    .unwrap();
    let vm = "stats-handover/1\nvm\n";
    let cases: &[(&str, &[BorrowedFd<'_>], &str)] = &[
        (vm, &[pipe.as_fd()], "file 0 is pipe:["),
        (vm, &[growing.as_fd()], "file 0 is /memfd:growing"),
        (vm, &[null.as_fd()], "file 0 is /dev/null"),
        (vm, &[folder.as_fd()], "file 0 is "),
        (vm, &[stream.as_fd()], "file 0 is socket:["),
        (vm, &[pidfd.as_fd()], "the file of 'vm' is a process"),
        (vm, &[lying.as_fd()], "descriptors"),
        (vm, &[shorter.as_fd()], "header"),
        (vm, &[], "no file is left"),
        (
            vm,
            &[writer.as_fd(), writer.as_fd()],
            "files without a statement: 1",
        ),
        (
            "stats-handover/2\nvm\n",
            &[writer.as_fd()],
            "stats-handover/2",
        ),
        ("", &[writer.as_fd()], "stats-handover/1"),
        ("stats-handover/1\nstop vm\n", &[], "not a statement"),
        (
            "stats-handover/1\nremove vm\n",
            &[],
            "has no statistics file",
        ),
        ("stats-handover/1\nremove vcpu 3\n", &[], "no such vCPU"),
        (
            "stats-handover/1\nvcpu 5000 /a\n",
            &[writer.as_fd()],
            "5000",
        ),
        (
            "stats-handover/1\nobject kvm /a\n",
            &[writer.as_fd()],
            "reserved",
        ),
        (
            "stats-handover/1\nname a\x1b[2J\n",
            &[],
            "control character",
        ),
    ];
    for (text, files, reason) in cases {
        let before = host.log().len();
        let connection = connect(host.handover()).unwrap();
        send(&connection, text, files);
        wait(reason, || is_closed(&connection), || host.log());
        let log = host.log().split_off(before);
        assert!(log.contains(reason), "{reason}: {log}");
        assert!(!log.contains('\x1b'), "{log}");
        assert_eq!(host.names(), set(&["good"]));
    }
    // All that came has been closed again.
    let files = fs::read_dir(format!("/proc/{}/fd", host.pid()))
        .unwrap()
        .count();
    for _ in 0..100 {
        let connection = connect(host.handover()).unwrap();
        send(&connection, vm, &[pipe.as_fd()]);
        wait("refused", || is_closed(&connection), || host.log());
    }
    assert_eq!(
        fs::read_dir(format!("/proc/{}/fd", host.pid()))
            .unwrap()
            .count(),
        files
    );
    assert_eq!(query(&socket, "vcpu").len(), 1);
}

/// A sealed file with these contents.
fn sealed(contents: &[u8]) -> OwnedFd {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
    let file = memfd_create("made-up", MemfdFlags::ALLOW_SEALING).unwrap();
    rustix::io::write(&file, contents).unwrap();
    fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW).unwrap();
    file
}

/// A header that promises descriptors which are not there.
fn lying_image() -> Vec<u8> {
    let words: [u32; 6] = [0, 48, 4096, 24, 64, 1 << 20];
    let mut image: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    image.resize(4096, b'x');
    image
}

#[test]
fn host_goes_on_when_an_inspector_is_killed_and_ends_when_none_is_left() {
    let mut host = Host::start(&[]);
    let children = format!("/proc/{pid}/task/{pid}/children", pid = host.pid());
    let children = fs::read_to_string(children).unwrap();
    let mut children = children.split_whitespace().map(|pid| pid.parse().unwrap());
    let end = |pid: u32| {
        kill(pid);
        let state = || fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        wait("ended", || state().contains(") Z "), state);
    };
    for name in ["first", "second", "third"] {
        end(children.next_back().unwrap());
        let mut handover = made_up_vm(name, 1);
        handover.give(connect(host.handover()).unwrap()).unwrap();
        let socket = host.socket(name);
        wait(
            "served",
            || UnixStream::connect(&socket).is_ok(),
            || host.log(),
        );
        drop(handover);
    }
    end(children.next_back().unwrap());
    // The host looks at this connection, unless it has looked at the end of the third already.
    let _connection = connect(host.handover()).map(|connection| send(&connection, "", &[]));
    // A service manager starts it again.
    assert_eq!(host.program.0.wait().unwrap().code(), Some(1));
    assert!(
        host.log().contains("every inspector was ended"),
        "{}",
        host.log()
    );
}

#[test]
fn vmm_is_refused_when_the_descriptions_of_its_statistics_take_too_much_memory() {
    let host = Host::start(&[]);
    let mut good = made_up_vm("good", 1);
    good.give(connect(host.handover()).unwrap()).unwrap();
    wait_until_served(&host.socket("good"));
    let vms = (0..8).map(|vm| {
        let mut large = Handover::new("large").unwrap();
        for provider in 0..60 {
            let name = format!("p{vm}-{provider}");
            let counters = (0..400).map(|number| format!("{name}-a-statistic-{number}"));
            let writer = Writer::builder(name.clone());
            let writer = counters.fold(writer, |writer, name| writer.counter(name));
            let file = writer.build().unwrap().try_clone_fd().unwrap();
            large.add_object(&name, "/a", file).unwrap();
        }
        // The host closes the connection of one that it refuses.
        let _ = large.give(connect(host.handover()).unwrap());
        large
    });
    let _vms: Vec<Handover> = vms.collect();
    host.wait_for_log("with all that share them");
    let status = fs::read_to_string(format!("/proc/{}/status", host.pid())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(kib < 100 << 10, "{line}");
    assert_eq!(query(&host.socket("good"), "vcpu").len(), 1);
}

#[test]
fn user_is_refused_when_its_files_would_leave_none_for_others() {
    let host = Host::limited_to_files(200);
    let mut good = made_up_vm("good", 90);
    good.give(connect(host.handover()).unwrap()).unwrap();
    let socket = host.socket("good");
    wait_until_served(&socket);
    let mut second = made_up_vm("second", 20);
    second.give(connect(host.handover()).unwrap()).unwrap();
    host.wait_for_log("may have 100 files");
    assert_eq!(host.names(), set(&["good"]));
    assert_eq!(query(&socket, "vcpu").len(), 90);
}

#[test]
fn values_are_what_the_vmm_writes_when_it_writes_lies() {
    let host = Host::start(&[]);
    let (writer, exits) = made_up("kvm-1/vcpu-0");
    let mut handover = Handover::new("liar").unwrap();
    handover
        .add_vcpu_fd(0, "/a", writer.try_clone_fd().unwrap())
        .unwrap();
    handover.give(connect(host.handover()).unwrap()).unwrap();
    let socket = host.socket("liar");
    wait_until_served(&socket);
    for value in [u64::MAX, 0, 1 << 63] {
        exits.set(value);
        let vcpu = &query(&socket, "vcpu")[0];
        let mut stats = vcpu["stats"].as_array().unwrap().iter();
        let exits = stats.find(|stat| stat["name"] == "exits").unwrap();
        assert_eq!(exits["value"].as_u64(), Some(value), "{exits}");
    }
}

#[test]
fn vmm_that_floods_is_read_later_when_others_are_served_at_once() {
    let host = Host::start(&["--vms-per-user-max", "40"]);
    let mut good = made_up_vm("good", 1);
    good.give(connect(host.handover()).unwrap()).unwrap();
    let socket = host.socket("good");
    wait_until_served(&socket);
    // A flood of connections that say nothing.
    let idle: Vec<_> = (0..60).map(|_| connect(host.handover()).unwrap()).collect();
    host.wait_for_log("has 40 VMs already (--vms-per-user-max)");
    let refused = || {
        idle.iter()
            .filter(|connection| is_closed(connection))
            .count()
    };
    wait("refused", || refused() >= 20, || refused().to_string());
    // A flood of packets, which is slowed down.
    drop(idle);
    let flooding: Vec<OwnedFd> = (0..35).map(|_| admitted(&host.handover())).collect();
    let flood = thread::spawn(move || {
        let begin = Instant::now();
        let text = [IoSlice::new(b"stats-handover/1\nname flood\n")];
        let mut sent = 0;
        while begin.elapsed() < Duration::from_secs(4) {
            for connection in &flooding {
                let mut control = SendAncillaryBuffer::default();
                let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
                if sendmsg(connection, &text, &mut control, flags).is_ok() {
                    sent += 1;
                }
            }
            thread::sleep(Duration::from_micros(200));
        }
        sent
    });
    let begin = Instant::now();
    let mut slowest = Duration::ZERO;
    while begin.elapsed() < Duration::from_secs(4) {
        let asked = Instant::now();
        assert_eq!(query(&socket, "vcpu").len(), 1);
        slowest = slowest.max(asked.elapsed());
        thread::sleep(Duration::from_millis(10));
    }
    let sent = flood.join().unwrap();
    println!("{sent} packets in 4 s; the slowest answer: {slowest:?}");
    assert!(sent > 10_000, "{sent}: an honest burst is read at once");
    // Each VMM may send 1,024 and 50 a second, but all of the user's together 16,384 and 1,000
    // a second; some 300 wait in each socket.
    assert!(sent < 16_384 + 6_000 + 35 * 350, "{sent}");
}

/// A connection that the host has admitted. It has an ordinary buffer, so that few packets
/// wait.
fn admitted(socket: &Path) -> OwnedFd {
    let address = SocketAddrUnix::new(socket).unwrap();
    loop {
        let connection =
            rustix::net::socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
        rustix::net::connect(&connection, &address).unwrap();
        thread::sleep(Duration::from_millis(10));
        if !is_closed(&connection) {
            return connection;
        }
    }
}

#[test]
fn metrics_of_all_vms_are_served_when_there_is_an_address() {
    let host = Host::start(&["--listen", "127.0.0.1:0"]);
    let get = || host.metrics();
    let none = get();
    assert!(
        none.contains("vmstats_place_sockets") && !none.contains("vmstats_vm_up{"),
        "{none}"
    );
    let mut first = made_up_vm("first", 2);
    first.give(connect(host.handover()).unwrap()).unwrap();
    let mut second = made_up_vm("second", 1);
    second.give(connect(host.handover()).unwrap()).unwrap();
    wait(
        "served",
        || host.names() == set(&["first", "second"]),
        || host.log(),
    );
    // A collection that began a moment ago is shared.
    thread::sleep(Duration::from_millis(150));
    let text = get();
    let value = |metric: &str, vm: &str| {
        let line = text
            .lines()
            .find(|line| line.starts_with(metric) && line.contains(vm));
        line.unwrap_or_else(|| panic!("{metric} {vm}: {text}"))
            .rsplit(' ')
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(value("vmstats_vm_up{", "first"), "1");
    assert_eq!(value("vmstats_vm_up{", "second"), "1");
    assert_eq!(value("vmstats_kvm_vcpus_exits_total{", "first"), "14");
    assert_eq!(value("vmstats_kvm_vcpus_exits_total{", "second"), "7");
    drop(first);
    wait(
        "dropped",
        || host.names() == set(&["second"]),
        || host.log(),
    );
    thread::sleep(Duration::from_millis(150));
    assert!(!get().contains("first"));
}

#[test]
fn host_keeps_no_right_that_it_does_not_need() {
    let host = Host::start(&[]);
    let status = |pid: u32| fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let children = format!("/proc/{pid}/task/{pid}/children", pid = host.pid());
    let children = fs::read_to_string(children).unwrap();
    let children: Vec<u32> = children
        .split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect();
    assert_eq!(children.len(), 4);
    let is_confined = |pid: u32| {
        let status = status(pid);
        status.contains("\nSeccomp:\t2\n") && status.contains("\nNoNewPrivs:\t1\n")
    };
    for pid in children.into_iter().chain([host.pid()]) {
        wait("confined", || is_confined(pid), || status(pid));
    }
    let second = Command::new(env!("CARGO_BIN_EXE_vmstats"))
        .args(["host", "--folder"])
        .arg(host.path())
        .output()
        .unwrap();
    assert!(!second.status.success());
    assert!(program::stderr(&second).contains("another vmstats host"));
}

/// A host that a service manager starts again when it ends.
struct Managed {
    folder: TempDir,
    manager: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    /// The host's process.
    pid: u32,
}

impl Managed {
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/host/manager.py");
        let manager = Command::new("python3")
            .arg(script)
            .arg(folder.path())
            .args([env!("CARGO_BIN_EXE_vmstats"), "host", "--folder"])
            .arg(folder.path().join("host"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut manager) = manager else {
            skip::because("python3 is not installed");
            return None;
        };
        let mut managed = Self {
            stdin: manager.stdin.take(),
            stdout: BufReader::new(manager.stdout.take().unwrap()),
            folder,
            manager,
            pid: 0,
        };
        managed.wait_until_ready();
        Some(managed)
    }

    fn wait_until_ready(&mut self) {
        loop {
            let mut line = String::new();
            assert!(
                self.stdout.read_line(&mut line).unwrap() > 0,
                "the manager has ended"
            );
            if let Some(rest) = line.strip_prefix("ready ") {
                self.pid = rest.split_whitespace().next().unwrap().parse().unwrap();
                return;
            }
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("host")
    }

    fn handover(&self) -> PathBuf {
        self.path().join("handover.sock")
    }

    /// Kills the host, and waits until the next one is ready.
    fn kill(&mut self) {
        kill(self.pid);
        self.wait_until_ready();
    }
}

impl Drop for Managed {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.manager.wait();
    }
}

fn kill(pid: u32) {
    let status = Command::new("kill").args(["-9", &pid.to_string()]).status();
    assert!(status.unwrap().success());
}

/// A VMM without a monitor: a process of its own, which can be killed.
struct Vmm(#[expect(dead_code, reason = "dropping it ends the process")] Running);

impl Vmm {
    fn start(name: &str, handover: &Path) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_vmstats"))
            .args([
                "demo",
                "--hold",
                "--vcpus",
                "2",
                "--running",
                "1",
                "--name",
                name,
            ])
            .arg("--handover")
            .arg(handover)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self(Running(child))
    }
}

/// The number of times that something is killed: 1,000 by hand.
fn kills() -> u32 {
    let kills = std::env::var("HOST_KILLS").ok();
    kills.map_or(25, |kills| kills.parse().unwrap())
}

#[test]
fn vms_are_those_that_live_when_vmms_and_the_host_are_killed() {
    if !kvm_opens() {
        return;
    }
    let Some(mut host) = Managed::start() else {
        return;
    };
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % 1_000_003).unwrap() % below
    };
    let mut vmms: Vec<(String, Vmm)> = Vec::new();
    let mut started = 0;
    let mut host_kills = 0;
    for _ in 0..kills() {
        while vmms.len() < 6 {
            started += 1;
            let name = format!("vm{started}");
            vmms.push((name.clone(), Vmm::start(&name, &host.handover())));
            let socket = host.path().join(format!("vms/{name}.sock"));
            wait_until_served(socket.to_str().unwrap());
        }
        match next(3) {
            0 => {
                host.kill();
                host_kills += 1;
            }
            1 => drop(vmms.swap_remove(next(6))),
            _ => {
                // Both at once: the VMM ends while nobody serves it.
                let (_, vmm) = vmms.swap_remove(next(6));
                kill(host.pid);
                drop(vmm);
                host.wait_until_ready();
                host_kills += 1;
            }
        }
        let expected: BTreeSet<String> = vmms.iter().map(|(name, _)| name.clone()).collect();
        wait(
            "the VMs that live",
            || names(&host.path()) == expected,
            || format!("{:?} instead of {expected:?}", names(&host.path())),
        );
        for name in &expected {
            let socket = host.path().join(format!("vms/{name}.sock"));
            let vcpus = query(socket.to_str().unwrap(), "vcpu");
            assert_eq!(vcpus.len(), 2, "{name}");
        }
        let files = || kvm_files(host.pid);
        wait(
            "closed",
            || files() == 3 * expected.len(),
            || files().to_string(),
        );
    }
    println!(
        "{started} VMMs, {host_kills} of {} kills were the host's",
        kills()
    );
}

#[test]
fn thousand_vms_are_served_and_scraped() {
    let vms: u32 = match std::env::var("HOST_VMS") {
        Ok(vms) => vms.parse().unwrap(),
        Err(_) => 200,
    };
    let host = Host::start(&["--listen", "127.0.0.1:0"]);
    rustix::process::setrlimit(
        rustix::process::Resource::Nofile,
        rustix::process::Rlimit {
            current: Some(u64::from(vms) * 8 + 512),
            maximum: rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum,
        },
    )
    .unwrap();
    let begin = Instant::now();
    let handovers: Vec<Handover> = (0..vms)
        .map(|number| {
            let mut handover = made_up_vm(&format!("vm{number}"), 4);
            handover.give(connect(host.handover()).unwrap()).unwrap();
            handover
        })
        .collect();
    let count = usize::try_from(vms).unwrap();
    wait(
        "all",
        || host.names().len() == count,
        || host.names().len().to_string(),
    );
    let handed_over = begin.elapsed();
    let field = |name: &str| {
        let status = fs::read_to_string(format!("/proc/{}/status", host.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    let idle = field("VmRSS:");
    let begin = Instant::now();
    for number in 0..vms {
        assert_eq!(query(&host.socket(&format!("vm{number}")), "vcpu").len(), 4);
    }
    let asked = begin.elapsed();
    println!(
        "{vms} VMs of four vCPUs: handed over in {handed_over:?}, each asked in {asked:?} \
         altogether; {idle} KiB, then {} KiB, {} thread(s)",
        field("VmRSS:"),
        field("Threads:"),
    );
    // The loop, the closer, and the server of metrics, which has not been asked.
    assert_eq!(field("Threads:"), 3);
    let begin = Instant::now();
    let text = host.metrics();
    let scraped = begin.elapsed();
    let up = text
        .lines()
        .filter(|line| line.starts_with("vmstats_vm_up{") && line.ends_with(" 1"));
    assert_eq!(up.count(), count);
    println!("scraped in {scraped:?}; then {} KiB", field("VmRSS:"));
    drop(handovers);
    wait(
        "none",
        || host.names().is_empty(),
        || host.names().len().to_string(),
    );
}

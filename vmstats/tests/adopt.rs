//! `vmstats adopt` with real QEMUs: what it takes, and what it says it cannot have.
//!
//! The variable `QEMU_10` names a QEMU 10, and `QEMU_10_DATA` the folders with its firmware,
//! separated by colons.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod program;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use kvm_stats::{Kind, Stats};
use program::{Qemu, RawClient, Running, feed, kvm_opens, stderr, stdout, vmstats};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use serde_json::Value;
use stats_handover::receive::{Message, Packet, ReceiveError, Statement, prepare};

const UUID: &str = "4f9f0a2e-9b5c-4b7e-8a55-0d6f3f6f2f11";

/// The user without rights.
const NOBODY: u32 = 65534;

/// The bit of CAP_SYS_PTRACE.
const PTRACE: u64 = 1 << 19;

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(30), "{what}: not yet");
        thread::sleep(Duration::from_millis(20));
    }
}

fn is_readable(fd: BorrowedFd<'_>) -> bool {
    let now = Duration::ZERO.try_into().unwrap();
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    poll(&mut fds, Some(&now)).unwrap() > 0
}

/// Whether this process may take files of others, as `adopt` must; the reason is printed if
/// not.
fn may_take_files() -> bool {
    if !kvm_stats::keeps_vm_alive() {
        skip::because("this kernel does not keep a VM alive for its statistics files");
        return false;
    }
    let may = set("CapPrm", &status(std::process::id())) & PTRACE != 0;
    if !may {
        skip::because("this process has no CAP_SYS_PTRACE");
    }
    may
}

fn status(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/status")).unwrap()
}

/// A set of capabilities in the status of a process.
fn set(name: &str, status: &str) -> u64 {
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    let (_, digits) = line.split_once(":\t").unwrap();
    u64::from_str_radix(digits, 16).unwrap()
}

/// The program, adopting one process; ended when dropped.
fn adopt(socket: &Path, pid: u32) -> Running {
    let pid = pid.to_string();
    let program = Command::new(env!("CARGO_BIN_EXE_vmstats"))
        .args(["adopt", "--interval", "0.05", "--pid", &pid, "--socket"])
        .arg(socket)
        .spawn();
    Running(program.unwrap())
}

fn list(pid: u32) -> Output {
    vmstats(&["adopt", "--list", "--pid", &pid.to_string()], "")
}

/// A receiver of hand-overs.
struct Host(OwnedFd);

impl Host {
    fn listen(path: &Path) -> Self {
        let flags = SocketFlags::CLOEXEC;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None);
        let socket = socket.unwrap();
        prepare(socket.as_fd()).unwrap();
        let address = SocketAddrUnix::new(path).unwrap();
        rustix::net::bind(&socket, &address).unwrap();
        rustix::net::listen(&socket, 10).unwrap();
        Self(socket)
    }

    /// The next VM, when it has a vCPU.
    fn accept(&self) -> Vm {
        wait_until("a VM is handed over", || is_readable(self.0.as_fd()));
        let mut vm = Vm {
            connection: rustix::net::accept(&self.0).unwrap(),
            name: String::new(),
            uuid: None,
            vcpus: BTreeMap::new(),
            vm: None,
            process: None,
            has_ended: false,
        };
        vm.wait("a vCPU is given", |vm| !vm.vcpus.is_empty());
        vm
    }
}

/// What was handed over on one connection.
struct Vm {
    connection: OwnedFd,
    name: String,
    uuid: Option<String>,
    vcpus: BTreeMap<u32, OwnedFd>,
    vm: Option<OwnedFd>,
    process: Option<OwnedFd>,
    has_ended: bool,
}

impl Vm {
    fn wait(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        wait_until(what, || {
            self.receive();
            is_so(self)
        });
    }

    /// Applies all packets that have come.
    fn receive(&mut self) {
        while !self.has_ended {
            match Packet::receive(self.connection.as_fd()) {
                Ok(Some(packet)) => self.apply(packet),
                Ok(None) => self.has_ended = true,
                Err(ReceiveError::WouldBlock) => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn apply(&mut self, packet: Packet) {
        let mut files: Vec<_> = packet.files.into_iter().map(Some).collect();
        let message = Message::parse(&packet.text, files.len()).unwrap();
        for statement in message.statements {
            match statement {
                Statement::Name(name) => self.name = name.to_owned(),
                Statement::Uuid(uuid) => self.uuid = Some(uuid.to_owned()),
                Statement::Process { file } => self.process = files[file].take(),
                Statement::Vm { file } => self.vm = files[file].take(),
                Statement::Vcpu { index, path, file } => {
                    assert_eq!(path, format!("vcpu-{index}"));
                    self.vcpus.insert(index, files[file].take().unwrap());
                }
                Statement::RemoveVcpu { index } => assert!(self.vcpus.remove(&index).is_some()),
                other => panic!("{other:?}"),
            }
        }
    }

    fn has_process_ended(&self) -> bool {
        is_readable(self.process.as_ref().unwrap().as_fd())
    }

    /// The cumulative values of a vCPU by name, those of a histogram lowest bucket first.
    fn values(&self, vcpu: u32) -> BTreeMap<String, Vec<u64>> {
        let stats = Stats::new(self.vcpus[&vcpu].try_clone().unwrap()).unwrap();
        let mut values = stats.buffer();
        stats.read(&mut values).unwrap();
        let cumulative = [Kind::Cumulative, Kind::LinearHistogram, Kind::Log2Histogram];
        { values.iter() }
            .filter(|(statistic, _)| cumulative.contains(&statistic.kind()))
            .map(|(statistic, values)| (statistic.name().to_owned(), values.to_vec()))
            .collect()
    }
}

/// A QEMU 10 with two vCPUs, and room for a third.
struct Qemu10 {
    program: Running,
    monitor: RawClient,
}

impl Qemu10 {
    /// `None`, with the reason printed, where there is none, no KVM, or no right to take files.
    fn start(folder: &Path) -> Option<Self> {
        let Some(program) = std::env::var_os("QEMU_10") else {
            skip::because("QEMU 10 is not there: QEMU_10 names no program");
            return None;
        };
        if !kvm_opens() || !may_take_files() {
            return None;
        }
        let socket = folder.join("qemu-10.sock");
        let qmp = format!("unix:{},server=on,wait=off", socket.display());
        let mut command = Command::new(program);
        for data in std::env::var("QEMU_10_DATA").unwrap_or_default().split(':') {
            command.args(["-L", data]);
        }
        command
            .args(["-accel", "kvm", "-smp", "2,maxcpus=3", "-m", "32"])
            .args(["-nodefaults", "-display", "none", "-net", "none"])
            .args(["-name", "guest=a,,b,debug-threads=on", "-uuid", UUID])
            .args(["-qmp", &qmp])
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        let program = Running(command.spawn().unwrap());
        wait_until("QEMU listens", || program::listens(&socket));
        // The monitor serves one client, which is this one from now on.
        let monitor = RawClient::connect(socket.to_str().unwrap());
        Some(Self { program, monitor })
    }

    fn pid(&self) -> u32 {
        self.program.0.id()
    }

    /// Executes a command, and returns its result. Passes over events.
    fn execute(&mut self, command: &str) -> Value {
        self.monitor.send(command);
        loop {
            let mut reply = self.monitor.read().unwrap();
            if reply.get("event").is_none() {
                return reply["return"].take();
            }
        }
    }

    /// The names of the statistics that only grow, by the monitor's own schema.
    fn counters(&mut self) -> BTreeSet<String> {
        let schemas = self.execute("{'execute': 'query-stats-schemas'}");
        let schemas = schemas.as_array().unwrap();
        let vcpus = schemas
            .iter()
            .find(|schema| schema["target"] == "vcpu")
            .unwrap();
        let stats = vcpus["stats"].as_array().unwrap().iter();
        let grow = ["cumulative", "linear-histogram", "log2-histogram"];
        stats
            .filter(|stat| grow.contains(&stat["type"].as_str().unwrap()))
            .map(|stat| stat["name"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The monitor's own answer about a vCPU, in the form of [`Vm::values`].
    fn values(&mut self, vcpu: usize) -> BTreeMap<String, Vec<u64>> {
        let cpus = self.execute("{'execute': 'query-cpus-fast'}");
        let cpu = { cpus.as_array().unwrap().iter() }.find(|cpu| cpu["cpu-index"] == vcpu);
        let path = &cpu.unwrap()["qom-path"];
        let answer = self.execute(&format!(
            "{{'execute': 'query-stats', 'arguments': {{'target': 'vcpu', 'vcpus': [{path}]}}}}"
        ));
        values_of(&answer[0])
    }
}

/// The values of a result of `query-stats` by name, those of a histogram lowest bucket
/// first.
fn values_of(result: &Value) -> BTreeMap<String, Vec<u64>> {
    let mut values = BTreeMap::new();
    for statistic in result["stats"].as_array().unwrap() {
        let name = statistic["name"].as_str().unwrap().to_owned();
        let numbers: Vec<u64> = match &statistic["value"] {
            Value::Array(buckets) => {
                // QEMU's list begins with the highest bucket.
                let lowest_first = buckets.iter().rev();
                lowest_first
                    .map(|bucket| bucket.as_u64().unwrap())
                    .collect()
            }
            value => value.as_u64().into_iter().collect(),
        };
        values.insert(name, numbers);
    }
    values
}

/// Checks that cumulative values lie between those that were read around them. Returns the
/// number of histograms.
fn check_between(
    before: &BTreeMap<String, Vec<u64>>,
    ours: &BTreeMap<String, Vec<u64>>,
    after: &BTreeMap<String, Vec<u64>>,
) -> usize {
    let mut histograms = 0;
    assert!(ours.len() > 20, "{ours:?}");
    for (name, ours) in ours {
        let (before, after) = (&before[name], &after[name]);
        assert_eq!(
            (before.len(), after.len()),
            (ours.len(), ours.len()),
            "{name}"
        );
        for ((before, ours), after) in before.iter().zip(ours).zip(after) {
            assert!(
                before <= ours && ours <= after,
                "{name}: {before} {ours} {after}"
            );
        }
        histograms += usize::from(ours.len() > 1);
    }
    histograms
}

#[test]
fn counters_lie_between_the_monitors_answers_when_qemu_10_is_adopted() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut qemu) = Qemu10::start(folder.path()) else {
        return;
    };
    let socket = folder.path().join("handover.sock");
    let host = Host::listen(&socket);
    let _adopter = adopt(&socket, qemu.pid());
    let vm = host.accept();
    assert_eq!((&*vm.name, vm.uuid.as_deref()), ("a,b", Some(UUID)));
    assert_eq!(vm.vcpus.len(), 2);
    let mut histograms = 0;
    for vcpu in 0..2 {
        let before = qemu.values(vcpu);
        let ours = vm.values(vcpu.try_into().unwrap());
        let after = qemu.values(vcpu);
        histograms += check_between(&before, &ours, &after);
    }
    assert!(histograms > 1, "no histogram");
    assert!(vm.values(0)["exits"][0] > 0);
}

#[test]
fn host_shows_what_the_monitor_shows_when_qemu_10_is_adopted() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut qemu) = Qemu10::start(folder.path()) else {
        return;
    };
    let host = folder.path().join("host");
    let program = Command::new(env!("CARGO_BIN_EXE_vmstats"))
        .args(["host", "--folder"])
        .arg(&host)
        .spawn();
    let _host = Running(program.unwrap());
    let _adopter = adopt(&host.join("handover.sock"), qemu.pid());
    let socket = host.join("vms/a_b.sock");
    wait_until("QEMU is served", || program::listens(&socket));
    let mut client = RawClient::connect(socket.to_str().unwrap());
    assert_eq!(
        client.ask("{'execute': 'query-name'}")["return"]["name"],
        "a,b"
    );
    assert_eq!(
        client.ask("{'execute': 'query-uuid'}")["return"]["UUID"],
        UUID
    );
    let counters = qemu.counters();
    for vcpu in 0..2 {
        let before = qemu.values(vcpu);
        let query = format!(
            "{{'execute': 'query-stats', 'arguments': {{'target': 'vcpu', 'vcpus': ['vcpu-{vcpu}']}}}}"
        );
        let mut ours = values_of(&client.ask(&query)["return"][0]);
        let after = qemu.values(vcpu);
        ours.retain(|name, _| counters.contains(name));
        assert!(check_between(&before, &ours, &after) > 1, "no histogram");
    }
    drop(qemu);
    wait_until("QEMU is dropped", || !socket.exists());
}

#[test]
fn vcpu_is_given_when_it_is_plugged_into_qemu_10() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut qemu) = Qemu10::start(folder.path()) else {
        return;
    };
    let socket = folder.path().join("handover.sock");
    let host = Host::listen(&socket);
    let _adopter = adopt(&socket, qemu.pid());
    let mut vm = host.accept();
    assert_eq!(vm.vcpus.len(), 2);
    let slots = qemu.execute("{'execute': 'query-hotpluggable-cpus'}");
    let slot = { slots.as_array().unwrap().iter() }.find(|slot| slot.get("qom-path").is_none());
    let slot = slot.unwrap();
    let mut arguments = slot["props"].clone();
    arguments["driver"] = slot["type"].clone();
    arguments["id"] = "added".into();
    qemu.execute(&format!(
        "{{'execute': 'device_add', 'arguments': {arguments}}}"
    ));
    vm.wait("the third vCPU is given", |vm| vm.vcpus.contains_key(&2));
    assert!(!vm.has_ended && !vm.has_process_ended());
    assert!(vm.values(2).contains_key("exits"));
    drop(qemu);
    vm.wait("the hand-over ends", |vm| vm.has_ended);
    assert!(vm.has_process_ended());
}

#[test]
fn qemu_is_refused_with_a_reason_when_it_keeps_no_statistics_file() {
    let folder = tempfile::tempdir().unwrap();
    if !may_take_files() {
        return;
    }
    let old = Qemu::start(folder.path(), &["-uuid", UUID]);
    let Some(old) = old else { return };
    let mut said = String::new();
    wait_until("QEMU has vCPUs", || {
        said = stdout(&list(old.program.0.id()));
        !said.contains("no vCPU yet")
    });
    let is_old = said.contains("older than 8.1") && said.contains("tried");
    assert!(is_old && said.contains(UUID), "{said}");

    let folder = tempfile::tempdir().unwrap();
    let emulated = Qemu::on("tcg", folder.path(), &[]).unwrap();
    let pid = emulated.program.0.id();
    let said = stdout(&list(pid));
    assert!(said.contains("no KVM (TCG"), "{said}");
    let once = vmstats(&["adopt", "--once", "--pid", &pid.to_string()], "");
    let said = stderr(&once);
    assert!(!once.status.success());
    let told = said.matches("tried (process").count();
    assert!(told == 1 && said.contains("no KVM (TCG"), "{said}");
    assert!(said.contains("vmstats: no QEMU was adopted"), "{said}");
}

#[test]
fn selection_is_refused_when_it_has_no_qemu() {
    let own = std::process::id();
    for arguments in [&["--list"][..], &["--once"], &[]] {
        let pid = own.to_string();
        let output = vmstats(&[&["adopt", "--pid", &pid], arguments].concat(), "");
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        if kvm_stats::keeps_vm_alive() {
            assert!(said.contains("not a QEMU: its program is adopt"), "{said}");
        }
    }
}

/// A VM of this project whose program has a name of QEMU's, so that it is taken for one. It
/// keeps a file of the whole VM open, too.
struct Disguised {
    program: Running,
    /// Open, because the program ends when nobody reads what it prints.
    _stdout: BufReader<ChildStdout>,
    _folder: tempfile::TempDir,
}

impl Disguised {
    fn start() -> Option<Self> {
        if !kvm_opens() || !may_take_files() {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("qemu-system-demo");
        fs::copy(env!("CARGO_BIN_EXE_vmstats"), &program).unwrap();
        let mut child = Command::new(program)
            .args(["demo", "--hold", "--vcpus", "2"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut socket = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        // The vCPUs run when the path of the socket is printed.
        lines.read_line(&mut socket).unwrap();
        Some(Self {
            program: Running(child),
            _stdout: lines,
            _folder: folder,
        })
    }

    fn pid(&self) -> u32 {
        self.program.0.id()
    }
}

#[test]
fn files_are_given_again_when_the_host_restarts() {
    let Some(demo) = Disguised::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("handover.sock");
    // The host is not there yet.
    let _adopter = adopt(&socket, demo.pid());
    thread::sleep(Duration::from_millis(200));
    let host = Host::listen(&socket);
    let vm = host.accept();
    assert_eq!(vm.name, format!("qemu-{}", demo.pid()));
    assert!(vm.vcpus.len() == 2 && vm.vm.is_some() && vm.uuid.is_none());
    drop((host, vm));
    fs::remove_file(&socket).unwrap();
    let host = Host::listen(&socket);
    let mut vm = host.accept();
    assert!(vm.vcpus.len() == 2 && vm.vm.is_some());
    assert!(vm.values(0)["exits"][0] > 0);
    drop(demo);
    vm.wait("the hand-over ends", |vm| vm.has_ended);
}

#[test]
fn qemu_is_adopted_when_it_starts_after_the_adopter() {
    if !may_take_files() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("handover.sock");
    let host = Host::listen(&socket);
    let adopter = Command::new(env!("CARGO_BIN_EXE_vmstats"))
        .args(["adopt", "--interval", "0.05", "--socket"])
        .arg(&socket)
        .stderr(Stdio::null())
        .spawn();
    let mut adopter = Running(adopter.unwrap());
    let Some(demo) = Disguised::start() else {
        return;
    };
    // Other tests of this file have QEMUs too.
    let mut others = Vec::new();
    let mut vm = loop {
        let vm = host.accept();
        if vm.name == format!("qemu-{}", demo.pid()) {
            break vm;
        }
        others.push(vm);
    };
    vm.wait("both vCPUs are given", |vm| vm.vcpus.len() == 2);
    let pid = adopter.0.id().to_string();
    let kill = Command::new("kill").args(["-s", "TERM", &pid]).status();
    assert!(kill.unwrap().success() && adopter.0.wait().unwrap().success());
    vm.wait("the hand-over ends", |vm| vm.has_ended);
    assert!(!vm.has_process_ended());
}

#[test]
fn adopter_has_one_capability_when_root_starts_it() {
    let Some(demo) = Disguised::start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("handover.sock");
    let host = Host::listen(&socket);
    let adopter = adopt(&socket, demo.pid());
    let _vm = host.accept();
    let threads = fs::read_dir(format!("/proc/{}/task", adopter.0.id())).unwrap();
    let mut count = 0;
    for thread in threads {
        let status = fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        for name in ["CapPrm", "CapEff", "CapBnd"] {
            assert_eq!(set(name, &status), PTRACE, "{status}");
        }
        for name in ["CapInh", "CapAmb"] {
            assert_eq!(set(name, &status), 0, "{status}");
        }
        assert!(status.contains("NoNewPrivs:\t1"), "{status}");
        count += 1;
    }
    // The thread that waits for signals has no more either.
    assert!(count > 1);
}

/// The program in a folder that every user can reach, unlike that of the build.
fn program_for_others() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("vmstats");
    fs::copy(env!("CARGO_BIN_EXE_vmstats"), &program).unwrap();
    (folder, program)
}

fn is_root() -> bool {
    let is_root = rustix::process::getuid().is_root();
    if !is_root {
        skip::because("only root can become another user");
    }
    is_root
}

#[test]
fn missing_right_is_named_when_another_user_looks() {
    let Some(demo) = Disguised::start() else {
        return;
    };
    if !is_root() {
        return;
    }
    let (_folder, program) = program_for_others();
    let pid = demo.pid().to_string();
    let mut command = Command::new(program);
    command.args(["adopt", "--list", "--pid", &pid]);
    let output = feed(command.uid(NOBODY).gid(NOBODY), "");
    let (shown, said) = (stdout(&output), stderr(&output));
    assert!(
        shown.contains("not permitted") && shown.contains("CAP_SYS_PTRACE"),
        "{shown}"
    );
    assert!(said.contains("without CAP_SYS_PTRACE"), "{said}");
}

#[test]
fn files_of_another_user_are_taken_when_the_one_capability_is_there() {
    let Some(demo) = Disguised::start() else {
        return;
    };
    if !is_root() {
        return;
    }
    let (folder, program) = program_for_others();
    let socket = folder.path().join("handover.sock");
    let host = Host::listen(&socket);
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o777)).unwrap();
    // As vmstats-adopt.service starts it.
    let nobody = NOBODY.to_string();
    let child = Command::new("setpriv")
        .args(["--reuid", &nobody, "--regid", &nobody, "--clear-groups"])
        .args(["--bounding-set", "-all,+sys_ptrace"])
        .args(["--inh-caps", "-all,+sys_ptrace"])
        .args(["--ambient-caps", "-all,+sys_ptrace", "--no-new-privs"])
        .arg(program)
        .args(["adopt", "--pid", &demo.pid().to_string(), "--socket"])
        .arg(&socket)
        .spawn();
    let adopter = match child {
        Ok(child) => Running(child),
        Err(error) => return skip::because(format_args!("setpriv does not start: {error}")),
    };
    let vm = host.accept();
    assert!(vm.vcpus.len() == 2 && vm.vm.is_some());
    assert!(vm.values(0)["exits"][0] > 0);
    let status = status(adopter.0.id());
    assert!(status.contains(&format!("Uid:\t{nobody}")), "{status}");
    assert_eq!(set("CapEff", &status), PTRACE);
}

//! Every phase under a filter of its published system calls, which traps all others.
//!
//! Each test runs this program again, as the process that a forbidden call would kill.
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod pair;

use std::fmt::Write as _;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{hint, thread};

use pair::{next, pair, sealed};
use seccompiler::{BpfMap, apply_filter, compile_from_json};
use stats_handover::syscalls::{Phase, Syscall};
use stats_handover::{Handover, connect};

const PHASE: &str = "HANDOVER_TEST_PHASE";
const PATIENCE: Duration = Duration::from_secs(20);
/// The calls of the C library's allocator, for phases that allocate.
const ALLOCATOR: &[&str] = &["brk", "mmap", "mprotect", "munmap", "madvise", "futex"];

/// Applies the filter for some phases to the calling thread.
fn enter(phases: &[Phase]) {
    let mut rules: Vec<String> = phases
        .iter()
        .flat_map(|phase| phase.syscalls())
        .map(rule)
        .collect();
    if phases.iter().any(|phase| phase.allocates()) {
        let allocator = ALLOCATOR.iter();
        rules.extend(allocator.map(|name| format!("{{\"syscall\": \"{name}\"}}")));
    }
    let json = format!(
        "{{\"test\": {{\"mismatch_action\": \"trap\", \"match_action\": \"allow\", \"filter\": \
         [{}]}}}}",
        rules.join(",")
    );
    let arch = std::env::consts::ARCH.try_into().unwrap();
    let filters: BpfMap = compile_from_json(json.as_bytes(), arch).unwrap();
    apply_filter(&filters["test"]).unwrap();
}

fn rule(call: &Syscall) -> String {
    let mut rule = format!("{{\"syscall\": \"{}\"", call.name);
    for (number, (index, value)) in call.arguments.iter().enumerate() {
        let before = if number == 0 { ", \"args\": [" } else { ", " };
        write!(
            rule,
            "{before}{{\"index\": {index}, \"type\": \"dword\", \"op\": \"eq\", \"val\": {value}}}"
        )
        .unwrap();
    }
    if !call.arguments.is_empty() {
        rule.push(']');
    }
    rule + "}"
}

/// Runs this test program again in a phase, and returns how it ended.
fn run(phase: &str) -> ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture", "--test-threads", "1"])
        .env(PHASE, phase)
        .status()
        .unwrap()
}

fn check(phase: &str) {
    let status = run(phase);
    assert_eq!(
        status.signal(),
        None,
        "{phase}: a forbidden system call, if it is 31"
    );
    assert!(status.success(), "{phase}: {status}");
}

static HAS_PLAYED: AtomicBool = AtomicBool::new(false);

/// Not a test of its own: the process that plays a phase.
#[test]
fn child() {
    let Ok(phase) = std::env::var(PHASE) else {
        return;
    };
    // A thread of its own, because the filter stays with the thread that has it. The
    // thread neither wakes another nor ends, which would take calls of its own.
    thread::spawn(move || {
        match phase.as_str() {
            "new" => new(),
            "open" => open(),
            "connect" => connecting(),
            "give" => give(),
            "end" => end(),
            "forbidden" => forbidden(),
            other => panic!("{other}"),
        }
        HAS_PLAYED.store(true, Ordering::Release);
        loop {
            hint::spin_loop();
        }
    });
    let start = Instant::now();
    while !HAS_PLAYED.load(Ordering::Acquire) {
        assert!(start.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(1));
    }
    std::process::exit(0);
}

fn new() {
    enter(&[Phase::New]);
    let mut handover = Handover::new("vm").unwrap();
    handover
        .set_uuid("4f9f0a2e-9b5c-4b7e-8a55-0d6f3f6f2f11")
        .unwrap();
    handover.reserve(100);
    std::mem::forget(handover);
}

fn open() {
    let kvm = kvm_ioctls::Kvm::new().unwrap();
    let vm = kvm.create_vm().unwrap();
    let vcpus: Vec<_> = (0..4).map(|index| vm.create_vcpu(index).unwrap()).collect();
    let mut handover = Handover::new("vm").unwrap();
    enter(&[Phase::Open]);
    handover.set_vm(&vm).unwrap();
    for (index, vcpu) in (0..).zip(&vcpus) {
        let path = format!("/machine/cpu[{index}]");
        handover.add_vcpu(index, &path, vcpu).unwrap();
    }
    std::mem::forget((handover, kvm, vm, vcpus));
}

fn connecting() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("handover.sock");
    let listener = pair::listen(&path);
    let mut handover = Handover::new("vm").unwrap();
    enter(&[Phase::Connect, Phase::Give]);
    handover.give(connect(&path).unwrap()).unwrap();
    std::mem::forget((listener, folder, handover));
}

/// A Firecracker-like VMM: all files are open before a filter that permits nothing but
/// to send.
fn give() {
    let [(first, first_peer), (second, second_peer)] = [pair(), pair()];
    let mut handover = Handover::new("vm").unwrap();
    for index in 0..300 {
        let path = format!("/machine/cpu[{index}]");
        handover.add_vcpu_fd(index, &path, sealed(0)).unwrap();
    }
    handover.reserve(2);
    let (file, object) = (sealed(0), sealed(0));
    enter(&[Phase::Give]);
    handover.give(first).unwrap();
    handover.add_vcpu_fd(300, "/hotplugged", file).unwrap();
    handover.add_object("block", "/disk0", object).unwrap();
    std::mem::forget((first_peer, second, second_peer, handover));
}

fn end() {
    let [(first, first_peer), (second, second_peer)] = [pair(), pair()];
    let mut handover = Handover::new("vm").unwrap();
    handover.add_vcpu_fd(0, "/0", sealed(0)).unwrap();
    handover.give(first).unwrap();
    assert_eq!(next(&first_peer).files.len(), 1);
    let file = sealed(1);
    // The allocator may return memory when the value is dropped.
    enter(&[Phase::Give, Phase::End]);
    handover.add_vcpu_fd(0, "/0", file).unwrap();
    handover.give(second).unwrap();
    handover.remove_vcpu(0).unwrap();
    handover.end();
    drop(handover);
    std::mem::forget((first_peer, second_peer));
}

fn forbidden() {
    enter(&[Phase::Give]);
    let _ = Handover::new("vm");
}

#[test]
fn constructing_needs_no_other_call() {
    check("new");
}

#[test]
fn opening_needs_no_other_call() {
    if let Err(error) = kvm_ioctls::Kvm::new() {
        skip::because(format_args!("/dev/kvm cannot be opened: {error}"));
        return;
    }
    check("open");
}

#[test]
fn connecting_needs_no_other_call() {
    check("connect");
}

#[test]
fn giving_needs_no_other_call() {
    check("give");
}

#[test]
fn ending_needs_no_other_call() {
    check("end");
}

#[test]
fn process_is_killed_when_a_phase_makes_another_call() {
    let status = run("forbidden");
    assert_eq!(status.signal(), Some(31), "{status}");
}

#[test]
fn send_flags_of_the_filter_are_those_that_are_used() {
    use rustix::net::SendFlags;
    let flags = (SendFlags::NOSIGNAL | SendFlags::DONTWAIT).bits();
    assert_eq!(Phase::Give.syscalls()[0].arguments, [(2, u64::from(flags))]);
}

//! The library from C: the example is compiled with the system's compiler, and gives a
//! real VM's files; the header and the library have the same functions.
#![allow(unsafe_code, reason = "this is what is tested")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::io::Write as _;
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::ptr;
use std::time::{Duration, Instant};

use kvm_stats::{FileKind, Writer, identify};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with};
use rustix::net::{bind, listen, socket_with, socketpair};
use stats_handover::receive::{Message, Packet, ReceiveError, Statement, prepare};
use stats_handover_c::*;

const PATIENCE: Duration = Duration::from_secs(20);
const LINES_MAX: usize = 15;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the static library, which cargo has built with this test's library.
fn library() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.parent().unwrap().read_dir().unwrap();
    let libraries = built.filter_map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name()?.to_str()?;
        (name.starts_with("libstats_handover_c") && name.ends_with(".a")).then_some(path)
    });
    let modified = |path: &PathBuf| path.metadata().unwrap().modified().unwrap();
    libraries.max_by_key(modified).unwrap()
}

/// Compiles a C file of this package, or returns `false` on a machine without a compiler.
fn compile(source: &str, options: &[&str], program: &Path) -> bool {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let output = Command::new(&compiler)
        .args(["-Wall", "-Wextra", "-Werror", "-o"])
        .arg(program)
        .arg("-I")
        .arg(folder())
        .args(options)
        .arg(folder().join(source))
        .args(options.is_empty().then(library))
        .output();
    let Ok(output) = output else {
        skip::because(format_args!("there is no C compiler {compiler}"));
        return false;
    };
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    true
}

fn wait(socket: &OwnedFd) -> Option<Packet> {
    let start = Instant::now();
    loop {
        match Packet::receive(socket.as_fd()) {
            Err(ReceiveError::WouldBlock) if start.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(1));
            }
            result => return result.unwrap(),
        }
    }
}

#[test]
fn files_of_a_vm_are_received_when_a_c_program_gives_them() {
    if let Err(error) = kvm_ioctls::Kvm::new() {
        skip::because(format_args!("/dev/kvm cannot be opened: {error}"));
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    let program = temporary.path().join("example");
    if !compile("example.c", &[], &program) {
        return;
    }
    let path = temporary.path().join("handover.sock");
    let flags = SocketFlags::CLOEXEC;
    let listener = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    prepare(listener.as_fd()).unwrap();
    bind(&listener, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    listen(&listener, 1).unwrap();
    let mut child = Command::new(&program)
        .arg(&path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let ours = accept_with(&listener, flags).unwrap();
    let packet = wait(&ours).unwrap();
    assert_eq!(packet.sender.unwrap().pid, i32::try_from(child.id()).ok());
    let text = "stats-handover/1\nname example\nvm\nvcpu 0 /machine/cpu[0]\nvcpu 1 \
                /machine/cpu[1]\n";
    assert_eq!(str::from_utf8(&packet.text).unwrap(), text);
    let kinds: Vec<_> = packet.files.iter().map(identify).collect();
    assert_eq!(
        kinds,
        [
            Ok(FileKind::VmStats),
            Ok(FileKind::VcpuStats(0)),
            Ok(FileKind::VcpuStats(1))
        ]
    );
    let mut input = child.stdin.take().unwrap();
    writeln!(input).unwrap();
    let packet = wait(&ours).unwrap();
    let message = Message::parse(&packet.text, 0).unwrap();
    assert_eq!(message.statements, [Statement::RemoveVcpu { index: 1 }]);
    writeln!(input).unwrap();
    assert!(wait(&ours).is_none());
    assert!(child.wait().unwrap().success());
}

#[test]
fn hand_over_has_few_lines_in_c() {
    let source = std::fs::read_to_string(folder().join("example.c")).unwrap();
    let (_, rest) = source.split_once("/* hand-over: begin */\n").unwrap();
    let (function, _) = rest.split_once("/* hand-over: end */").unwrap();
    let lines = function.lines().filter(|line| !line.trim().is_empty());
    // The declaration and the braces are C's.
    let count = lines.count() - 3;
    assert!((8..=LINES_MAX).contains(&count), "{count}");
}

#[test]
fn header_is_one_of_c_and_of_cplusplus() {
    let temporary = tempfile::tempdir().unwrap();
    let object = temporary.path().join("object.o");
    for language in ["-xc", "-xc++"] {
        let options = [language, "-pedantic", "-fsyntax-only"];
        if !compile("stats_handover.h", &options, &object) {
            return;
        }
    }
}

/// Returns the names of functions in a source: each word with the library's prefix that
/// a parenthesis follows.
fn functions(source: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = source.match_indices("stats_handover_").map(|(start, _)| {
        let word = &source[start..];
        let end = word.find(|c| !is_name(c)).unwrap_or(word.len());
        (&word[..end], word[end..].starts_with('('))
    });
    words
        .filter(|(_, is_call)| *is_call)
        .map(|(word, _)| word)
        .collect()
}

#[test]
fn header_declares_the_functions_of_the_library() {
    let header = std::fs::read_to_string(folder().join("stats_handover.h")).unwrap();
    let code = std::fs::read_to_string(folder().join("src/abi.rs")).unwrap();
    let declared = functions(&header);
    assert_eq!(declared, functions(&code));
    assert!(declared.len() > 10);
}

fn last_error() -> String {
    // SAFETY: the string is valid until the next call.
    let text = unsafe { CStr::from_ptr(stats_handover_error()) };
    text.to_str().unwrap().to_owned()
}

#[test]
fn errors_have_numbers_and_texts() {
    const NAME: &CStr = c"vm";
    let (theirs, ours) = socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    // SAFETY: handles and strings are valid, and descriptors are given away once.
    unsafe {
        assert!(stats_handover_new(ptr::null()).is_null());
        assert!(last_error().ends_with("a string is NULL"));
        assert!(stats_handover_new(c"\xff".as_ptr()).is_null());
        assert!(last_error().ends_with("a string is not UTF-8"));
        assert!(stats_handover_new(c"".as_ptr()).is_null());
        assert!(last_error().ends_with("the name \"\" is empty"));
        assert_eq!(stats_handover_set_vm(ptr::null_mut(), 0), -22);
        stats_handover_free(ptr::null_mut());

        let handover = stats_handover_new(NAME.as_ptr());
        assert_eq!(stats_handover_connection(handover), -107);
        assert_eq!(stats_handover_remove_vcpu(handover, 0), -2);
        assert_eq!(stats_handover_set_uuid(handover, c"x".as_ptr()), -22);
        assert_eq!(stats_handover_set_vm(handover, -1), -2);
        assert_eq!(stats_handover_set_vm_file(handover, -1), -9);
        assert_eq!(stats_handover_reserve(handover, u32::MAX), -22);
        assert_eq!(stats_handover_reserve(handover, 3), 0);
        let missing = CString::new("/nonexistent/socket").unwrap();
        let socket = stats_handover_connect(missing.as_ptr());
        assert_eq!(socket, -2);
        let reason = last_error();
        assert_eq!(stats_handover_give(handover, socket), -2);
        assert_eq!(last_error(), reason);
        assert!(reason.contains("cannot connect to \"/nonexistent/socket\""));

        let writer = Writer::builder("x").counter("n").build().unwrap();
        let file = || writer.try_clone_fd().unwrap().into_raw_fd();
        let path = c"/a".as_ptr();
        assert_eq!(stats_handover_add_vcpu_file(handover, 0, path, file()), 0);
        assert_eq!(stats_handover_add_vcpu_file(handover, 1, path, file()), -17);
        let block = c"block".as_ptr();
        assert_eq!(stats_handover_give(handover, theirs.into_raw_fd()), 0);
        assert!(stats_handover_connection(handover) >= 0);
        assert_eq!(stats_handover_add_object(handover, block, path, file()), 0);
        assert_eq!(stats_handover_remove_object(handover, block, path), 0);
        assert_eq!(stats_handover_end(handover), 0);
        assert_eq!(stats_handover_set_process(handover, file()), 0);
        assert_eq!(stats_handover_set_vm_file(handover, file()), 0);
        assert_eq!(stats_handover_remove_vm(handover), 0);
        stats_handover_free(handover);
    }
    for files in [1, 1, 0] {
        assert_eq!(wait(&ours).unwrap().files.len(), files);
    }
    assert!(wait(&ours).is_none());
}

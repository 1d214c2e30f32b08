//! The memory of a server whose clients send the most they may, to a provider
//! that blocks. One test in a process of its own, because the allocator counts
//! the memory of the whole process.

#![cfg(feature = "server")]
#![allow(unsafe_code, reason = "a counting allocator has to be one")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use qapi_stats::stats::StatsProvider;
use stats_runtime::server::{Listener, Options, Server};
use stats_runtime::{Monitor, NoHost, Registry, StatsQuery, StatsSink};

static LIVE_BYTES: AtomicUsize = AtomicUsize::new(0);
static PEAK_BYTES: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, which counts the bytes in use.
struct Counting;

impl Counting {
    fn grow(bytes: usize) {
        let live = LIVE_BYTES.fetch_add(bytes, Ordering::Relaxed) + bytes;
        PEAK_BYTES.fetch_max(live, Ordering::Relaxed);
    }
}

// SAFETY: every call goes to the system's allocator unchanged; counting neither
// allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::grow(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE_BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        Self::grow(bytes);
        LIVE_BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, bytes) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MIB: usize = 1 << 20;
const HELD_BYTES_MAX: usize = 32 * MIB;
const THREADS_MAX: usize = 32;

/// The bytes beyond [`HELD_BYTES_MAX`] that a client may hold, and the memory
/// of its connection and slot.
const CLIENT_BYTES: usize = 24 << 10;

/// The input buffer of a thread, and the message that one of them parses.
const THREAD_BYTES: usize = 96 << 10;
const PARSED_BYTES: usize = 4 * MIB;

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(30), "{what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// The largest request that a server accepts by default: nearly a MiB, and
/// nearly 64 Ki tokens.
fn request() -> String {
    const NAMES: usize = 32_000;
    let names = format!("'{}',", "a".repeat(MIB / NAMES - 4)).repeat(NAMES);
    format!(
        "{{'execute': 'query-stats', 'arguments': {{'target': 'vm', \
         'providers': [{{'provider': 'kvm', 'names': [{names}'a']}}]}}}}"
    )
}

fn negotiate(path: &Path, is_oob: bool) -> UnixStream {
    let mut stream = UnixStream::connect(path).unwrap();
    let capabilities = if is_oob { "'oob'" } else { "" };
    let negotiate =
        format!("{{'execute': 'qmp_capabilities', 'arguments': {{'enable': [{capabilities}]}}}}");
    stream.write_all(negotiate.as_bytes()).unwrap();
    let mut byte = [0];
    let mut lines = 0;
    while lines < 2 && stream.read(&mut byte).unwrap() == 1 {
        lines += usize::from(byte == *b"\n");
    }
    stream
}

/// Serves a provider that calls `write`, and blocks until the sender is dropped.
fn serve(
    path: &Path,
    options: Options,
    write: impl Fn(&mut dyn StatsSink) + Send + Sync + 'static,
) -> (Server, mpsc::Sender<()>) {
    let registry = Registry::new();
    let (release, receiver) = mpsc::channel();
    let receiver = Mutex::new(receiver);
    let query = move |_: &StatsQuery<'_>, sink: &mut dyn StatsSink| {
        write(sink);
        let _ = receiver.lock().unwrap().recv();
        Ok(())
    };
    registry
        .add_stats_callbacks(StatsProvider::Kvm, query, |_| Ok(()))
        .unwrap();
    let monitor = Monitor::new(registry, NoHost);
    let options = options.held_bytes_max(HELD_BYTES_MAX);
    let server = Server::start(monitor, [Listener::unix(path).unwrap()], options).unwrap();
    (server, release)
}

/// Has clients send requests as long as the server reads; returns the peak.
fn attack(clients: usize, is_oob: bool, requests_each: usize) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let options = Options::new()
        .connections_max(clients)
        .threads(THREADS_MAX)
        .busy_timeout(Duration::from_secs(60));
    let (mut server, release) = serve(&path, options, |_| ());

    let request = request();
    let start = LIVE_BYTES.load(Ordering::Relaxed);
    PEAK_BYTES.store(start, Ordering::Relaxed);
    let streams: Vec<UnixStream> = (0..clients)
        .map(|_| {
            let mut stream = negotiate(&path, is_oob);
            let timeout = Some(Duration::from_millis(5));
            stream.set_write_timeout(timeout).unwrap();
            // The server stops reading, or evicts the client.
            (0..requests_each).all(|_| stream.write_all(request.as_bytes()).is_ok());
            stream
        })
        .collect();
    let peak = PEAK_BYTES.load(Ordering::Relaxed) - start;
    drop(streams);
    wait_until("the clients are forgotten", || server.connections() == 0);
    drop(release);
    wait_until("the memory is given back", || {
        LIVE_BYTES.load(Ordering::Relaxed) < start + THREADS_MAX * THREAD_BYTES + MIB
    });
    server.stop();
    println!("resident: {} KiB", resident_kib());
    peak
}

/// Has clients ask for replies of about 9 MiB, whose provider blocks before it
/// ends; returns the peak.
fn ask_for_long_replies(clients: usize) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let (mut server, release) = serve(&path, Options::new().threads(10), move |sink| {
        sink.result(None);
        let name = "x".repeat(1000);
        (0..9 * 1024).for_each(|number| sink.scalar(&name, number));
        count.fetch_add(1, Ordering::Relaxed);
    });
    let start = LIVE_BYTES.load(Ordering::Relaxed);
    PEAK_BYTES.store(start, Ordering::Relaxed);
    let streams: Vec<UnixStream> = (0..clients)
        .map(|number| {
            let mut stream = negotiate(&path, false);
            let request = b"{'execute': 'query-stats', 'arguments': {'target': 'vm'}}";
            stream.write_all(request).unwrap();
            wait_until("the reply is written", || {
                written.load(Ordering::Relaxed) > number
            });
            stream
        })
        .collect();
    let peak = PEAK_BYTES.load(Ordering::Relaxed) - start;
    drop(release);
    drop(streams);
    server.stop();
    peak
}

fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.unwrap().parse().unwrap()
}

#[test]
fn memory_stays_within_the_budget_whatever_clients_send() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit {
        current: limit.maximum,
        ..limit
    };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).unwrap();
    for (clients, is_oob, requests_each) in [
        (1, false, 2),
        (30, true, 20),
        (30, false, 2),
        (100, true, 3),
        (1000, false, 1),
    ] {
        let peak = attack(clients, is_oob, requests_each);
        let bound =
            HELD_BYTES_MAX + clients * CLIENT_BYTES + THREADS_MAX * THREAD_BYTES + PARSED_BYTES;
        println!(
            "{clients} clients: {} KiB of {} KiB",
            peak >> 10,
            bound >> 10
        );
        assert!(peak <= bound, "{clients} clients: {peak} of {bound}");
    }
    let peak = ask_for_long_replies(8);
    // While a reply gets more memory, both its old and its new block may exist.
    let bound = HELD_BYTES_MAX + 8 * (CLIENT_BYTES + 2 * THREAD_BYTES) + 9 * MIB;
    println!("long replies: {} KiB of {} KiB", peak >> 10, bound >> 10);
    assert!(peak <= bound, "{peak} of {bound}");
}

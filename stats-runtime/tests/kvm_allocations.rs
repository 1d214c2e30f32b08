//! What a query allocates once its buffers have grown: nothing.
#![cfg(feature = "kvm")]
#![allow(unsafe_code, reason = "a counting allocator has to be one")]
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use qapi_stats::stats::{StatsProvider, StatsTarget};
use stats_runtime::kvm::{ImageBuilder, ImageStat, KvmProvider};
use stats_runtime::provider::{Provider, StatsQuery, StatsSink};
use stats_runtime::qmp::{Limits, Session};
use stats_runtime::{Monitor, NoHost, Registry};

/// The system's allocator, which counts each thread's calls.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it is; counting neither
// allocates (the counter is constant and has no destructor) nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Adds up what it receives.
#[derive(Default)]
struct Sum(u64);

impl StatsSink for Sum {
    fn result(&mut self, _: Option<&str>) {}
    fn scalar(&mut self, _: &str, value: u64) {
        self.0 += value;
    }
    fn boolean(&mut self, _: &str, value: bool) {
        self.0 += u64::from(value);
    }
    fn histogram(&mut self, _: &str, buckets: &[u64]) {
        self.0 += buckets.iter().sum::<u64>();
    }
}

fn file(bytes: &[u8]) -> OwnedFd {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.into()
}

/// A provider with a VM and eight vCPUs.
fn provider() -> KvmProvider {
    let provider = KvmProvider::new();
    let bytes = ImageBuilder::new("kvm-1/vcpu-0")
        .stat(ImageStat::new("exits", 0, 0, [1]))
        .stat(ImageStat::new("flag", 0x41, 0, [1]))
        .stat(ImageStat::new("hist", 4, 0, [1; 32]))
        .stat(ImageStat::new("odd", 4, 0, [1; 32]).at(301))
        .build();
    provider.set_vm_fd(file(&bytes)).unwrap();
    for index in 0..8 {
        provider
            .add_vcpu_fd(format!("/vcpu{index}"), file(&bytes))
            .unwrap();
    }
    provider
}

#[test]
fn a_query_allocates_nothing() {
    let provider = provider();
    let mut sum = Sum::default();
    let mut ask = || {
        for target in [StatsTarget::Vcpu, StatsTarget::Vm] {
            provider.query(&StatsQuery::all(&target), &mut sum).unwrap();
        }
    };
    ask();
    let before = ALLOCATIONS.with(Cell::get);
    ask();
    assert_eq!(ALLOCATIONS.with(Cell::get), before);
    assert_eq!(sum.0, 2 * 9 * 66);
}

/// Requests of one client, each with the next id.
fn requests(id: u32) -> [String; 5] {
    let names = "\"providers\": [{\"provider\": \"kvm\", \"names\": [\"hist\", \"exits\"]}]";
    [
        "{'execute': 'query-stats', 'arguments': {'target': 'vcpu'}}".to_owned(),
        "{\"execute\": \"query-stats\", \"arguments\": {\"target\": \"vm\"}}".to_owned(),
        format!(
            "{{\"execute\": \"query-stats\", \"arguments\": {{\"target\": \"vcpu\", {names}}}, \
             \"id\": \"libvirt-{id}\"}}"
        ),
        format!(
            "{{\"id\": {id}, \"execute\": \"query-stats\", \"arguments\": {{\"target\": \"vcpu\", \
             \"vcpus\": [\"/vcpu3\"]}}}}"
        ),
        format!(
            "{{\"execute\": \"query-stats\", \"id\":{id} ,\"arguments\": {{\"target\": \"vm\", {names}}}}}"
        ),
    ]
}

#[test]
fn a_request_that_comes_again_allocates_nothing_and_is_answered_alike() {
    let registry = Arc::new(Registry::new());
    registry
        .register(StatsProvider::Kvm, Arc::new(provider()))
        .unwrap();
    let monitor = Monitor::new(registry, Arc::new(NoHost));
    let subscription = monitor.subscribe(|| {});
    let context = monitor.context();
    let ask = |session: &mut Session, request: &[u8], reply: &mut Vec<u8>| {
        session.receive(request);
        subscription.run(session, &monitor, &context);
        reply.clear();
        reply.extend_from_slice(session.output());
        session.sent(reply.len());
    };
    let begin = |session: &mut Session| {
        ask(session, b"{'execute': 'qmp_capabilities'}", &mut Vec::new());
    };
    let version = monitor.host().version();
    let mut session = Session::new(&version, Limits::default());
    begin(&mut session);
    let mut reply = Vec::with_capacity(1 << 16);
    for id in 0..4 {
        for request in requests(id) {
            let before = ALLOCATIONS.with(Cell::get);
            ask(&mut session, request.as_bytes(), &mut reply);
            let allocations = ALLOCATIONS.with(Cell::get) - before;
            // Twice, until every buffer has grown.
            if id > 1 {
                assert_eq!(allocations, 0, "{request}");
            }
            // A session that has never seen the request reads it.
            let mut fresh = Session::new(&version, Limits::default());
            begin(&mut fresh);
            let mut expected = Vec::new();
            ask(&mut fresh, request.as_bytes(), &mut expected);
            assert_eq!(
                str::from_utf8(&reply),
                str::from_utf8(&expected),
                "{request}"
            );
            assert!(reply.starts_with(b"{\"return\": [{"), "{request}");
        }
    }
}

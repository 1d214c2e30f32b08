//! What a query allocates once its buffers have grown: nothing.
#![cfg(feature = "kvm")]
#![allow(unsafe_code, reason = "a counting allocator has to be one")]
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Write;
use std::os::fd::OwnedFd;

use kvm_stats::{ImageBuilder, ImageStat};
use qapi_stats::stats::StatsTarget;
use stats_runtime::kvm::KvmProvider;
use stats_runtime::{Provider, StatsQuery, StatsSink};

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

//! What a hand-over allocates once its state is complete: nothing.
#![allow(unsafe_code, reason = "a counting allocator has to be one")]
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod pair;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::os::fd::OwnedFd;

use pair::{pair, sealed};
use stats_handover::Handover;

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

/// Returns the number of allocations of `work`.
fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

/// Returns a hand-over with 300 vCPUs, whose packets are two.
fn handover() -> Handover {
    let mut handover = Handover::new("vm").unwrap();
    for index in 0..300 {
        let path = format!("/machine/cpu[{index}]");
        handover.add_vcpu_fd(index, &path, sealed(0)).unwrap();
    }
    handover
}

#[test]
fn giving_and_changing_allocate_nothing_when_room_is_reserved() {
    let mut handover = handover();
    handover.reserve(9);
    let long = "/".repeat(255);
    let mut files: Vec<OwnedFd> = (0..11).map(sealed).collect();
    let mut file = || files.pop().unwrap();
    let [(first, _first_peer), (second, _second_peer)] = [pair(), pair()];
    let count = allocations(|| {
        handover.give(first).unwrap();
        for index in 300..308 {
            let digit = char::from_digit(index - 300, 10).unwrap();
            let mut path = [0; 4];
            let path: &str = digit.encode_utf8(&mut path);
            handover.add_vcpu_fd(index, path, file()).unwrap();
        }
        handover.add_object("block", &long, file()).unwrap();
        handover.remove_object("block", &long).unwrap();
        // The room of a removed file is used again.
        handover.add_object("block", &long, file()).unwrap();
        handover.remove_vcpu(4).unwrap();
        handover.set_vm_fd(file()).unwrap();
        handover.remove_vm().unwrap();
        handover.give(second).unwrap();
        handover.end();
    });
    assert_eq!(count, 0);
}

#[test]
fn adding_allocates_when_no_room_is_reserved() {
    let mut handover = handover();
    let file = sealed(0);
    assert!(allocations(|| handover.set_vm_fd(file).unwrap()) > 0);
}

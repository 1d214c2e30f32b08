//! How much memory messages take: the bound that `Limits` states, and what is
//! held after.
#![allow(unsafe_code, reason = "a counting allocator has to be one")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use qapi_wire::json::{Limits, MessageReader};
use qapi_wire::{Context, Decode, Document, Node};

/// The system's allocator, which counts the bytes that each thread holds and
/// refuses blocks beyond a limit.
struct Counting;

thread_local! {
    // Signed, because a thread may release what another one has allocated.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static BLOCK_MAX: Cell<usize> = const { Cell::new(usize::MAX) };
}

fn hold(bytes: usize) {
    HELD.set(HELD.get() + bytes.cast_signed());
    PEAK.set(PEAK.get().max(HELD.get()));
}

fn release(bytes: usize) {
    HELD.set(HELD.get() - bytes.cast_signed());
}

// SAFETY: every call goes to the system's allocator as it is, or fails as the
// contract allows; counting neither allocates (the cells are constant and have
// no destructor) nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() > BLOCK_MAX.get() {
            return std::ptr::null_mut();
        }
        hold(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        release(layout.size());
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    // Grows in place, as the C library does with long blocks.
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if size > BLOCK_MAX.get() {
            return std::ptr::null_mut();
        }
        release(layout.size());
        hold(size);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Returns what `work` returns, and the most bytes that it held at once.
fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let result = work();
    (result, (PEAK.get() - before).cast_unsigned())
}

const PIECE_BYTES: usize = 64 << 10;

fn receive(reader: &mut MessageReader, message: &[u8]) -> Result<Document, String> {
    for piece in message.chunks(PIECE_BYTES) {
        reader.receive(piece);
        if let Some(found) = reader.next_message() {
            return found.map_err(|error| error.desc().to_owned());
        }
    }
    panic!("the message is complete")
}

/// Messages whose memory is easily more than a multiple of their bytes, with
/// the number of their tokens.
fn messages() -> Vec<(&'static str, String, usize)> {
    const COUNT: usize = 100_000;
    let list = |element: &str| format!("[{}]", vec![element; COUNT].join(","));
    let members: Vec<_> = (0..COUNT).map(|n| format!("\"{n}\":0")).collect();
    let open = "{\"a\":[0,".repeat(500);
    vec![
        (
            "a long string",
            format!("[\"{}\"]", "x".repeat(16 << 20)),
            3,
        ),
        (
            "a long string of escapes",
            format!("[\"{}\"]", "\\u00e9".repeat(1 << 20)),
            3,
        ),
        ("short numbers", list("0"), 2 * COUNT + 1),
        ("short strings", list("\"\""), 2 * COUNT + 1),
        ("empty arrays", list("[]"), 3 * COUNT + 1),
        (
            "an object of many members",
            format!("{{{}}}", members.join(",")),
            4 * COUNT + 1,
        ),
        (
            "an array that is broken",
            format!("[{open} 0 0{}", "]".repeat(2000)),
            8 * 500 + 2000,
        ),
    ]
}

#[test]
fn peak_is_within_the_stated_bound_when_a_message_is_read_and_parsed() {
    for (what, message, tokens) in messages() {
        let bytes = message.len();
        let (result, peak) = peak_of(|| {
            let mut reader = MessageReader::new(Limits::default());
            let result = receive(&mut reader, message.as_bytes());
            (reader, result)
        });
        // A first piece that is not half full, and room for few values.
        let bound = bytes + bytes / 8 + 16 * tokens + 2 * PIECE_BYTES;
        assert!(peak <= bound, "{what}: {peak} > {bound}");
        let (reader, Ok(document)) = result else {
            continue;
        };
        let held = document.held_bytes();
        assert!(held <= bytes + 8 * tokens + (16 << 10), "{what}: {held}");
        let (_, peak) = peak_of(|| document.clone());
        assert!(peak <= held, "{what}: {peak} > {held}");
        assert!(reader.held_bytes() <= 8 << 10, "{what}");
    }
}

#[test]
fn held_bytes_are_what_the_allocator_counts() {
    for (what, message, _) in messages() {
        let before = HELD.get();
        let mut reader = MessageReader::new(Limits::default());
        let result = receive(&mut reader, message.as_bytes());
        reader.receive(&[b'['; 20_000]);
        if let Ok(document) = result {
            let held = reader.held_bytes() + document.held_bytes();
            assert_eq!(HELD.get() - before, held.cast_signed(), "{what}");
        }
    }
}

#[test]
fn document_takes_no_room_for_more_than_its_text_when_it_is_parsed_whole() {
    let text = format!("\"{}\"", "x".repeat(16 << 20));
    let (document, peak) = peak_of(|| Document::parse(text.as_bytes()));
    assert!(document.is_ok());
    assert!(peak <= text.len() + PIECE_BYTES, "{peak}");
}

#[test]
fn reader_refuses_a_message_when_memory_is_short() {
    const NO_MEMORY: &str = "The JSON message does not fit into memory";
    let many = format!("[{}0]\n", "0,".repeat(500_000));
    let long = format!("[\"{}\"]\n", "x".repeat(4 << 20));
    for message in [many, long] {
        let mut reader = MessageReader::new(Limits::default());
        BLOCK_MAX.set(2 << 20);
        let refused = receive(&mut reader, message.as_bytes());
        BLOCK_MAX.set(usize::MAX);
        assert_eq!(refused.unwrap_err(), NO_MEMORY);
        // The rest of the message is skipped, as after any error.
        reader.receive(b"\n{}");
        let next = std::iter::from_fn(|| reader.next_message());
        assert!(next.last().unwrap().is_ok());
    }
}

#[test]
fn decoding_fails_when_memory_is_short() {
    fn decode<T: Decode>(node: Node<'_>) -> Result<T, qapi_wire::Error> {
        T::decode(node, qapi_wire::ValuePath::root(&Context::strict()))
    }
    let string = Document::parse(format!("\"{}\"", "x".repeat(1 << 20)).as_bytes()).unwrap();
    let list = Document::parse(format!("[{}0]", "0,".repeat(1 << 19)).as_bytes()).unwrap();
    BLOCK_MAX.set(1 << 19);
    let results = [
        decode::<String>(string.root()).map(drop),
        decode::<Vec<u64>>(list.root()).map(drop),
    ];
    BLOCK_MAX.set(usize::MAX);
    for result in results {
        let error = result.unwrap_err();
        assert_eq!(error.desc(), "The value does not fit into memory");
    }
}

//! Columns.
//!
//! In: a text, where a line begins, a place in it. Out: the place's column.
//! Many places in one line, one after the other, are counted in one go.

use std::sync::atomic::{AtomicU64, Ordering};

/// How far a place must be from its line's beginning to be worth remembering.
/// What is nearer is counted quickly, and may be the other place of a message.
const NEAR_BYTES: u32 = 1000;

/// A way to count columns.
#[derive(Debug)]
pub(super) struct Columns {
    /// The column of what comes after a character in a column.
    after: fn(u32, char) -> u32,
    /// The place that was asked for last, and its column; see [`pack`].
    last: AtomicU64,
}

/// A place and its column in one number.
fn pack(place: u32, column: u32) -> u64 {
    u64::from(place) << 32 | u64::from(column)
}

/// The reverse of [`pack`]. The column is 0 if nothing has been packed.
fn unpack(packed: u64) -> (u32, u32) {
    let low = u32::try_from(packed & u64::from(u32::MAX)).unwrap_or(0);
    (u32::try_from(packed >> 32).unwrap_or(0), low)
}

impl Columns {
    /// Characters, tabs like all others.
    pub(super) fn of_characters() -> Self {
        Self::new(|column, _| column + 1)
    }

    /// Characters, but that a tab goes where QEMU's generator has it go.
    pub(super) fn of_qemu() -> Self {
        Self::new(|column, c| match c {
            '\t' => (column + 7) % 8 + 1,
            _ => column + 1,
        })
    }

    fn new(after: fn(u32, char) -> u32) -> Self {
        Self {
            after,
            last: AtomicU64::new(0),
        }
    }

    /// The column of a place, counted from 1, in the line that begins at
    /// `start`.
    pub(super) fn column(&self, text: &str, start: u32, place: u32) -> usize {
        let (from, column) = match unpack(self.last.load(Ordering::Relaxed)) {
            (last, column) if (start..=place).contains(&last) && column > 0 => (last, column),
            _ => (start, 1),
        };
        let between = text.get(from as usize..place as usize).unwrap_or_default();
        let column = between.chars().fold(column, self.after);
        if place.saturating_sub(start) > NEAR_BYTES {
            self.last.store(pack(place, column), Ordering::Relaxed);
        }
        column as usize
    }
}

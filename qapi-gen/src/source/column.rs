//! Columns of places in a line.
//!
//! In: a text, the offset where a line begins, and a place in that line. Out:
//! the place's column. It does not know how lines are found.

use std::sync::atomic::{AtomicU64, Ordering};

/// The distance from the start of a line beyond which a place is worth
/// remembering.
///
/// Nearer columns are counted quickly, and remembering them would evict a far
/// place: a message may alternate between a far place and a near one.
const NEAR_BYTES: u32 = 1000;

/// A way to count columns.
///
/// The last far place that was asked for is remembered, so that many places in
/// one long line take linear instead of quadratic time.
#[derive(Debug)]
pub(super) struct Columns {
    /// Returns the column after a character, given the character's own column.
    after: fn(u32, char) -> u32,
    /// The last far place and its column, as [`pack`] combines them.
    last: AtomicU64,
}

/// Combines a place and its column in one number, so that both are stored
/// atomically.
fn pack(place: u32, column: u32) -> u64 {
    u64::from(place) << 32 | u64::from(column)
}

/// Splits what [`pack`] combined. The column is 0 if nothing has been stored.
fn unpack(packed: u64) -> (u32, u32) {
    let low = u32::try_from(packed & u64::from(u32::MAX)).unwrap_or(0);
    (u32::try_from(packed >> 32).unwrap_or(0), low)
}

impl Columns {
    /// Counts characters; a tab is one character.
    pub(super) fn of_characters() -> Self {
        Self::new(|column, _| column + 1)
    }

    /// Counts as QEMU's generator does. It takes a tab for a jump to the next
    /// multiple of 8, which by its formula may lie before the tab.
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

    /// Returns the column of a place, counted from 1, in the line that begins
    /// at `start`.
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

//! Turns of work, and statistics of their times.
//!
//! In: work. Out: nanoseconds, and quantiles of several turns.

use std::time::{Duration, Instant};

use crate::tools::Failure;

/// The shortest time of a turn.
const TURN: Duration = Duration::from_millis(20);

/// Repeats `work` for one turn and returns the mean nanoseconds of one call.
pub(super) fn turn(mut work: impl FnMut() -> Result<(), Failure>) -> Result<f64, Failure> {
    let begin = Instant::now();
    let mut count = 0_u32;
    while begin.elapsed() < TURN {
        for _ in 0..8 {
            work()?;
        }
        count += 8;
    }
    Ok(begin.elapsed().as_secs_f64() * 1e9 / f64::from(count))
}

/// Returns the quartiles of the values; NaN without values.
pub(super) fn quartiles(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    [last / 4, last / 2, last * 3 / 4].map(|index| values.get(index).copied().unwrap_or(f64::NAN))
}

//! `vmstats diff`: what changed between two spans of recordings.
//!
//! In: two recordings, or parts of one. Out: the rates, means and percentiles of both with
//! their ratio, the largest change first.

mod difference;
#[cfg(feature = "record")]
mod print;
#[cfg(feature = "record")]
mod run;

pub use difference::{Difference, Matches, SHARES, differences, matches};
#[cfg(feature = "record")]
pub use run::run;

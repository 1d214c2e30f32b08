//! Methods on generated types, written by hand.
//!
//! In: values as they are on the wire. Out: their meaning: units, bounds of
//! buckets, sums. Nothing here does I/O.

mod filter_branch;
mod schema_value;
mod value;

pub use schema_value::{Bounds, Quantity};

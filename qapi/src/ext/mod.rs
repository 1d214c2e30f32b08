//! Methods for people on generated types.
//!
//! In: values as they come on the wire. Out: what they mean: units, bounds of
//! buckets, sums. Written by hand; generation does not touch it.

mod schema_value;
mod value;

pub use schema_value::{Bounds, Quantity};

//! The two sinks behind every query: typed results, and JSON text.
//!
//! In: what the registry lets through. Out: `Vec<StatsResult>`, or bytes in a
//! reply. Both say the same: a property test holds them against each other.

mod json;
mod row;
mod typed;

use qapi_stats::stats::StatsProvider;

pub use json::{JsonResults, JsonSchemas};
pub(crate) use row::RowText;
pub use typed::{TypedResults, TypedSchemas};

use crate::provider::{SchemaSink, StatsSink};

/// A sink that takes the results of several providers, one after the other.
pub trait ResultsSink: StatsSink {
    /// What follows comes from this provider.
    fn provider(&mut self, name: &StatsProvider);

    /// Whether it takes no more, so that there is no use in asking further
    /// providers. What it took is then for the caller to discard.
    fn is_full(&self) -> bool {
        false
    }
}

/// A sink that takes the schemas of several providers, one after the other.
pub trait SchemasSink: SchemaSink {
    /// What follows comes from this provider.
    fn provider(&mut self, name: &StatsProvider);
}

/// A value as it goes on the wire: the one place where a histogram is turned
/// round, so that its highest bucket comes first, as in every QEMU release.
enum WireValue<'a> {
    Scalar(u64),
    List(std::iter::Rev<std::slice::Iter<'a, u64>>),
}

fn wire_value(buckets: &[u64]) -> WireValue<'_> {
    match buckets {
        // QEMU looks at the size, not at the type.
        [single] => WireValue::Scalar(*single),
        _ => WireValue::List(buckets.iter().rev()),
    }
}

/// The same for a list that is written in pieces of `N` buckets, as long as
/// there are so many: the pieces in the order of the wire, each of which the
/// caller turns round.
fn wire_chunks<const N: usize>(buckets: &[u64], write: impl FnMut(&[u64])) {
    buckets.rchunks(N).for_each(write);
}

//! The order of a list on the wire: a histogram's highest bucket comes first,
//! as in every QEMU release.
//!
//! In: values with the lowest bucket first. Out: the same values in the order
//! of the wire. No other file turns a histogram round.

/// A statistic's values as clients get them.
pub(super) enum WireValue<'a> {
    Scalar(u64),
    List(std::iter::Rev<std::slice::Iter<'a, u64>>),
}

/// Returns the values of a statistic in the order of the wire.
pub(super) fn wire_value(buckets: &[u64]) -> WireValue<'_> {
    match buckets {
        // QEMU decides by the number of values, not by the statistic's type.
        [single] => WireValue::Scalar(*single),
        _ => WireValue::List(buckets.iter().rev()),
    }
}

/// Calls `write` with slices of up to `N` buckets. The slices come in the order
/// of the wire; the caller turns the buckets of each slice round.
pub(super) fn wire_chunks<const N: usize>(buckets: &[u64], write: impl FnMut(&[u64])) {
    buckets.rchunks(N).for_each(write);
}

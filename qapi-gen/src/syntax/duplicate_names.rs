//! Names that occur twice.
//!
//! In: the names of a list, one after the other. Out: whether each occurred
//! before. It does not know what the names are for.

use std::hash::Hash;

use rustc_hash::FxHashSet as HashSet;

/// The number of names up to which comparing is cheaper than hashing.
const FEW: usize = 12;

/// A detector of duplicates in a growing list of names.
#[derive(Debug)]
pub(super) struct DuplicateNames<N> {
    /// The names of the list, once there are more than [`FEW`].
    many: HashSet<N>,
}

impl<N> Default for DuplicateNames<N> {
    fn default() -> Self {
        Self {
            many: HashSet::default(),
        }
    }
}

impl<N: Eq + Hash> DuplicateNames<N> {
    /// Returns whether `name` is among the names `before` it.
    ///
    /// Call this for each name of the list in order: a long list is hashed
    /// once, after which only the names given here are added.
    pub(super) fn is_duplicate(
        &mut self,
        name: N,
        before: impl Iterator<Item = N> + Clone,
    ) -> bool {
        if self.many.is_empty() {
            let mut count = 0;
            for earlier in before.clone() {
                if earlier == name {
                    return true;
                }
                count += 1;
            }
            if count < FEW {
                return false;
            }
            self.many.extend(before);
        }
        !self.many.insert(name)
    }
}

//! Random numbers that are the same on every machine.
//!
//! In: a seed. Out: numbers and choices.

/// A small generator of random numbers (xorshift64*).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Returns the generator for a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // Mix the seed, because similar seeds must not begin alike; zero would
        // stay zero.
        Self((seed ^ 0x9E37_79B9_7F4A_7C15).wrapping_mul(0xBF58_476D_1CE4_E5B9) | 1)
    }

    /// Returns the next number, of 48 bits.
    #[expect(
        clippy::should_implement_trait,
        reason = "it never ends, so nobody wants to iterate over it"
    )]
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    /// Returns a number below `count`, or zero if `count` is zero.
    pub fn below(&mut self, count: usize) -> usize {
        let count = u64::try_from(count.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.next() % count).unwrap_or(0)
    }

    /// Returns true once in `count` times.
    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    /// Picks one element. Returns `None` if there are none.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        from.get(self.below(from.len())).copied()
    }

    /// Returns an index below `count`, or `None` if `count` is zero.
    pub(crate) fn index(&mut self, count: usize) -> Option<usize> {
        (count > 0).then(|| self.below(count))
    }
}

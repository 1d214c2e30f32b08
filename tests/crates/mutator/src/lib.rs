//! Changes QAPI schemas at random.
//!
//! In: schemas and a seed. Out: changed schemas, of which most are wrong and
//! some are still right. The same seed gives the same changes. The crate reads
//! no files and does not know whether a schema is right.

mod directives;
mod docs;
mod input;
mod lexer;
mod names;
mod outline;
mod parts;
mod random;
mod seeds;
mod text;
mod tokens;

pub use random::Random;

use input::{Mutation, MutationInput};
use seeds::Seeds;

/// Changes schemas.
///
/// ```
/// use mutator::{Mutator, Random};
///
/// let mutator = Mutator::new(["{ 'command': 'stop' }", "{ 'enum': 'E', 'data': [] }"]);
/// let changed = || mutator.mutate("{ 'event': 'STOP' }", &mut Random::new(7));
/// assert_eq!(changed(), changed());
/// ```
#[derive(Clone, Debug)]
pub struct Mutator {
    seeds: Seeds,
}

/// The levels of mutations, each with its share.
const LEVELS: [(usize, &[Mutation]); 6] = [
    (5, tokens::MUTATIONS),
    (8, parts::MUTATIONS),
    (3, names::MUTATIONS),
    (6, docs::MUTATIONS),
    (1, directives::MUTATIONS),
    (1, text::MUTATIONS),
];

impl Mutator {
    /// Returns a mutator that takes insertions from these schemas.
    pub fn new<S: Into<String>>(seeds: impl IntoIterator<Item = S>) -> Self {
        Self {
            seeds: Seeds::new(seeds.into_iter().map(Into::into).collect()),
        }
    }

    /// Returns one of the mutator's schemas with up to four changes, which may
    /// be none, because a right schema has to stay right as well.
    #[must_use]
    pub fn schema(&self, random: &mut Random) -> String {
        let mut text = self.seeds.schema(random).to_owned();
        for _ in 0..random.below(5) {
            text = self.mutate(&text, random);
        }
        text
    }

    /// Returns a schema with one change.
    #[must_use]
    pub fn mutate(&self, text: &str, random: &mut Random) -> String {
        let mut input = MutationInput::new(text, &self.seeds, random);
        // Try again, because not every mutation applies to every schema.
        const ATTEMPTS: usize = 8;
        (0..ATTEMPTS)
            .find_map(|_| {
                let level = level(input.random);
                let mutation = level.get(input.random.below(level.len()))?;
                mutation(&mut input)
            })
            .unwrap_or_else(|| text.to_owned())
    }
}

/// Picks a level with the probability of its share.
fn level(random: &mut Random) -> &'static [Mutation] {
    let mut at = random.below(LEVELS.iter().map(|(share, _)| share).sum());
    for (share, level) in LEVELS {
        if at < share {
            return level;
        }
        at -= share;
    }
    &[]
}

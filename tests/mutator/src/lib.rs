//! Schemas with something changed: most of them wrong, some of them still
//! right.
//!
//! In: schemas, a seed. Out: changed schemas, the same for the same seed. It
//! reads no files, and what is right or wrong it does not know.

mod directives;
mod docs;
mod names;
mod outline;
mod parts;
mod random;
mod scene;
mod text;
mod tokens;

pub use random::Random;

use scene::Scene;

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
    /// Where something is taken from to be put elsewhere.
    seeds: Vec<String>,
    /// Every token of the seeds.
    tokens: Vec<String>,
}

/// One way to change a schema; `None` if there is nothing of the kind in it.
type Mutation = fn(&mut Scene<'_>) -> Option<String>;

/// The levels on which a schema is changed, each with its share.
const LEVELS: [(usize, &[Mutation]); 6] = [
    (5, tokens::MUTATIONS),
    (8, parts::MUTATIONS),
    (3, names::MUTATIONS),
    (6, docs::MUTATIONS),
    (1, directives::MUTATIONS),
    (1, text::MUTATIONS),
];

impl Mutator {
    /// A mutator that knows these schemas.
    pub fn new<S: Into<String>>(seeds: impl IntoIterator<Item = S>) -> Self {
        let seeds: Vec<String> = seeds.into_iter().map(Into::into).collect();
        let mut tokens: Vec<String> = seeds
            .iter()
            .flat_map(|seed| tokens::cut(seed))
            .map(str::to_owned)
            .collect();
        tokens.sort();
        tokens.dedup();
        Self { seeds, tokens }
    }

    /// One of the schemas that the mutator knows, with up to four changes:
    /// what is right has to stay right.
    #[must_use]
    pub fn schema(&self, random: &mut Random) -> String {
        let mut text = self.seed(random).to_owned();
        for _ in 0..random.below(5) {
            text = self.mutate(&text, random);
        }
        text
    }

    /// A schema with one change.
    #[must_use]
    pub fn mutate(&self, text: &str, random: &mut Random) -> String {
        let mut scene = Scene::new(text, self, random);
        // Not everything can be done to every schema.
        const ATTEMPTS: usize = 8;
        (0..ATTEMPTS)
            .find_map(|_| {
                let level = level(scene.random);
                let mutation = level.get(scene.random.below(level.len()))?;
                mutation(&mut scene)
            })
            .unwrap_or_else(|| text.to_owned())
    }

    fn seed(&self, random: &mut Random) -> &str {
        let index = random.below(self.seeds.len());
        self.seeds.get(index).map_or("", String::as_str)
    }

    fn token(&self, random: &mut Random) -> &str {
        let index = random.below(self.tokens.len());
        self.tokens.get(index).map_or("", String::as_str)
    }
}

/// A level, as often as its share says.
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

//! The schemas from which mutations take insertions.
//!
//! In: schemas. Out: one of the schemas, or one of their tokens, at random.

use crate::lexer::cut;
use crate::random::Random;

/// The schemas, and the tokens of all of them.
#[derive(Clone, Debug)]
pub(crate) struct Seeds {
    schemas: Vec<String>,
    tokens: Vec<String>,
}

impl Seeds {
    pub(crate) fn new(schemas: Vec<String>) -> Self {
        let tokens = schemas.iter().flat_map(|schema| cut(schema));
        let mut tokens: Vec<String> = tokens.map(str::to_owned).collect();
        tokens.sort();
        tokens.dedup();
        Self { schemas, tokens }
    }

    /// Returns any schema, or the empty text without schemas.
    pub(crate) fn schema(&self, random: &mut Random) -> &str {
        let index = random.below(self.schemas.len());
        self.schemas.get(index).map_or("", String::as_str)
    }

    /// Returns any token, or the empty text without tokens.
    pub(crate) fn token(&self, random: &mut Random) -> &str {
        let index = random.below(self.tokens.len());
        self.tokens.get(index).map_or("", String::as_str)
    }
}

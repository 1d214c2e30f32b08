//! Schemas with something changed: most of them wrong, some of them still
//! right.
//!
//! In: the tests and the real schemas of a QEMU tree, a seed. Out: one schema
//! after the other, the same for the same seed.

use std::fs;
use std::path::Path;

use schema_model::Random;

use crate::tools::Failure;

/// Makes mutated schemas.
pub(super) struct Mutator {
    random: Random,
    /// Whole small schemas, and single definitions of large ones.
    seeds: Vec<String>,
    /// Every token that occurs, to put where it does not belong.
    tokens: Vec<String>,
}

/// A definition of a real schema that is longer is left out: what is wrong with
/// it shows as well in a shorter one.
const SEED_BYTES_MAX: usize = 4000;

impl Mutator {
    pub(super) fn new(source: &Path, schemas: &[&str], seed: u64) -> Result<Self, Failure> {
        let mut seeds = Vec::new();
        let tests = source.join("tests/qapi-schema");
        for path in sorted_json(&tests)? {
            seeds.extend(fs::read_to_string(path));
        }
        for schema in schemas {
            let folder = source.join(schema);
            let Some(folder) = folder.parent() else {
                continue;
            };
            for path in sorted_json(folder)? {
                let text = fs::read_to_string(path).unwrap_or_default();
                seeds.extend(text.split("\n\n").map(str::to_owned));
            }
        }
        seeds.retain(|seed| seed.contains('{') && seed.len() <= SEED_BYTES_MAX);
        let mut tokens: Vec<String> = seeds
            .iter()
            .flat_map(|seed| tokens(seed))
            .map(str::to_owned)
            .collect();
        tokens.sort();
        tokens.dedup();
        if seeds.is_empty() || tokens.is_empty() {
            return Err(format!("{}: no schemas to mutate", source.display()));
        }
        Ok(Self {
            random: Random::new(seed),
            seeds,
            tokens,
        })
    }

    /// The next mutated schema.
    pub(super) fn next(&mut self) -> String {
        let seed = self.random.pick(&self.seeds).cloned().unwrap_or_default();
        let mut parts: Vec<String> = tokens(&seed).map(str::to_owned).collect();
        // Some stay as they are: what is right has to stay right.
        for _ in 0..self.random.below(4) {
            self.mutate(&mut parts);
        }
        parts.concat()
    }

    fn mutate(&mut self, parts: &mut Vec<String>) {
        let at = self.random.below(parts.len().max(1));
        let token = self.random.pick(&self.tokens).cloned().unwrap_or_default();
        match self.random.below(8) {
            0 if at < parts.len() => {
                parts.remove(at);
            }
            1 => parts.insert(at.min(parts.len()), token),
            2 | 3 => {
                if let Some(part) = parts.get_mut(at) {
                    *part = token;
                }
            }
            4 if at < parts.len() => {
                let other = self.random.below(parts.len());
                parts.swap(at, other);
            }
            5 => {
                let copy = parts.get(at).cloned().unwrap_or_default();
                let to = self.random.below(parts.len() + 1);
                parts.insert(to, copy);
            }
            6 => {
                if let Some(part) = parts.get_mut(at) {
                    *part = change_character(&mut self.random, part);
                }
            }
            _ => {
                // A run of tokens moves: a member, a key, a comment line.
                let length = self.random.below(8).min(parts.len() - at.min(parts.len()));
                let run: Vec<String> = parts.splice(at..at + length, []).collect();
                let to = self.random.below(parts.len() + 1);
                parts.splice(to..to, run);
            }
        }
    }
}

fn sorted_json(folder: &Path) -> Result<Vec<std::path::PathBuf>, Failure> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    paths.sort();
    Ok(paths)
}

/// Cuts a schema into strings, words, comments, blanks and single characters,
/// with nothing lost.
fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let run = |belongs: fn(char) -> bool| rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        let end = match first {
            '\'' => rest
                .get(1..)
                .and_then(|tail| tail.find('\''))
                .map_or(1, |end| end + 2),
            '#' => rest.find('\n').unwrap_or(rest.len()),
            ' ' => run(|c| c == ' '),
            _ if first.is_ascii_alphanumeric() => run(|c| c.is_ascii_alphanumeric()),
            _ => first.len_utf8(),
        };
        let (token, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
        rest = tail;
        Some(token)
    })
}

/// The text with one character changed.
fn change_character(random: &mut Random, text: &str) -> String {
    const OTHERS: [char; 14] = [
        '_', '-', 'A', 'z', '0', '.', '*', '\'', '\\', '@', ':', '#', ' ', '\n',
    ];
    let at = random.below(text.chars().count());
    let other = random.pick(&OTHERS).copied().unwrap_or('_');
    text.chars()
        .enumerate()
        .map(|(index, c)| if index == at { other } else { c })
        .collect()
}

//! The schemas of a QEMU tree that are mutated.
//!
//! In: the tests and the real schemas of a tree. Out: mutated schemas, some
//! small and some whole files, and a folder with the files that they include.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use mutator::{Mutator, Random};

use crate::tools::Failure;

/// A source of mutated schemas.
pub(super) struct Seeds {
    random: Random,
    /// The mutator of small schemas: whole tests, and definitions of real
    /// schemas with everything that they refer to.
    small: Mutator,
    /// The mutator of whole files of real schemas, which take longer to check.
    whole: Vec<String>,
}

/// The largest small schema. A fault shows in a small schema as well as in a
/// large one.
const SMALL_BYTES_MAX: usize = 6000;

/// One of so many mutations is of a whole file.
const WHOLE_SHARE: usize = 60;

impl Seeds {
    pub(super) fn new(source: &Path, schemas: &[&str], seed: u64) -> Result<Self, Failure> {
        let mut small = Vec::new();
        for path in sorted_json(&source.join("tests/qapi-schema"))? {
            small.extend(fs::read_to_string(path));
        }
        let mut whole = Vec::new();
        for schema in schemas {
            let files = read_all(&folder(source, schema))?;
            let real = Definitions::new(&files);
            small.extend(real.texts.iter().map(|text| (*text).to_owned()));
            small.extend((0..real.texts.len()).map(|index| real.with_references(index)));
            whole.extend(files);
        }
        small.retain(|seed| seed.contains('{') && seed.len() <= SMALL_BYTES_MAX);
        if small.is_empty() || whole.is_empty() {
            return Err(format!("{}: no schemas to mutate", source.display()));
        }
        Ok(Self {
            random: Random::new(seed),
            small: Mutator::new(small),
            whole,
        })
    }

    /// Returns the next mutated schema.
    pub(super) fn next(&mut self) -> String {
        if !self.random.one_in(WHOLE_SHARE) {
            return self.small.schema(&mut self.random);
        }
        let index = self.random.below(self.whole.len());
        let text = self.whole.get(index).map_or("", String::as_str);
        let changed = self.small.mutate(text, &mut self.random);
        if self.random.one_in(2) {
            // Include the real pragmas, because without them QEMU's generator
            // would refuse more names.
            format!("{{ 'include': 'pragma.json' }}\n\n{changed}")
        } else {
            changed
        }
    }
}

/// Links the files that schemas may include into `folder`.
pub(super) fn link(source: &Path, schemas: &[&str], folder: &Path) -> Result<(), Failure> {
    let tests = source.join("tests/qapi-schema");
    let mut targets = vec![tests.join("include")];
    targets.extend(sorted_json(&tests)?);
    for schema in schemas {
        targets.extend(sorted_json(&self::folder(source, schema))?);
    }
    for target in targets {
        let Some(name) = target.file_name() else {
            continue;
        };
        // If several files have one name, link the first and skip the others.
        let _ = std::os::unix::fs::symlink(&target, folder.join(name));
    }
    Ok(())
}

/// Returns the folder of a schema's main file, which has the schema's other
/// files, too.
fn folder(source: &Path, schema: &str) -> PathBuf {
    let path = source.join(schema);
    path.parent().unwrap_or(source).to_owned()
}

fn read_all(folder: &Path) -> Result<Vec<String>, Failure> {
    let paths = sorted_json(folder)?;
    Ok(paths.iter().flat_map(fs::read_to_string).collect())
}

/// The definitions of several files.
struct Definitions<'a> {
    texts: Vec<&'a str>,
    /// The place of each name's definition in `texts`.
    places: BTreeMap<&'a str, usize>,
}

impl<'a> Definitions<'a> {
    fn new(files: &'a [String]) -> Self {
        let texts: Vec<&str> = files.iter().flat_map(|file| file.split("\n\n")).collect();
        // A definition's first string is its kind, and the second one its name.
        let names = texts.iter().map(|text| strings(text).nth(1));
        let places = names
            .zip(0..)
            .filter_map(|(name, index)| Some((name?, index)))
            .collect();
        Self { texts, places }
    }

    /// Returns a definition with everything that it refers to, up to a limit.
    fn with_references(&self, index: usize) -> String {
        let mut done = BTreeSet::from([index]);
        let mut open = vec![index];
        let mut schema = String::new();
        while let Some(text) = open.pop().and_then(|index| self.texts.get(index)) {
            schema.push_str(text);
            schema.push_str("\n\n");
            if schema.len() > SMALL_BYTES_MAX {
                break;
            }
            let references = strings(text).filter_map(|name| self.places.get(name).copied());
            open.extend(references.filter(|&reference| done.insert(reference)));
        }
        schema
    }
}

/// Returns the insides of all strings that are not in comments.
fn strings(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(|line| line.split('\'').skip(1).step_by(2))
}

fn sorted_json(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    paths.sort();
    Ok(paths)
}

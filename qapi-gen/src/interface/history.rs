//! The paths that came and went over many releases.
//!
//! In: the interfaces of releases, the oldest first. Out: for each path the releases in
//! which it came or went.

use std::collections::{BTreeMap, BTreeSet};

use super::Interface;
use super::paths::TooManyPaths;

/// The paths of many releases, in the grammar of [`Interface::paths`].
#[derive(Clone, Debug, Default)]
pub struct History {
    releases: Vec<String>,
    /// For each path the indexes of the releases that have it, as ranges.
    spans: BTreeMap<String, Vec<Span>>,
}

/// The releases that have a path without interruption.
#[derive(Clone, Copy, Debug)]
struct Span {
    first: usize,
    last: usize,
}

/// A release in which a path came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// The path.
    pub path: &'a str,
    /// The release.
    pub release: &'a str,
    /// True if the path came, false if it went.
    pub came: bool,
}

impl History {
    /// Adds the next release.
    ///
    /// # Errors
    ///
    /// Fails if the interface has too many paths.
    pub fn add(&mut self, release: &str, interface: &Interface) -> Result<(), TooManyPaths> {
        self.add_paths(release, interface.paths()?);
        Ok(())
    }

    /// Adds the paths of the next release.
    pub(crate) fn add_paths(&mut self, release: &str, paths: Vec<String>) {
        let index = self.releases.len();
        self.releases.push(release.to_owned());
        let paths: BTreeSet<String> = paths.into_iter().collect();
        for path in paths {
            let spans = self.spans.entry(path).or_default();
            match spans.last_mut() {
                Some(span) if span.last + 1 == index => span.last = index,
                _ => spans.push(Span {
                    first: index,
                    last: index,
                }),
            }
        }
    }

    /// Returns the steps of all paths, by path and then by release. What the first
    /// release has did not come in any known one.
    pub fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        self.spans
            .iter()
            .flat_map(|(path, spans)| self.steps_of(path, spans))
    }

    /// Returns the steps of one path, or `None` if no release has it.
    #[must_use]
    pub fn steps_at(&self, path: &str) -> Option<Vec<Step<'_>>> {
        let (path, spans) = self.spans.get_key_value(path)?;
        Some(self.steps_of(path, spans))
    }

    /// Returns the release since which the newest release has a path: `None` if it
    /// does not have it. The first release of all says only that the path is at least
    /// as old.
    #[must_use]
    pub fn since(&self, path: &str) -> Option<Since<'_>> {
        let span = self.spans.get(path)?.last()?;
        if span.last + 1 != self.releases.len() {
            return None;
        }
        let release = self.releases.get(span.first)?;
        Some(if span.first == 0 {
            Since::AtLeast(release)
        } else {
            Since::Exactly(release)
        })
    }

    fn steps_of<'a>(&'a self, path: &'a str, spans: &[Span]) -> Vec<Step<'a>> {
        let mut steps = Vec::new();
        let step = |index: usize, came| {
            let release = self.releases.get(index)?;
            Some(Step {
                path,
                release,
                came,
            })
        };
        for span in spans {
            if span.first > 0 {
                steps.extend(step(span.first, true));
            }
            steps.extend(step(span.last + 1, false));
        }
        steps
    }
}

/// The age of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since<'a> {
    /// The oldest known release has the path.
    AtLeast(&'a str),
    /// The path came in this release.
    Exactly(&'a str),
}

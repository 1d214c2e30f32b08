//! The import graph of one package's files.
//!
//! In: the package's modules. Out: an arrow from each file to every file that
//! defines an item which the first one uses, and the shortest circle of
//! arrows. A re-export is followed to the definition, so that using a parent's
//! re-export is an arrow to that file.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use super::modules::{Binding, Mention, MentionKind, ModuleId, Modules};

/// The arrows between files, each with the first place that makes it one.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    pub(super) files: BTreeSet<PathBuf>,
    pub(super) arrows: BTreeMap<PathBuf, BTreeMap<PathBuf, Place>>,
}

/// The place in the importing file that ties two files.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Place {
    pub(super) line: usize,
    /// The path as it is written there.
    pub(super) path: String,
}

/// The result of resolving a path.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Target {
    /// An item that this module defines.
    ItemOf(ModuleId),
    Module(ModuleId),
}

impl Graph {
    pub(super) fn of(modules: &Modules) -> Self {
        let mut graph = Self::default();
        for (id, module) in modules.all.iter().enumerate() {
            graph.files.insert(module.file.clone());
            for mention in &module.mentions {
                graph.add(modules, id, mention);
            }
        }
        graph
    }

    fn add(&mut self, modules: &Modules, id: ModuleId, mention: &Mention) {
        let mut targets = modules.resolve(id, &mention.path, &mut BTreeSet::new());
        if targets.is_empty() && mention.kind == MentionKind::Macro {
            targets.extend(modules.macro_named(&mention.path));
        }
        for target in targets {
            // A module by itself is only a name; its items are used by the
            // paths that begin with it.
            let Target::ItemOf(other) = target else {
                continue;
            };
            let (Some(from), Some(to)) = (modules.file(id), modules.file(other)) else {
                continue;
            };
            let is_facade = mention.kind == MentionKind::Reexport && modules.is_within(other, id);
            if from != to && !is_facade {
                let place = Place {
                    line: mention.line,
                    path: mention.path.join("::"),
                };
                let arrows = self.arrows.entry(from.to_owned()).or_default();
                let first = arrows.entry(to.to_owned()).or_insert_with(|| place.clone());
                *first = place.min(first.clone());
            }
        }
    }

    pub(super) fn has_arrow(&self, from: &Path, to: &Path) -> bool {
        let arrows = self.arrows.get(from);
        arrows.is_some_and(|arrows| arrows.contains_key(to))
    }

    /// Removes the arrow from one file to another and returns its place.
    pub(super) fn remove(&mut self, from: &Path, to: &Path) -> Option<Place> {
        self.arrows.get_mut(from)?.remove(to)
    }

    /// Returns the files of the shortest circle, each of which imports the
    /// next one and the last the first.
    pub(super) fn circle(&self) -> Option<Vec<&Path>> {
        let circles = self.arrows.iter().flat_map(|(from, arrows)| {
            let ways = arrows.keys().filter_map(|to| self.way(to, from));
            ways.collect::<Vec<_>>()
        });
        circles.min_by_key(Vec::len)
    }

    /// Returns the shortest way from one file to another, both included.
    pub(super) fn way(&self, from: &Path, to: &Path) -> Option<Vec<&Path>> {
        let (from, _) = self.arrows.get_key_value(from)?;
        let mut came_from: BTreeMap<&Path, &Path> = BTreeMap::new();
        let mut waiting = VecDeque::from([from.as_path()]);
        while let Some(file) = waiting.pop_front() {
            if file == to {
                let mut way = vec![file];
                let mut last = file;
                while last != from.as_path()
                    && let Some(previous) = came_from.get(last)
                {
                    last = previous;
                    way.push(last);
                }
                way.reverse();
                return Some(way);
            }
            for next in self.arrows.get(file).into_iter().flat_map(BTreeMap::keys) {
                if next != from && !came_from.contains_key(next.as_path()) {
                    came_from.insert(next, file);
                    waiting.push_back(next);
                }
            }
        }
        None
    }
}

/// The imports that are being resolved, each with its module. An import that
/// leads back to itself is skipped.
type Visited = BTreeSet<(ModuleId, Vec<String>)>;

impl Modules {
    fn file(&self, id: ModuleId) -> Option<&Path> {
        self.all.get(id).map(|module| module.file.as_path())
    }

    /// Returns whether `inner` is `outer` or a module within it.
    fn is_within(&self, inner: ModuleId, outer: ModuleId) -> bool {
        let mut at = Some(inner);
        while let Some(id) = at {
            if id == outer {
                return true;
            }
            at = self.all.get(id).and_then(|module| module.parent);
        }
        false
    }

    /// Finds a macro by its name alone: `#[macro_export]` puts a macro at the
    /// crate's root, and a macro without it is visible wherever the text follows
    /// its definition.
    fn macro_named(&self, path: &[String]) -> Option<Target> {
        let name = match path {
            [name] => name,
            [root, name] if root == "crate" => name,
            _ => return None,
        };
        self.macros.get(name).map(|id| Target::ItemOf(*id))
    }

    /// Resolves a path in module `id`. A name may mean several
    /// things, such as a module and a function.
    fn resolve(&self, id: ModuleId, path: &[String], visited: &mut Visited) -> Vec<Target> {
        let Some((first, rest)) = path.split_first() else {
            return Vec::new();
        };
        let parent = || self.all.get(id).and_then(|module| module.parent);
        let mut targets = match first.as_str() {
            "crate" => self
                .all
                .get(id)
                .map(|module| Target::Module(module.root))
                .into_iter()
                .collect(),
            "self" => vec![Target::Module(id)],
            "super" => parent().map(Target::Module).into_iter().collect(),
            name => {
                let mut found = self.look_up(id, name, visited);
                if found.is_empty() {
                    found.extend(self.libraries.get(name).map(|id| Target::Module(*id)));
                }
                found
            }
        };
        for name in rest {
            let step = |target: Target| match target {
                // A variant or an associated item is defined where its type is.
                Target::ItemOf(_) => vec![target],
                Target::Module(id) if name == "super" => {
                    let parent = self.all.get(id).and_then(|module| module.parent);
                    parent.map(Target::Module).into_iter().collect()
                }
                Target::Module(id) => self.look_up(id, name, visited),
            };
            targets = targets.into_iter().flat_map(step).collect();
        }
        targets
    }

    /// Looks a name up in a module.
    fn look_up(&self, id: ModuleId, name: &str, visited: &mut Visited) -> Vec<Target> {
        let Some(module) = self.all.get(id) else {
            return Vec::new();
        };
        let mut targets = Vec::new();
        for binding in module.names.get(name).into_iter().flatten() {
            match binding {
                Binding::Item => targets.push(Target::ItemOf(id)),
                Binding::Module(child) => targets.push(Target::Module(*child)),
                Binding::Import(path) => {
                    targets.extend(self.follow(id, path, visited, |targets, _| targets));
                }
            }
        }
        if targets.is_empty() {
            for glob in &module.globs {
                targets.extend(self.follow(id, glob, visited, |modules, visited| {
                    let within = |target| match target {
                        Target::Module(other) => self.look_up(other, name, visited),
                        Target::ItemOf(_) => Vec::new(),
                    };
                    modules.into_iter().flat_map(within).collect()
                }));
            }
        }
        targets
    }

    /// Resolves an import, unless it is being resolved already, and goes on
    /// with what it leads to.
    fn follow(
        &self,
        id: ModuleId,
        path: &[String],
        visited: &mut Visited,
        then: impl FnOnce(Vec<Target>, &mut Visited) -> Vec<Target>,
    ) -> Vec<Target> {
        let key = (id, path.to_vec());
        if !visited.insert(key.clone()) {
            return Vec::new();
        }
        let targets = self.resolve(id, path, visited);
        let targets = then(targets, visited);
        visited.remove(&key);
        targets
    }
}

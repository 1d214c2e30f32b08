//! The pairs of types that differ.
//!
//! In: a type of each interface. Out: whether a difference can be reached from them.
//! Types refer to each other in circles, so that pairs are the nodes of a graph: a
//! pair differs if its two types do, or if a pair differs that it leads to.
//!
//! The comparison lists every place of a change, and without this graph it would
//! walk through every place where nothing changed, of which QEMU's schema has
//! millions.

use rustc_hash::FxHashMap;

use crate::interface::{Interface, Object, Shape, Traits, TypeIndex};

/// The pairs after which exploring ends. QEMU's schema has about a thousand types.
const PAIRS_MAX: usize = 2_000_000;

type Pair = (TypeIndex, TypeIndex);

pub(super) struct Sameness<'a> {
    old: &'a Interface,
    new: &'a Interface,
    /// The number of pairs that were found.
    pairs: usize,
    /// The pairs that are known, with whether they differ.
    known: FxHashMap<Pair, bool>,
}

impl<'a> Sameness<'a> {
    pub(super) fn new(old: &'a Interface, new: &'a Interface) -> Self {
        Self {
            old,
            new,
            pairs: 0,
            known: FxHashMap::default(),
        }
    }

    /// Returns whether there were more pairs than whole schemas of QEMU have, so that
    /// the rest counts as different.
    pub(super) fn is_exhausted(&self) -> bool {
        self.pairs > PAIRS_MAX
    }

    /// Returns whether a difference can be reached from a pair of types.
    pub(super) fn differs(&mut self, pair: Pair) -> bool {
        if let Some(differs) = self.known.get(&pair) {
            return *differs;
        }
        self.explore(pair);
        self.known.get(&pair).copied().unwrap_or(true)
    }

    /// Decides all pairs that can be reached from one.
    fn explore(&mut self, start: Pair) {
        let mut found: Vec<Pair> = vec![start];
        let mut index: FxHashMap<Pair, usize> = FxHashMap::default();
        index.insert(start, 0);
        let mut parents: Vec<Vec<usize>> = vec![Vec::new()];
        let mut different: Vec<usize> = Vec::new();
        let mut next = 0;
        while let Some(pair) = found.get(next).copied() {
            self.pairs += 1;
            if self.is_exhausted() {
                return;
            }
            let mut children = Vec::new();
            if !self.same_parts(pair, &mut children) {
                different.push(next);
            }
            for child in children {
                match self.known.get(&child) {
                    Some(true) => different.push(next),
                    Some(false) => {}
                    None => {
                        let at = *index.entry(child).or_insert_with(|| {
                            found.push(child);
                            parents.push(Vec::new());
                            found.len() - 1
                        });
                        if let Some(parents) = parents.get_mut(at) {
                            parents.push(next);
                        }
                    }
                }
            }
            next += 1;
        }
        for pair in &found {
            self.known.insert(*pair, false);
        }
        while let Some(at) = different.pop() {
            let Some(differs) = found.get(at).and_then(|pair| self.known.get_mut(pair)) else {
                continue;
            };
            if !std::mem::replace(differs, true) {
                different.extend(parents.get(at).into_iter().flatten());
            }
        }
    }

    /// Returns whether two types have the same parts, and lists the pairs of the
    /// types of these parts.
    fn same_parts(&self, (old, new): Pair, children: &mut Vec<Pair>) -> bool {
        let (old, new) = (self.old.ty(old), self.new.ty(new));
        if !self.same_traits(&old.traits, &new.traits) {
            return false;
        }
        match (&old.shape, &new.shape) {
            (Shape::Scalar(old), Shape::Scalar(new)) => {
                old.json_name() == new.json_name()
                    && (old.range() == new.range()
                        || old.range().is_none()
                        || new.range().is_none())
            }
            (Shape::Enum(old), Shape::Enum(new)) => {
                old.len() == new.len()
                    && old
                        .iter()
                        .zip(new)
                        .all(|(old, new)| old.0 == new.0 && self.same_traits(old.1, new.1))
            }
            (Shape::Array(old), Shape::Array(new)) => {
                children.push((*old, *new));
                true
            }
            (Shape::Alternate(old), Shape::Alternate(new)) => {
                for branch in old {
                    let kind = self.old.json_kind(branch.ty);
                    let same = new.iter().find(|new| self.new.json_kind(new.ty) == kind);
                    let Some(same) = same else { return false };
                    if !self.same_traits(&branch.traits, &same.traits) {
                        return false;
                    }
                    children.push((branch.ty, same.ty));
                }
                old.len() == new.len()
            }
            (Shape::Object(old), Shape::Object(new)) => self.same_object(old, new, children),
            _ => false,
        }
    }

    fn same_object(&self, old: &Object, new: &Object, children: &mut Vec<Pair>) -> bool {
        let mut same = old.members.len() == new.members.len();
        for ((old_name, old), (new_name, new)) in old.members.iter().zip(&new.members) {
            same &= old_name == new_name
                && old.optional == new.optional
                && self.same_traits(&old.traits, &new.traits);
            if !same {
                return false;
            }
            children.push((old.ty, new.ty));
        }
        match (&old.variants, &new.variants) {
            (None, None) => same,
            (Some(old), Some(new)) => {
                same &= old.tag == new.tag && old.cases.len() == new.cases.len();
                for ((old_name, old), (new_name, new)) in old.cases.iter().zip(&new.cases) {
                    same &= old_name == new_name && self.same_traits(&old.traits, &new.traits);
                    if !same {
                        return false;
                    }
                    children.push((old.ty, new.ty));
                }
                same
            }
            _ => false,
        }
    }

    fn same_traits(&self, old: &Traits, new: &Traits) -> bool {
        let same_cond = old.cond == new.cond || !self.old.is_schema || !self.new.is_schema;
        old.features == new.features && same_cond
    }
}

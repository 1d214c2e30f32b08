//! What follows from how types refer to each other: which are recursive, which
//! can be compared and hashed, which enumerations are open.
//!
//! In: the schema's types. Out: facts by type. It knows no spelling, and no
//! recursion of its own goes as deep as a schema does.

use std::collections::BTreeSet;

use super::paths::ModulePaths;
use super::ty::Replacements;
use crate::schema::{Builtin, CheckedSchema, Common, TypeId, TypeKind};

/// Facts about every type of a schema.
pub(super) struct TypeGraph {
    /// By type: the number of its strongly connected component.
    component: Vec<usize>,
    /// Types that hold a double or any value: they have no `Eq` and no `Hash`.
    inexact: BTreeSet<TypeId>,
    /// Enumerations that can have values which the schema does not list.
    open: BTreeSet<TypeId>,
}

impl TypeGraph {
    pub(super) fn new(
        schema: &CheckedSchema,
        open_enums: &BTreeSet<String>,
        paths: &ModulePaths,
        replaced: &Replacements,
    ) -> Self {
        let held: Vec<Vec<TypeId>> = schema
            .types()
            .map(|(id, _)| held_types(schema, id, false))
            .collect();
        let used: Vec<Vec<TypeId>> = schema
            .types()
            .map(|(id, _)| held_types(schema, id, true))
            .collect();
        let is_external = |common: &Common| paths.is_external(common.module);
        let sent = |only_external: bool| {
            let is_meant = move |common| !only_external || is_external(common);
            let replies = schema.commands().map(|(_, it)| (&it.common, it.ret));
            let events = schema.events().map(|(_, it)| (&it.common, it.arg));
            let types = replies.chain(events).filter(|(common, _)| is_meant(common));
            closure(types.filter_map(|(_, ty)| ty).collect(), &used)
        };
        // Another crate did not know our commands when its code was generated.
        let (sent_by_all, sent_by_external) = (sent(false), sent(true));
        let is_sent = |id: TypeId, common: &Common| {
            let sent = if is_external(common) {
                &sent_by_external
            } else {
                &sent_by_all
            };
            sent.contains(&id)
        };
        let open: BTreeSet<TypeId> = schema
            .types()
            .filter(|(id, ty)| {
                matches!(ty.kind, TypeKind::Enum(_))
                    && (is_sent(*id, &ty.common) || open_enums.contains(ty.common.name.as_str()))
            })
            .map(|(id, _)| id)
            .collect();
        let inexact_leaves = schema.types().filter(|(id, ty)| match &ty.kind {
            // Nobody knows what it has; that it holds itself is possible.
            _ if replaced.contains(*id) => true,
            TypeKind::Builtin(builtin) => matches!(builtin, Builtin::Number | Builtin::Any),
            // Its unknown branches keep members of any value.
            TypeKind::Object(object) => object
                .branches
                .as_ref()
                .is_some_and(|branches| open.contains(&branches.tag_type)),
            _ => false,
        });
        let inexact_leaves = inexact_leaves.map(|(id, _)| id).collect();
        Self {
            component: components(&held),
            inexact: closure(inexact_leaves, &reversed(&used)),
            open,
        }
    }

    /// Whether a field of type `held` within `holder` needs a box: the one
    /// contains the other.
    pub(super) fn needs_box(&self, holder: TypeId, held: TypeId) -> bool {
        self.component.get(index(holder)) == self.component.get(index(held))
    }

    /// Whether values of the type can be compared exactly and hashed.
    pub(super) fn is_exact(&self, ty: TypeId) -> bool {
        !self.inexact.contains(&ty)
    }

    /// Whether an enumeration can have values which the schema does not list:
    /// a reply or an event can carry it, or the caller said so.
    pub(super) fn is_open(&self, ty: TypeId) -> bool {
        self.open.contains(&ty)
    }
}

/// All types that these types hold, themselves included. What a type holds
/// that the caller has a Rust type for, is in that.
pub(super) fn reachable(
    schema: &CheckedSchema,
    start: Vec<TypeId>,
    replaced: &Replacements,
) -> BTreeSet<TypeId> {
    let used = schema.types().map(|(id, _)| match replaced.contains(id) {
        true => Vec::new(),
        false => held_types(schema, id, true),
    });
    closure(start, &used.collect::<Vec<_>>())
}

/// A type's place among all.
pub(super) fn index(id: TypeId) -> usize {
    id.0 as usize
}

/// The types that a value of `id` holds within itself; with `lists` also those
/// that it holds in lists.
fn held_types(schema: &CheckedSchema, id: TypeId, lists: bool) -> Vec<TypeId> {
    let mut held = Vec::new();
    match &schema.ty(id).kind {
        TypeKind::Builtin(_) | TypeKind::Enum(_) => {}
        TypeKind::Array(element) => {
            if lists {
                held.push(*element);
            }
        }
        TypeKind::Object(object) => {
            // A base is not held, but its members are: they are copied in.
            held.extend(object.base);
            held.extend(object.members.iter().map(|member| member.ty));
            if let Some(branches) = &object.branches {
                held.push(branches.tag_type);
                held.extend(branches.list.iter().map(|branch| branch.ty));
            }
        }
        TypeKind::Alternate(alternate) => {
            held.extend(alternate.branches.iter().map(|branch| branch.ty));
        }
    }
    held
}

fn reversed(edges: &[Vec<TypeId>]) -> Vec<Vec<TypeId>> {
    let mut reversed = vec![Vec::new(); edges.len()];
    for (from, targets) in edges.iter().enumerate() {
        for to in targets {
            if let Some(sources) = reversed.get_mut(index(*to)) {
                sources.push(TypeId::at(from));
            }
        }
    }
    reversed
}

/// Everything that can be reached from `start`, itself included.
fn closure(start: Vec<TypeId>, edges: &[Vec<TypeId>]) -> BTreeSet<TypeId> {
    let mut reached: BTreeSet<TypeId> = start.iter().copied().collect();
    let mut pending = start;
    while let Some(id) = pending.pop() {
        for next in edges.get(index(id)).into_iter().flatten() {
            if reached.insert(*next) {
                pending.push(*next);
            }
        }
    }
    reached
}

/// The strongly connected components, by Kosaraju's two passes: an order by
/// finishing time, then a sweep against the edges.
pub(super) fn components(edges: &[Vec<TypeId>]) -> Vec<usize> {
    let order = finishing_order(edges);
    let against = reversed(edges);
    let mut component = vec![usize::MAX; edges.len()];
    for (number, root) in order.into_iter().rev().enumerate() {
        let mut pending = vec![root];
        while let Some(id) = pending.pop() {
            if let Some(slot) = component.get_mut(index(id))
                && *slot == usize::MAX
            {
                *slot = number;
                pending.extend(against.get(index(id)).into_iter().flatten());
            }
        }
    }
    component
}

/// An order in which a type comes after all that it leads to, unless they lead
/// back to it.
pub(super) fn finishing_order(edges: &[Vec<TypeId>]) -> Vec<TypeId> {
    let mut order = Vec::with_capacity(edges.len());
    let mut seen = vec![false; edges.len()];
    for start in 0..edges.len() {
        // Each entry: a type, and how many of its edges have been followed.
        let mut path = vec![(TypeId::at(start), 0)];
        if seen.get(start).copied().unwrap_or(true) {
            continue;
        }
        while let Some((id, followed)) = path.pop() {
            if let Some(mark) = seen.get_mut(index(id)) {
                *mark = true;
            }
            let next = edges
                .get(index(id))
                .and_then(|targets| targets.get(followed));
            let Some(next) = next else {
                order.push(id);
                continue;
            };
            path.push((id, followed + 1));
            if !seen.get(index(*next)).copied().unwrap_or(true) {
                path.push((*next, 0));
            }
        }
    }
    order
}

//! Facts that follow from how types refer to each other: which are recursive,
//! which can be compared exactly, which enumerations are open.
//!
//! In: the types of a schema. Out: facts by type. This module must not know how
//! a language spells a type, and must not recurse as deeply as a schema does.

use std::collections::BTreeSet;

use crate::schema::{Builtin, CheckedSchema, Common, ModuleId, TypeId, TypeKind};

/// The choices of a caller that change facts about types.
pub(crate) struct Overrides<'a> {
    /// The names of enumerations that are open whatever the schema does with
    /// them.
    pub(crate) open_enums: &'a BTreeSet<String>,
    /// Returns whether the code of a module was generated elsewhere, without
    /// knowledge of the commands and events of this schema.
    pub(crate) is_external: &'a dyn Fn(ModuleId) -> bool,
    /// Returns whether a type is replaced by one whose content is unknown.
    pub(crate) is_opaque: &'a dyn Fn(TypeId) -> bool,
}

/// Facts about every type of a schema.
pub(crate) struct TypeGraph {
    /// The number of each type's strongly connected component.
    component: Vec<usize>,
    /// The types that contain a floating-point number or arbitrary JSON, so
    /// that their values have no exact equality and no hash.
    inexact: BTreeSet<TypeId>,
    /// The enumerations whose values at run time may be missing in the schema.
    open: BTreeSet<TypeId>,
}

impl TypeGraph {
    /// Computes the facts about all types.
    pub(crate) fn new(schema: &CheckedSchema, overrides: &Overrides<'_>) -> Self {
        let edges = |lists| -> Vec<Vec<TypeId>> {
            schema
                .types()
                .map(|(id, _)| contained_types(schema, id, lists))
                .collect()
        };
        let (contained, used) = (edges(Lists::Exclude), edges(Lists::Include));
        let open = open_enums(schema, overrides, &used);
        let inexact_leaves = schema.types().filter(|(id, ty)| match &ty.kind {
            _ if (overrides.is_opaque)(*id) => true,
            TypeKind::Builtin(builtin) => matches!(builtin, Builtin::Number | Builtin::Any),
            // The branch of an unknown discriminator is arbitrary JSON.
            TypeKind::Object(object) => object
                .branches
                .as_ref()
                .is_some_and(|branches| open.contains(&branches.tag_type)),
            _ => false,
        });
        let inexact_leaves = inexact_leaves.map(|(id, _)| id).collect();
        Self {
            component: components(&contained),
            inexact: closure(inexact_leaves, &reversed(&used)),
            open,
        }
    }

    /// Returns whether a field of type `field` in type `owner` needs an
    /// indirection, because each of the two types contains the other.
    pub(crate) fn is_recursive(&self, owner: TypeId, field: TypeId) -> bool {
        self.component.get(index(owner)) == self.component.get(index(field))
    }

    /// Returns whether the values of a type can be compared exactly and hashed.
    pub(crate) fn is_exact(&self, ty: TypeId) -> bool {
        !self.inexact.contains(&ty)
    }

    /// Returns whether an enumeration may have values that the schema does not
    /// list: a reply or an event can carry it, so that a newer peer may send
    /// newer values, or the caller declared it open.
    pub(crate) fn is_open(&self, ty: TypeId) -> bool {
        self.open.contains(&ty)
    }
}

/// Returns all types that `start` contains directly or indirectly, `start`
/// included. The search does not look into types for which `is_opaque` holds.
pub(crate) fn reachable(
    schema: &CheckedSchema,
    start: Vec<TypeId>,
    is_opaque: &dyn Fn(TypeId) -> bool,
) -> BTreeSet<TypeId> {
    let used = schema.types().map(|(id, _)| match is_opaque(id) {
        true => Vec::new(),
        false => contained_types(schema, id, Lists::Include),
    });
    closure(start, &used.collect::<Vec<_>>())
}

/// Returns the position of a type in vectors that have an element for each type
/// of a schema.
pub(crate) fn index(id: TypeId) -> usize {
    id.0 as usize
}

/// Returns the enumerations that a reply or an event can carry, and those that
/// the caller declared open.
fn open_enums(
    schema: &CheckedSchema,
    overrides: &Overrides<'_>,
    used: &[Vec<TypeId>],
) -> BTreeSet<TypeId> {
    let is_external = |common: &Common| (overrides.is_external)(common.module);
    let sent_by = |is_sender: &dyn Fn(&Common) -> bool| {
        let replies = schema.commands().map(|(_, it)| (&it.common, it.ret));
        let events = schema.events().map(|(_, it)| (&it.common, it.arg));
        let types = replies
            .chain(events)
            .filter(|(common, _)| is_sender(common));
        closure(types.filter_map(|(_, ty)| ty).collect(), used)
    };
    let sent_by_all = sent_by(&|_| true);
    // The code of an external module must agree with that of its own crate,
    // which was generated without the commands and events of this one.
    let sent_by_external = sent_by(&is_external);
    let enums = schema.types().filter(|(id, ty)| {
        let sent = match is_external(&ty.common) {
            true => &sent_by_external,
            false => &sent_by_all,
        };
        matches!(ty.kind, TypeKind::Enum(_))
            && (sent.contains(id) || overrides.open_enums.contains(ty.common.name.as_str()))
    });
    enums.map(|(id, _)| id).collect()
}

/// Whether the elements of a list count as contained in its owner. They do not
/// for the size of a value, because a list is an indirection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lists {
    Include,
    Exclude,
}

/// Returns the types that a value of type `id` contains directly.
pub(crate) fn contained_types(schema: &CheckedSchema, id: TypeId, lists: Lists) -> Vec<TypeId> {
    let mut contained = Vec::new();
    match &schema.ty(id).kind {
        TypeKind::Builtin(_) | TypeKind::Enum(_) => {}
        TypeKind::Array(element) => {
            if lists == Lists::Include {
                contained.push(*element);
            }
        }
        TypeKind::Object(object) => {
            // The members of a base become members of the type.
            contained.extend(object.base);
            contained.extend(object.members.iter().map(|member| member.ty));
            if let Some(branches) = &object.branches {
                contained.push(branches.tag_type);
                contained.extend(branches.list.iter().map(|branch| branch.ty));
            }
        }
        TypeKind::Alternate(alternate) => {
            contained.extend(alternate.branches.iter().map(|branch| branch.ty));
        }
    }
    contained
}

/// Returns the graph with all edges reversed.
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

/// Returns everything that can be reached from `start`, `start` included.
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

/// Returns the number of each type's strongly connected component.
///
/// This is Kosaraju's algorithm: sort by finishing time, then follow the
/// reversed edges in the opposite order.
pub(crate) fn components(edges: &[Vec<TypeId>]) -> Vec<usize> {
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

/// Returns all types in an order in which a type follows the types that its
/// edges lead to, except for types from which an edge leads back.
pub(crate) fn finishing_order(edges: &[Vec<TypeId>]) -> Vec<TypeId> {
    let mut order = Vec::with_capacity(edges.len());
    let mut seen = vec![false; edges.len()];
    for start in 0..edges.len() {
        // Each entry is a type and the number of its edges that were followed.
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

//! How deeply types hold each other.
//!
//! In: the schema's types. Out: a diagnostic if that is more than rustc takes
//! in a crate that does not ask for more. It does not know what is generated.

use std::cmp::Reverse;

use super::problem::RustProblem;
use crate::analysis::type_graph::{components, finishing_order, index};
use crate::diag::Diagnostics;
use crate::schema::{CheckedSchema, TypeId, TypeKind};

/// What rustc takes unless a crate says `#![recursion_limit]`.
const LIMIT: usize = 128;
/// What is left of it to the caller's own types around those of the schema.
const RESERVE: usize = 8;

/// Reports the type in which the nesting is deepest, if it is too deep. What
/// holds itself does not count: rustc sees that it has been there before.
pub(super) fn report(schema: &CheckedSchema, diagnostics: &mut Diagnostics) {
    let held: Vec<Vec<Held>> = schema.types().map(|(id, _)| held(schema, id)).collect();
    let ids = |held: &Vec<Held>| held.iter().map(|held| held.ty).collect();
    let edges: Vec<Vec<TypeId>> = held.iter().map(ids).collect();
    let component = components(&edges);
    let component_of = |id: TypeId| component.get(index(id)).copied().unwrap_or(usize::MAX);
    // By component: the levels from its types down. What a type of one holds
    // in another comes before it in this order.
    let mut depths = vec![0; edges.len()];
    for id in finishing_order(&edges) {
        let own = component_of(id);
        let below = held.get(index(id)).into_iter().flatten();
        let below = below.filter(|held| component_of(held.ty) != own);
        let depth_of = |held: &Held| {
            let depth = depths.get(component_of(held.ty)).copied();
            depth.unwrap_or(0) + held.levels
        };
        let depth = below.map(depth_of).max().unwrap_or(0);
        if let Some(deepest) = depths.get_mut(own) {
            *deepest = depth.max(*deepest);
        }
    }
    let depth_of = |id| depths.get(component_of(id)).copied().unwrap_or(0);
    let is_written = |id| schema.ty(id).common.span.is_some();
    let types = schema
        .types()
        .map(|(id, _)| id)
        .filter(|id| is_written(*id));
    // Of several the first that the schema has.
    let deepest = types.min_by_key(|id| Reverse(depth_of(*id)));
    if let Some(id) = deepest.filter(|id| depth_of(*id) > LIMIT - RESERVE) {
        let common = &schema.ty(id).common;
        let problem = RustProblem::NestedTypes {
            name: common.name.to_string(),
            depth: depth_of(id),
            limit: LIMIT,
        };
        diagnostics.report(problem.into(), common.span);
    }
}

/// A type that another holds, and how many levels rustc counts between them.
struct Held {
    ty: TypeId,
    levels: usize,
}

fn held(schema: &CheckedSchema, id: TypeId) -> Vec<Held> {
    let at = |levels| move |ty| Held { ty, levels };
    match &schema.ty(id).kind {
        TypeKind::Builtin(_) | TypeKind::Enum(_) => Vec::new(),
        // A `Vec`, what it holds its elements with, and a marker of their type.
        TypeKind::Array(element) => vec![at(3)(*element)],
        TypeKind::Object(object) => {
            let members = object.members.iter();
            let members = members.map(|member| at(1 + usize::from(member.optional))(member.ty));
            // Between a union and its branches is an enum.
            let branches = object.branches.iter().flat_map(|branches| &branches.list);
            let branches = branches.map(|branch| at(2)(branch.ty));
            let base = object.base.map(at(0));
            base.into_iter().chain(members).chain(branches).collect()
        }
        TypeKind::Alternate(alternate) => {
            let branches = alternate.branches.iter();
            branches.map(|branch| at(1)(branch.ty)).collect()
        }
    }
}

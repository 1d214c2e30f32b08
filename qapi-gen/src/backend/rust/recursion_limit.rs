//! Compares the nesting of types with rustc's recursion limit.
//!
//! In: the types of the schema. Out: a diagnostic if they nest more deeply than
//! rustc's default limit allows.

use std::cmp::Reverse;

use super::problem::RustProblem;
use crate::analysis::type_graph::{components, finishing_order, index};
use crate::diag::Diagnostics;
use crate::schema::{CheckedSchema, TypeId, TypeKind};

/// rustc's default limit, which a crate can raise with `#![recursion_limit]`.
const LIMIT: usize = 128;
/// The part of the limit that is left to the caller's types around those of the
/// schema.
const RESERVE: usize = 8;

/// Reports the type with the deepest nesting, if it is too deep. Recursion does
/// not count, because rustc recognises types that it has visited.
pub(super) fn report(schema: &CheckedSchema, diagnostics: &mut Diagnostics) {
    let held: Vec<Vec<Held>> = schema.types().map(|(id, _)| held(schema, id)).collect();
    let ids = |held: &Vec<Held>| held.iter().map(|held| held.ty).collect();
    let edges: Vec<Vec<TypeId>> = held.iter().map(ids).collect();
    let component = components(&edges);
    let component_of = |id: TypeId| component.get(index(id)).copied().unwrap_or(usize::MAX);
    // The nesting depth by strongly connected component. `finishing_order`
    // visits a component after everything that it contains, so one pass is
    // enough.
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
    // If several types are equally deep, this is the first in the schema.
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

/// A type within another, and the number of levels that rustc counts between
/// the two.
struct Held {
    ty: TypeId,
    levels: usize,
}

fn held(schema: &CheckedSchema, id: TypeId) -> Vec<Held> {
    let at = |levels| move |ty| Held { ty, levels };
    match &schema.ty(id).kind {
        TypeKind::Builtin(_) | TypeKind::Enum(_) => Vec::new(),
        // The levels of a `Vec`: the vector, its buffer, and a marker type.
        TypeKind::Array(element) => vec![at(3)(*element)],
        TypeKind::Object(object) => {
            let members = object.members.iter();
            let members = members.map(|member| at(1 + usize::from(member.optional))(member.ty));
            // Two levels, because the enum of the branches is between the union
            // and a branch.
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

//! Members and values: no two have the same name, in an object and its bases
//! together.
//!
//! In: a schema. Out: reports. The branches of unions are checked elsewhere.

use std::borrow::Cow;

use rustc_hash::FxHashMap as HashMap;

use super::c_name::c_name;
use crate::diag::{DefinitionPart, Diagnostics, Problem};
use crate::schema::describe;
use crate::schema::provenance::ResolvedSchema;
use crate::schema::qemu_order::{BASE, CheckPoint};
use crate::schema::{Entity, Enum, EnumValue, Member, Object, TypeId, TypeKind};

/// Checks names within enums, and within objects with all their bases.
pub(super) fn check(schema: &ResolvedSchema, diagnostics: &mut Diagnostics) {
    let mut derived: HashMap<TypeId, Vec<TypeId>> = HashMap::default();
    let mut roots = Vec::new();
    for (id, ty) in schema.types() {
        match &ty.kind {
            TypeKind::Enum(kind) => values(schema, id, kind, diagnostics),
            TypeKind::Object(object) => match base(schema, id, object, diagnostics) {
                Some(base) => derived.entry(base).or_default().push(id),
                None => roots.push(id),
            },
            TypeKind::Builtin(_) | TypeKind::Array(_) | TypeKind::Alternate(_) => {}
        }
    }
    // Walk from root bases to derived types, so that the members of a base are
    // visited once, not once per derived type. Cyclic bases have no root and
    // are skipped here; `recursion.rs` reports them.
    for root in roots {
        descend(schema, root, &derived, diagnostics);
    }
}

/// Checks the values of an enum.
fn values(schema: &ResolvedSchema, id: TypeId, kind: &Enum, diagnostics: &mut Diagnostics) {
    let mut seen: HashMap<Cow<'_, str>, &EnumValue> = HashMap::default();
    for value in &kind.values {
        let Some(first) = seen.insert(c_name(&value.name), value) else {
            continue;
        };
        let problem = Problem::Collision {
            what: DefinitionPart::Value(value.name.to_string(), None),
            with: DefinitionPart::Value(first.name.to_string(), None),
        };
        let entity = Entity::Type(id);
        let site = schema.site(entity).map(|site| site.showing(value.span));
        diagnostics.report_ranked(problem, site, CheckPoint::new(entity, 0, 1).rank());
    }
}

/// Returns an object's base. Reports a base that is not a struct and returns
/// `None` then.
fn base(
    schema: &ResolvedSchema,
    id: TypeId,
    object: &Object,
    diagnostics: &mut Diagnostics,
) -> Option<TypeId> {
    let base = object.base.filter(|&base| !schema.is_unresolved(base))?;
    if matches!(&schema.ty(base).kind, TypeKind::Object(base) if base.branches.is_none()) {
        return Some(base);
    }
    let entity = Entity::Type(id);
    let problem = Problem::BaseNotStruct(describe::type_name(schema, base));
    let step = CheckPoint::new(entity, BASE.0, BASE.1);
    diagnostics.report_ranked(problem, schema.site(entity), step.rank());
    None
}

/// The members of an object and its bases, by their C names.
type Seen<'a> = HashMap<Cow<'a, str>, (TypeId, &'a Member)>;

/// An event of the walk through derived types.
enum Visit {
    Enter(TypeId),
    Leave(TypeId),
}

/// Checks a root and all types derived from it.
fn descend(
    schema: &ResolvedSchema,
    root: TypeId,
    derived: &HashMap<TypeId, Vec<TypeId>>,
    diagnostics: &mut Diagnostics,
) {
    let mut seen = Seen::default();
    let mut todo = vec![Visit::Enter(root)];
    while let Some(visit) = todo.pop() {
        match visit {
            Visit::Enter(id) => {
                enter(schema, id, &mut seen, diagnostics);
                if let Some(derived) = derived.get(&id) {
                    todo.push(Visit::Leave(id));
                    todo.extend(derived.iter().map(|&id| Visit::Enter(id)));
                } else {
                    leave(schema, id, &mut seen);
                }
            }
            Visit::Leave(id) => leave(schema, id, &mut seen),
        }
    }
}

/// Adds an object's own members to `seen`, and reports those already there.
fn enter<'a>(
    schema: &'a ResolvedSchema,
    id: TypeId,
    seen: &mut Seen<'a>,
    diagnostics: &mut Diagnostics,
) {
    for (member, index) in schema.own_members(id).iter().zip(0u32..) {
        let name = c_name(&member.name);
        let Some(&(owner, first)) = seen.get(&name) else {
            seen.insert(name, (id, member));
            continue;
        };
        let entity = Entity::Type(id);
        let site = schema.site(entity);
        let problem = Problem::Collision {
            what: describe::member_part_of(schema, id, member, site.as_ref()),
            with: describe::member_part_of(schema, owner, first, site.as_ref()),
        };
        let site = site.map(|site| site.showing(member.span));
        diagnostics.report_ranked(problem, site, CheckPoint::new(entity, 1, index).rank());
    }
}

/// Removes an object's own members from `seen`.
fn leave<'a>(schema: &'a ResolvedSchema, id: TypeId, seen: &mut Seen<'a>) {
    for member in schema.own_members(id) {
        let name = c_name(&member.name);
        // Keep the member of a base that clashed with one of this object.
        if seen.get(&name).is_some_and(|(owner, _)| *owner == id) {
            seen.remove(&name);
        }
    }
}

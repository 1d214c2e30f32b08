//! Members and values: no name twice, also not with what a base has.
//!
//! In: a schema. Out: reports. Of unions it looks at the base alone.

use std::borrow::Cow;

use rustc_hash::FxHashMap as HashMap;

use super::c_name::{c_name, is_same_c_name};
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
    // From every base to what derives from it, so that the members of a base
    // are looked at once and not once for every object that has them. What
    // is its own base is never reached.
    for root in roots {
        descend(schema, root, &derived, diagnostics);
    }
}

fn values(schema: &ResolvedSchema, id: TypeId, kind: &Enum, diagnostics: &mut Diagnostics) {
    if are_few_and_distinct(kind.values.iter().map(|value| value.name.as_str())) {
        return;
    }
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

/// An object's base, if it may be one.
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

/// The members on the way from a root to an object, by their C names.
type Seen<'a> = HashMap<Cow<'a, str>, (TypeId, &'a Member)>;

/// Up to this many names, comparing is cheaper than hashing.
const FEW: usize = 12;

enum Visit {
    Enter(TypeId),
    Leave(TypeId),
}

fn descend(
    schema: &ResolvedSchema,
    root: TypeId,
    derived: &HashMap<TypeId, Vec<TypeId>>,
    diagnostics: &mut Diagnostics,
) {
    // Most objects neither have a base nor are one, and have few members.
    let members = schema.own_members(root);
    let names = members.iter().map(|member| member.name.as_str());
    if !derived.contains_key(&root) && are_few_and_distinct(names) {
        return;
    }
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

/// Whether comparing all names with each other is quick, and finds nothing.
fn are_few_and_distinct<'a>(names: impl ExactSizeIterator<Item = &'a str> + Clone) -> bool {
    let mut rest = names.clone();
    names.len() <= FEW
        && names.clone().all(|name| {
            rest.next();
            !rest.clone().any(|other| is_same_c_name(name, other))
        })
}

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

fn leave<'a>(schema: &'a ResolvedSchema, id: TypeId, seen: &mut Seen<'a>) {
    for member in schema.own_members(id) {
        let name = c_name(&member.name);
        // A member that clashed is not the one that is there.
        if seen.get(&name).is_some_and(|(owner, _)| *owner == id) {
            seen.remove(&name);
        }
    }
}

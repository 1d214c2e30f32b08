//! Alternates: no two branches have the same JSON type.
//!
//! In: a schema. Out: reports.

use std::borrow::Cow;

use rustc_hash::FxHashMap as HashMap;

use super::c_name::c_name;
use crate::diag::{DefinitionPart, Diagnostics, Problem};
use crate::rules::Fact;
use crate::schema::describe;
use crate::schema::provenance::ResolvedSchema;
use crate::schema::qemu_order::CheckPoint;
use crate::schema::{Alternate, Branch, Builtin, Entity, TypeId, TypeKind};

/// A type of JSON values.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum JsonType {
    Null,
    String,
    Number,
    Boolean,
    Array,
    Object,
}

/// Checks every alternate.
pub(super) fn check(schema: &ResolvedSchema, diagnostics: &mut Diagnostics) {
    for (id, ty) in schema.types() {
        if let TypeKind::Alternate(alternate) = &ty.kind {
            branches(schema, id, alternate, diagnostics);
        }
    }
}

/// Checks the branches of an alternate.
fn branches(
    schema: &ResolvedSchema,
    id: TypeId,
    alternate: &Alternate,
    diagnostics: &mut Diagnostics,
) {
    let mut report = |branch: &Branch, problem| {
        let entity = Entity::Type(id);
        let site = schema.site(entity).map(|site| site.showing(branch.span));
        diagnostics.report_ranked(problem, site, CheckPoint::new(entity, 0, 2).rank());
    };
    let mut names: HashMap<Cow<'_, str>, &str> = HashMap::default();
    let mut taken: HashMap<JsonType, &str> = HashMap::default();
    for branch in &alternate.branches {
        let role = || DefinitionPart::Branch(branch.name.to_string(), None);
        if let Some(first) = names.insert(c_name(&branch.name), &branch.name) {
            let with = DefinitionPart::Branch(first.to_owned(), None);
            report(branch, Problem::Collision { what: role(), with });
        }
        if schema.is_unresolved(branch.ty) {
            continue;
        }
        let types = json_types(schema, branch.ty);
        if types.is_empty() {
            let ty = describe::type_name(schema, branch.ty);
            report(branch, Problem::CannotUse { user: role(), ty });
        }
        if let Some(other) = types.iter().find_map(|ty| taken.get(ty)) {
            let other = (*other).to_owned();
            report(
                branch,
                Problem::Indistinct {
                    branch: role(),
                    other,
                },
            );
        }
        for ty in types {
            taken.insert(ty, &branch.name);
        }
    }
}

/// Returns the JSON types that values of a branch may have, its own type first.
/// Returns an empty list if no alternate can have such a branch.
fn json_types(schema: &ResolvedSchema, id: TypeId) -> Vec<JsonType> {
    match &schema.ty(id).kind {
        // QEMU also reads alternates from its command line, where every value
        // is a string; so a string branch conflicts with numbers and booleans.
        TypeKind::Builtin(Builtin::Str) => {
            vec![JsonType::String, JsonType::Number, JsonType::Boolean]
        }
        TypeKind::Enum(kind) => {
            let mut types = vec![JsonType::String];
            if kind
                .values
                .iter()
                .any(|value| matches!(value.name.as_str(), "on" | "off"))
            {
                types.push(JsonType::Boolean);
            }
            let looks_like_number = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.');
            if kind
                .values
                .iter()
                .any(|value| value.name.starts_with(looks_like_number))
            {
                types.push(JsonType::Number);
            }
            types
        }
        TypeKind::Builtin(Builtin::Any) | TypeKind::Alternate(_) => Vec::new(),
        TypeKind::Builtin(Builtin::Null) => vec![JsonType::Null],
        TypeKind::Builtin(Builtin::Bool) => vec![JsonType::Boolean],
        TypeKind::Builtin(_) => vec![JsonType::Number],
        TypeKind::Array(_) if !schema.rules.have(Fact::AlternateArrays) => Vec::new(),
        TypeKind::Array(_) => vec![JsonType::Array],
        TypeKind::Object(_) => vec![JsonType::Object],
    }
}

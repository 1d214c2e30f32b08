//! The parts of a schema that do nothing.
//!
//! In: a checked schema. Out: includes, types and exceptions that nobody needs.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashSet;

use super::advice::{Advice, Places, Rule};
use crate::analysis::selection::types_of;
use crate::analysis::type_graph::{Lists, contained_types, reachable};
use crate::schema::{CheckedSchema, Entity, Member, ModuleId, TypeId, TypeKind};

/// Checks includes, types and pragmas.
pub(super) fn check(places: &Places<'_>, advice: &mut Vec<Advice>) {
    includes(places, advice);
    unreachable(places, advice);
    pragmas(places, advice);
}

/// Returns the types that a definition uses directly.
fn uses(schema: &CheckedSchema, entity: Entity) -> Vec<TypeId> {
    match entity {
        Entity::Type(id) => contained_types(schema, id, Lists::Include),
        Entity::Command(_) | Entity::Event(_) => types_of(schema, entity),
    }
}

fn includes(places: &Places<'_>, advice: &mut Vec<Advice>) {
    let schema = places.schema;
    // Map each module to its direct includes; `reached_modules` follows them.
    let mut included: BTreeMap<ModuleId, BTreeSet<ModuleId>> = BTreeMap::new();
    for (id, module) in schema.modules() {
        let direct = module.includes.iter().map(|include| include.module);
        included.insert(id, direct.collect());
    }
    for (id, module) in schema.modules() {
        let mut needed: BTreeSet<ModuleId> = BTreeSet::new();
        for entity in &module.entities {
            for used in uses(schema, *entity) {
                let mut used = used;
                while let TypeKind::Array(element) = schema.ty(used).kind {
                    used = element;
                }
                needed.insert(schema.ty(used).common.module);
            }
        }
        // A file without definitions only collects others.
        if module.entities.is_empty() || id.0 == 1 {
            continue;
        }
        for include in &module.includes {
            let reached = reached_modules(&included, include.module);
            if needed.is_disjoint(&reached) {
                let name = &schema.module(include.module).name;
                advice.push(Advice {
                    rule: Rule::IncludeUnneeded,
                    subject: format!("{} includes {name}", module.name),
                    message: "nothing here uses a type of that file".to_owned(),
                    place: places.of(Some(include.span)),
                });
            }
        }
    }
}

fn reached_modules(
    included: &BTreeMap<ModuleId, BTreeSet<ModuleId>>,
    from: ModuleId,
) -> BTreeSet<ModuleId> {
    let mut reached = BTreeSet::from([from]);
    let mut next = vec![from];
    while let Some(module) = next.pop() {
        for module in included.get(&module).into_iter().flatten() {
            if reached.insert(*module) {
                next.push(*module);
            }
        }
    }
    reached
}

fn unreachable(places: &Places<'_>, advice: &mut Vec<Advice>) {
    let schema = places.schema;
    let entities = schema.entities().iter().copied();
    let mut roots = entities
        .filter(|entity| !matches!(entity, Entity::Type(_)))
        .peekable();
    // A schema of data files has only types.
    if roots.peek().is_none() {
        return;
    }
    let used = roots.flat_map(|root| types_of(schema, root)).collect();
    let reached = reachable(schema, used, &|_| false);
    for (id, ty) in schema.types() {
        if ty.is_written() && !reached.contains(&id) {
            advice.push(Advice {
                rule: Rule::TypeUnreachable,
                subject: ty.common.name.to_string(),
                message: "no command and no event uses it".to_owned(),
                place: places.of_entity(Entity::Type(id)),
            });
        }
    }
}

/// Returns whether a name needs an exception.
type Needs<'a> = &'a dyn Fn(&str) -> bool;

/// Checks the names in pragmas, which have no place in the checked schema.
fn pragmas(places: &Places<'_>, advice: &mut Vec<Advice>) {
    let schema = places.schema;
    let pragmas = &schema.pragmas;
    let command = |name: &str| match schema.entity_named(name) {
        Some(Entity::Command(id)) => Some(schema.command(id)),
        _ => None,
    };
    let has_odd_case = |name: &str| name.contains(|c: char| c == '_' || c.is_ascii_uppercase());
    let needs_name = |name: &str| command(name).is_some() && has_odd_case(name);
    let needs_return = |name: &str| {
        let ret = command(name).and_then(|command| command.ret);
        ret.is_some_and(|mut ret| {
            if let TypeKind::Array(element) = schema.ty(ret).kind {
                ret = element;
            }
            !matches!(schema.ty(ret).kind, TypeKind::Object(_))
        })
    };
    let needs_member_names = |name: &str| {
        let entity = schema.entity_named(name);
        entity.is_some_and(|entity| {
            part_names(places, entity)
                .iter()
                .any(|name| has_odd_case(name))
        })
    };
    let needs_documentation = |name: &str| {
        let entity = schema.entity_named(name);
        let doc = entity.and_then(|entity| schema.common(entity).doc.as_ref());
        doc.is_some_and(|doc| doc.members().any(|member| member.text.is_empty()))
    };
    let lists: [(&str, &FxHashSet<String>, Needs<'_>); 4] = [
        (
            "command-name-exceptions",
            &pragmas.command_name_exceptions,
            &needs_name,
        ),
        (
            "command-returns-exceptions",
            &pragmas.command_returns_exceptions,
            &needs_return,
        ),
        (
            "member-name-exceptions",
            &pragmas.member_name_exceptions,
            &needs_member_names,
        ),
        (
            "documentation-exceptions",
            &pragmas.documentation_exceptions,
            &needs_documentation,
        ),
    ];
    for (pragma, names, needs) in lists {
        let mut names: Vec<&String> = names.iter().collect();
        names.sort();
        for name in names {
            if needs(name) {
                continue;
            }
            let entity = schema.entity_named(name);
            let reason = match entity {
                None => "nothing has this name",
                Some(_) => "it follows the rule",
            };
            advice.push(Advice {
                rule: Rule::PragmaUnneeded,
                subject: format!("{pragma} {name}"),
                message: format!("{reason}; remove the exception"),
                place: entity.and_then(|entity| places.of_entity(entity)),
            });
        }
    }
}

/// Returns the names of a definition's own members or values.
fn part_names(places: &Places<'_>, entity: Entity) -> Vec<String> {
    let schema = places.schema;
    let ty = match entity {
        Entity::Type(id) => Some(id),
        Entity::Command(id) => schema.command(id).arg,
        Entity::Event(id) => schema.event(id).arg,
    };
    let Some(ty) = ty else { return Vec::new() };
    match &schema.ty(ty).kind {
        TypeKind::Enum(kind) => kind
            .values
            .iter()
            .map(|value| value.name.to_string())
            .collect(),
        TypeKind::Object(object) => {
            let base = object.base.into_iter();
            let inline = base.filter(|base| schema.ty(*base).common.name.starts_with("q_"));
            let inherited = inline.flat_map(|base| schema.own_members(base));
            let name = |member: &Member| member.name.to_string();
            object.members.iter().chain(inherited).map(name).collect()
        }
        _ => Vec::new(),
    }
}

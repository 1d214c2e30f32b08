//! Features: no two have the same name, and types have no special features.
//!
//! In: a schema. Out: reports. The meaning of a special feature is not known
//! here.

use rustc_hash::FxHashSet as HashSet;

use super::c_name::c_name;
use crate::diag::{DefinitionPart, Diagnostics, Owner, Problem};
use crate::schema::provenance::ResolvedSchema;
use crate::schema::qemu_order::CheckPoint;
use crate::schema::{Entity, Feature, SPECIAL_FEATURES};

/// Checks the features of every definition and of every member.
pub(super) fn check(schema: &ResolvedSchema, diagnostics: &mut Diagnostics) {
    for &entity in &schema.entities {
        let features = &schema.common(entity).features;
        let point = CheckPoint::new(entity, 0, 0);
        clashes(schema, entity, (None, features), point, diagnostics);
        if let Entity::Type(id) = entity {
            special(schema, entity, features, diagnostics);
            for (member, index) in schema.own_members(id).iter().zip(0u32..) {
                let point = CheckPoint::new(entity, 1, index);
                let features = (Some(member.name.as_str()), &*member.features);
                clashes(schema, entity, features, point, diagnostics);
            }
        }
    }
}

/// Reports features with the same C name. `member` is the member that has the
/// features, or `None` if the definition has them.
fn clashes(
    schema: &ResolvedSchema,
    entity: Entity,
    (member, features): (Option<&str>, &[Feature]),
    step: CheckPoint,
    diagnostics: &mut Diagnostics,
) {
    if features.len() < 2 {
        return;
    }
    let part = |feature: &Feature| {
        // QEMU's message names the member as if it were a type, unless the
        // definition has the same name.
        let whose = member.filter(|&member| *member != *schema.common(entity).name);
        let whose = whose.map(|name| Owner {
            kind: "type",
            name: name.to_owned(),
        });
        DefinitionPart::Feature(feature.name.to_string(), whose)
    };
    let mut seen = HashSet::default();
    for feature in features {
        let name = c_name(&feature.name);
        if seen.contains(&name) {
            let same = |other: &&Feature| c_name(&other.name) == name;
            let first = features.iter().find(same).unwrap_or(feature);
            let problem = Problem::Collision {
                what: part(feature),
                with: part(first),
            };
            let site = schema.site(entity).map(|site| site.showing(feature.span));
            diagnostics.report_ranked(problem, site, step.rank());
        } else {
            seen.insert(name);
        }
    }
}

/// Reports special features of a type.
fn special(
    schema: &ResolvedSchema,
    entity: Entity,
    features: &[Feature],
    diagnostics: &mut Diagnostics,
) {
    for feature in features {
        if SPECIAL_FEATURES.contains(&feature.name.as_str()) {
            let problem = Problem::SpecialFeature(feature.name.to_string());
            let site = schema.site(entity).map(|site| site.showing(feature.span));
            diagnostics.report_ranked(problem, site, CheckPoint::new(entity, 0, 0).rank());
        }
    }
}

//! Features: no name twice, and no special ones on types.
//!
//! In: a schema. Out: reports. What a special feature means is not its
//! business.

use rustc_hash::FxHashSet as HashSet;

use super::super::{Entity, Feature, Schema};
use super::describe::{self, c_name};
use super::step::{SPECIAL_FEATURES, Step};
use crate::diag::{Diagnostics, Problem, Role, Whose};

/// Checks the features of every definition and of every member.
pub(super) fn check(schema: &Schema, diagnostics: &mut Diagnostics) {
    for &entity in &schema.entities {
        let features = &schema.common(entity).features;
        let step = Step::new(entity, 0, 0);
        clashes(schema, entity, (None, features), step, diagnostics);
        if let Entity::Type(id) = entity {
            special(schema, entity, features, diagnostics);
            for (member, index) in describe::members(schema, id).iter().zip(0u32..) {
                let step = Step::new(entity, 1, index);
                let features = (Some(member.name.as_str()), &*member.features);
                clashes(schema, entity, features, step, diagnostics);
            }
        }
    }
}

fn clashes(
    schema: &Schema,
    entity: Entity,
    (member, features): (Option<&str>, &[Feature]),
    step: Step,
    diagnostics: &mut Diagnostics,
) {
    if features.len() < 2 {
        return;
    }
    let role = |feature: &Feature| {
        // QEMU takes the member for a type, unless it is named like it.
        let whose = member.filter(|&member| *member != *schema.common(entity).name);
        let whose = whose.map(|name| Whose {
            kind: "type",
            name: name.to_owned(),
        });
        Role::Feature(feature.name.to_string(), whose)
    };
    let mut seen = HashSet::default();
    for feature in features {
        let name = c_name(&feature.name);
        if seen.contains(&name) {
            let same = |other: &&Feature| c_name(&other.name) == name;
            let first = features.iter().find(same).unwrap_or(feature);
            let problem = Problem::Collision {
                what: role(feature),
                with: role(first),
            };
            let site = describe::site(schema, entity).map(|site| site.showing(feature.span));
            diagnostics.report_ranked(problem, site, step.rank());
        } else {
            seen.insert(name);
        }
    }
}

fn special(schema: &Schema, entity: Entity, features: &[Feature], diagnostics: &mut Diagnostics) {
    for feature in features {
        if SPECIAL_FEATURES.contains(&feature.name.as_str()) {
            let problem = Problem::SpecialFeature(feature.name.to_string());
            let site = describe::site(schema, entity).map(|site| site.showing(feature.span));
            diagnostics.report_ranked(problem, site, Step::new(entity, 0, 0).rank());
        }
    }
}

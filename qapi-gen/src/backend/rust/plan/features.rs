//! Plans features.
//!
//! In: features with their documentation. Out: their plan, and the plan of the
//! parts of a module that have features.

use super::items::{FeaturePlan, FeaturesPlan, ModulePlan};
use super::planner::Planner;
use crate::backend::rust::rustdoc;
use crate::schema::{Doc, Entity, Feature, ModuleId, TypeKind};

impl<'s> Planner<'_, 's> {
    /// Plans features. `doc` is the block that documents them.
    pub(super) fn features(&self, features: &[Feature], doc: Option<&Doc>) -> FeaturesPlan {
        let plan = |feature: &Feature| {
            Some(FeaturePlan {
                name: feature.name.to_string(),
                cfg: self.presence(feature.cond.as_ref())?,
            })
        };
        let plan = FeaturesPlan {
            list: features.iter().filter_map(plan).collect(),
            note: None,
        };
        let note = doc.filter(|_| self.options.docs && plan.deprecated().is_some());
        FeaturesPlan {
            note: note.and_then(rustdoc::deprecation),
            ..plan
        }
    }
}

impl<'s> Planner<'_, 's> {
    /// Plans the definitions of a module that have features, or members with
    /// features.
    pub(super) fn featured(&self, id: ModuleId) -> Option<ModulePlan> {
        self.part_of(id, |entity| self.has_features(entity))
    }

    /// Returns whether a definition has features, or members with features.
    fn has_features(&self, entity: Entity) -> bool {
        let any = |ty| {
            let members = self.members(ty, None);
            members
                .iter()
                .any(|(member, _)| !member.features.is_empty())
        };
        !self.schema.common(entity).features.is_empty()
            || match entity {
                Entity::Type(id) => match &self.schema.ty(id).kind {
                    TypeKind::Enum(plan) => plan.values.iter().any(|it| !it.features.is_empty()),
                    _ => any(id),
                },
                Entity::Command(id) => self.schema.command(id).arg.is_some_and(any),
                Entity::Event(id) => self.schema.event(id).arg.is_some_and(any),
            }
    }
}

//! Planning of features: what is deprecated, what is unstable, and the table of
//! all.
//!
//! In: features with their documentation, and the planned modules. Out: what
//! attributes and policy need of each, and every path that has any.

use std::collections::BTreeMap;

use super::commands::Arguments;
use super::types::{FieldPlan, UnionField};
use super::{ModulePlan, Planner, TypePlan};
use crate::backend::rust::cfg::Presence;
use crate::backend::rust::rustdoc;
use crate::schema::{Doc, Entity, Feature, ModuleId, TypeKind};

/// The features of a definition or of a part of one.
pub(crate) struct FeaturesPlan {
    /// In schema order.
    pub(crate) list: Vec<FeaturePlan>,
    /// What the schema says of the deprecation, if it does.
    pub(crate) note: Option<String>,
}

/// A feature.
#[derive(Clone)]
pub(crate) struct FeaturePlan {
    pub(crate) name: String,
    pub(crate) cfg: Presence,
}

/// Everything that has features, by path: when it is there, and which.
pub(crate) type FeatureTable = BTreeMap<String, (Presence, Vec<FeaturePlan>)>;

impl FeaturesPlan {
    /// When it has the special feature that QEMU calls `deprecated`.
    pub(crate) fn deprecated(&self) -> Option<&Presence> {
        self.when("deprecated")
    }

    /// When it has the special feature that QEMU calls `unstable`.
    pub(crate) fn unstable(&self) -> Option<&Presence> {
        self.when("unstable")
    }

    fn when(&self, name: &str) -> Option<&Presence> {
        let feature = self.list.iter().find(|feature| feature.name == name)?;
        Some(&feature.cfg)
    }
}

impl<'s> Planner<'_, 's> {
    /// Plans features that `doc` documents.
    pub(super) fn features(&self, features: &[Feature], doc: Option<&Doc>) -> FeaturesPlan {
        let plan = |feature: &Feature| {
            Some(FeaturePlan {
                name: feature.name.to_string(),
                cfg: self
                    .conditions
                    .presence(feature.cond.as_ref())
                    .unless_never()?,
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
    /// Plans what has features in a module, or has parts that have.
    pub(super) fn featured(&self, id: ModuleId) -> Option<ModulePlan> {
        self.part_of(id, |entity| self.has_features(entity))
    }

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

/// Everything that has features, by path.
pub(super) fn table(modules: impl Iterator<Item = ModulePlan>) -> FeatureTable {
    let mut table = Table::default();
    for module in modules {
        for ty in &module.types {
            type_entries(ty, &mut table);
        }
        for command in &module.commands {
            let owner = Owner {
                name: &command.wire,
                cfg: &command.cfg,
            };
            table.definition(owner, &command.features);
            table.arguments(owner, &command.arguments);
        }
        for event in &module.events {
            let owner = Owner {
                name: &event.wire,
                cfg: &event.cfg,
            };
            table.definition(owner, &event.features);
            table.arguments(owner, &event.data);
        }
    }
    table.entries
}

fn type_entries(ty: &TypePlan, table: &mut Table) {
    let head = ty.head();
    let owner = Owner {
        name: &head.wire,
        cfg: &head.cfg,
    };
    table.definition(owner, &head.features);
    match ty {
        TypePlan::Enum(plan) => {
            for value in &plan.values {
                table.part(owner, &value.wire, &value.cfg, &value.features);
            }
        }
        TypePlan::Struct(plan) => table.fields(owner, &plan.fields),
        TypePlan::Union(plan) => {
            for field in &plan.fields {
                match field {
                    UnionField::Plain(field) => {
                        table.part(owner, &field.wire, &field.cfg, &field.features);
                    }
                    UnionField::Tag { wire, features, .. } => {
                        table.part(owner, wire, &Presence::ALWAYS, features);
                    }
                }
            }
        }
        // Its branches have none in the schema language.
        TypePlan::Alternate(_) => {}
    }
}

/// A definition that has features, or parts that have.
#[derive(Clone, Copy)]
struct Owner<'p> {
    name: &'p str,
    cfg: &'p Presence,
}

#[derive(Default)]
struct Table {
    entries: FeatureTable,
}

impl Table {
    fn definition(&mut self, owner: Owner<'_>, features: &FeaturesPlan) {
        self.add(owner.name.to_owned(), owner.cfg.clone(), features);
    }

    fn part(&mut self, owner: Owner<'_>, part: &str, cfg: &Presence, features: &FeaturesPlan) {
        self.add(
            format!("{}.{part}", owner.name),
            owner.cfg.and(cfg),
            features,
        );
    }

    fn add(&mut self, path: String, cfg: Presence, features: &FeaturesPlan) {
        // Where none of the features is there, neither is the entry.
        let any = Presence::any(features.list.iter().map(|feature| &feature.cfg));
        if !any.is_never() {
            let entry = (cfg.and(&any), features.list.clone());
            self.entries.insert(path, entry);
        }
    }

    fn fields(&mut self, owner: Owner<'_>, fields: &[FieldPlan]) {
        for field in fields {
            self.part(owner, &field.wire, &field.cfg, &field.features);
        }
    }

    fn arguments(&mut self, owner: Owner<'_>, arguments: &Arguments) {
        if let Arguments::Inline { fields, .. } = arguments {
            self.fields(owner, fields);
        }
    }
}

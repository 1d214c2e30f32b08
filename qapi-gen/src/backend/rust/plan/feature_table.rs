//! The table of all features.
//!
//! In: the plans of modules. Out: an entry for each definition or member that
//! has features, by its path in the schema.

use super::items::{
    Arguments, FeatureTable, FeaturesPlan, FieldPlan, ModulePlan, TypePlan, UnionField,
};
use crate::backend::rust::cfg::Presence;

/// Returns the features of all definitions and members, by path.
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
        // The schema language does not allow features on branches.
        TypePlan::Alternate(_) => {}
    }
}

/// A definition to which a path belongs.
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
        // The entry exists in the configurations in which at least one of its
        // features exists.
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

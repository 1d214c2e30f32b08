//! The table of all features.
//!
//! In: the plans of modules. Out: an entry for each definition or member that
//! has features, by its path in the schema.

use super::items::{FeatureTable, FeaturesPlan, Head, ModulePlan};
use crate::backend::rust::cfg::Presence;

/// Returns the features of all definitions and members, by path.
pub(super) fn table(modules: impl Iterator<Item = ModulePlan>) -> FeatureTable {
    let mut table = FeatureTable::default();
    for module in modules {
        for ty in &module.types {
            definition(ty.head(), &ty.parts(), &mut table);
        }
        for command in &module.commands {
            definition(&command.head, &command.arguments.parts(), &mut table);
        }
        for event in &module.events {
            definition(&event.head, &event.data.parts(), &mut table);
        }
    }
    table
}

fn definition(head: &Head, parts: &[&Head], table: &mut FeatureTable) {
    add(head.wire.clone(), &head.cfg, &head.features, table);
    for part in parts {
        let path = format!("{}.{}", head.wire, part.wire);
        add(path, &head.cfg.and(&part.cfg), &part.features, table);
    }
}

fn add(path: String, cfg: &Presence, features: &FeaturesPlan, table: &mut FeatureTable) {
    // The entry exists in the configurations in which at least one of its
    // features exists.
    let any = Presence::any(features.list.iter().map(|feature| &feature.cfg));
    if !any.is_never() {
        table.insert(path, (cfg.and(&any), features.list.clone()));
    }
}

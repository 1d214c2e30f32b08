//! Planning of features: what is deprecated, what is unstable, and the table of
//! all.
//!
//! In: features with their documentation, and the planned modules. Out: what
//! attributes and policy need of each, and every path that has any.

use std::collections::BTreeMap;

use super::commands::Arguments;
use super::types::{FieldPlan, UnionField};
use super::{ModulePlan, Planner, TypePlan};
use crate::rust::doc;
use crate::schema::{Doc, Feature};

/// The features of a definition or of a part of one.
pub(crate) struct FeaturesPlan {
    /// Their names, in schema order.
    pub(crate) names: Vec<String>,
    /// What the schema says of the deprecation, if it does.
    pub(crate) note: Option<String>,
}

impl FeaturesPlan {
    /// The special feature that QEMU calls `deprecated`.
    pub(crate) fn is_deprecated(&self) -> bool {
        self.has("deprecated")
    }

    /// The special feature that QEMU calls `unstable`.
    pub(crate) fn is_unstable(&self) -> bool {
        self.has("unstable")
    }

    fn has(&self, feature: &str) -> bool {
        self.names.iter().any(|name| name == feature)
    }
}

impl Planner<'_> {
    /// Plans features that `doc` documents.
    pub(super) fn features(&self, features: &[Feature], doc: Option<&Doc>) -> FeaturesPlan {
        let included = features
            .iter()
            .filter(|feature| self.includes_part(feature.cond.as_ref()));
        let plan = FeaturesPlan {
            names: included.map(|feature| feature.name.to_string()).collect(),
            note: None,
        };
        let note = doc.filter(|_| self.options.docs && plan.is_deprecated());
        FeaturesPlan {
            note: note.and_then(doc::deprecation),
            ..plan
        }
    }
}

/// Everything that has features, by path.
pub(super) fn table(modules: &[ModulePlan]) -> BTreeMap<String, Vec<String>> {
    let mut table = Table::default();
    for module in modules {
        for ty in &module.types {
            type_entries(ty, &mut table);
        }
        for command in &module.commands {
            table.add(&command.wire, None, &command.features);
            table.arguments(&command.wire, &command.arguments);
        }
        for event in &module.events {
            table.add(&event.wire, None, &event.features);
            table.arguments(&event.wire, &event.data);
        }
    }
    table.entries
}

fn type_entries(ty: &TypePlan, table: &mut Table) {
    let head = ty.head();
    table.add(&head.wire, None, &head.features);
    match ty {
        TypePlan::Enum(plan) => {
            for value in &plan.values {
                table.add(&head.wire, Some(&value.wire), &value.features);
            }
        }
        TypePlan::Struct(plan) => table.fields(&head.wire, &plan.fields),
        TypePlan::Union(plan) => {
            for field in &plan.fields {
                let (UnionField::Plain(FieldPlan { wire, features, .. })
                | UnionField::Tag { wire, features, .. }) = field;
                table.add(&head.wire, Some(wire), features);
            }
        }
        // Its branches have none in the schema language.
        TypePlan::Alternate(_) => {}
    }
}

#[derive(Default)]
struct Table {
    entries: BTreeMap<String, Vec<String>>,
}

impl Table {
    fn add(&mut self, definition: &str, part: Option<&str>, features: &FeaturesPlan) {
        if features.names.is_empty() {
            return;
        }
        let path = match part {
            Some(part) => format!("{definition}.{part}"),
            None => definition.to_owned(),
        };
        self.entries.insert(path, features.names.clone());
    }

    fn fields(&mut self, definition: &str, fields: &[FieldPlan]) {
        for field in fields {
            self.add(definition, Some(&field.wire), &field.features);
        }
    }

    fn arguments(&mut self, definition: &str, arguments: &Arguments) {
        if let Arguments::Inline { fields, .. } = arguments {
            self.fields(definition, fields);
        }
    }
}

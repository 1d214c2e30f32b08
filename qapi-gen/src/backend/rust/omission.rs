//! Whether there is generated code for a definition.
//!
//! In: a definition, and the choices that leave definitions out. Out: why
//! nothing is generated for it. Conditions do not count: the same options
//! serve several configurations.

use super::paths::ModulePaths;
use super::ty::Replacements;
use crate::analysis::option_names::OptionNames;
use crate::analysis::selection::Selection;
use crate::schema::{CheckedSchema, Entity};

/// The choices that leave definitions out.
pub(super) struct Generated<'a> {
    pub(super) schema: &'a CheckedSchema,
    pub(super) paths: &'a ModulePaths,
    pub(super) replaced: &'a Replacements,
    pub(super) selection: &'a Selection,
}

impl Generated<'_> {
    /// Reports an option for a definition that nothing is generated for.
    pub(super) fn require(&self, entity: Entity, name: &str, names: &mut OptionNames<'_>) {
        let module = self.schema.common(entity).module;
        let why = if self.paths.is_external(module) {
            let module = &self.schema.module(module).name;
            format!("another crate has the code of '{module}'")
        } else if matches!(entity, Entity::Type(id) if self.replaced.contains(id)) {
            "another type replaces it".to_owned()
        } else if !self.selection.contains(entity) {
            "'only' or 'except' leaves it out".to_owned()
        } else {
            return;
        };
        names.report_idle(name, why);
    }
}

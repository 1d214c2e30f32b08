//! Reasons why no code is generated for a definition.
//!
//! In: a definition, and the choices that leave definitions out. Out: the reason,
//! or `None` if code is generated. A condition does not count as a reason, because
//! the same options serve several configurations.

use super::paths::ModulePaths;
use super::ty::Replacements;
use crate::analysis::option_names::OptionNames;
use crate::analysis::selection::Selection;
use crate::schema::{CheckedSchema, Entity};

/// The choices that leave definitions out.
pub(super) struct Omissions<'a> {
    pub(super) schema: &'a CheckedSchema,
    pub(super) paths: &'a ModulePaths,
    pub(super) replaced: &'a Replacements,
    pub(super) selection: &'a Selection,
}

impl Omissions<'_> {
    /// Reports that an option has no effect if no code is generated for the
    /// definition that it names.
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

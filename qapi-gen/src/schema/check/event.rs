//! Events: what they carry.
//!
//! In: a schema. Out: reports.

use super::super::{Entity, Schema};
use super::command::Arguments;
use crate::diag::{DefinitionKind, Diagnostics};

/// Checks every event.
pub(super) fn check(schema: &Schema, diagnostics: &mut Diagnostics) {
    let mut arguments = Arguments::new(schema, DefinitionKind::Event);
    for (id, event) in schema.events() {
        arguments.check(Entity::Event(id), event.arg, event.boxed, diagnostics);
    }
}

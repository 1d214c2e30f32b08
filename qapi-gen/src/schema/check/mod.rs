//! The rules that need the whole schema.
//!
//! In: a [`Schema`]. Out: a [`CheckedSchema`], or diagnostics in the order in
//! which QEMU's generator would come across them. One pass per file, each
//! with one purpose; none changes anything.

use std::ops::Deref;

use super::Schema;
use crate::diag::Diagnostics;

mod alternate;
mod array;
mod command;
pub(crate) mod describe;
mod docs;
mod event;
mod features;
mod members;
mod recursion;
pub(crate) mod step;
mod union;

/// A schema whose rules all hold: only this can be turned into anything.
#[derive(Clone, Debug)]
pub struct CheckedSchema(Schema);

impl Deref for CheckedSchema {
    type Target = Schema;

    fn deref(&self) -> &Schema {
        &self.0
    }
}

/// The passes.
const PASSES: [fn(&Schema, &mut Diagnostics); 9] = [
    recursion::check,
    features::check,
    array::check,
    members::check,
    union::check,
    alternate::check,
    command::check,
    event::check,
    docs::check,
];

/// Checks a schema. `diagnostics` has what was found when it was made.
pub(crate) fn check(schema: Schema, diagnostics: &mut Diagnostics) -> Option<CheckedSchema> {
    for pass in PASSES {
        pass(&schema, diagnostics);
    }
    if !diagnostics.is_empty() {
        step::sort(&schema, diagnostics);
    }
    (!diagnostics.has_errors()).then_some(CheckedSchema(schema))
}

//! What a QMP server tells of its schema: the reply to `query-qmp-schema`.
//!
//! In: a checked schema, choices. Out: the array of `SchemaInfo`, as JSON text
//! or as the table that the Rust back end writes down, its elements in the
//! order and with the numbers that QEMU's generator gives them. It knows no
//! Rust, and nothing of how a schema is written.

use std::collections::BTreeSet;

use crate::schema::{CheckedSchema, Cond};

mod info;
mod json;

use crate::analysis::schema_info::table;

/// How a schema is to be introspected.
///
/// ```
/// use qapi_gen::{Introspection, MemoryLoader, check};
///
/// let files = MemoryLoader::from_iter([("a.json", "{ 'event': 'STOP' }")]);
/// let schema = check("a.json", &files).schema.unwrap();
/// assert_eq!(
///     Introspection::default().json(&schema),
///     r#"[
/// {"name":"STOP","meta-type":"event","arg-type":"0"},
/// {"name":"0","meta-type":"object","members":[]}
/// ]
/// "#,
/// );
/// ```
#[derive(Clone, Debug, Default)]
pub struct Introspection {
    /// Whether types keep their names. Otherwise they have numbers, as clients
    /// are to look at what types contain and not at their names.
    pub unmask: bool,
    /// The configuration symbols that are defined; what exists only with
    /// others is left out, and no number changes by it. `None`: whatever is
    /// conditional is included.
    pub config: Option<BTreeSet<String>>,
}

impl Introspection {
    /// The array as JSON text, ASCII only, each element on a line of its own.
    #[must_use]
    pub fn json(&self, schema: &CheckedSchema) -> String {
        info::write(&table(schema, self.unmask, |_| true), self)
    }

    /// Whether something under this condition is told of.
    fn includes(&self, cond: Option<&Cond>) -> bool {
        match (&self.config, cond) {
            (Some(defined), Some(cond)) => cond.holds(defined),
            _ => true,
        }
    }
}

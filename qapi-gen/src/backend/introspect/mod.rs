//! The reply to `query-qmp-schema`.
//!
//! In: a checked schema, and choices. Out: the array of `SchemaInfo` as JSON
//! text. The order and the numbers of types are those of QEMU's generator.

use std::collections::BTreeSet;

use crate::analysis::schema_info::{Choices, table};
use crate::schema::CheckedSchema;

mod info;

/// The choices for introspection.
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
#[non_exhaustive]
pub struct Introspection {
    /// Whether types keep their names. By default they have numbers, because
    /// clients should depend on the content of types and not on their names.
    pub unmask: bool,
    /// The configuration symbols that are defined. Items whose condition does
    /// not hold are left out, which changes no number. With `None`, all
    /// conditional items are included.
    pub config: Option<BTreeSet<String>>,
}

impl Introspection {
    /// Returns the array as JSON text: ASCII only, each element on its own line.
    #[must_use]
    pub fn json(&self, schema: &CheckedSchema) -> String {
        let infos = table(
            schema,
            &Choices {
                unmask: self.unmask,
                contains: &|_| true,
                is_open: &|_| false,
                presence: &|cond| match (&self.config, cond) {
                    (Some(defined), Some(cond)) => cond.holds(defined).then_some(()),
                    _ => Some(()),
                },
            },
        );
        info::json(&infos)
    }
}

//! Our compiler's results in the form of QEMU's.
//!
//! In: a schema and rules. Out: the first error, the dump, the introspection.

use std::path::Path;

use qapi_gen::{CheckOptions, FolderLoader, Introspection, Outcome, Rules};
use serde_json::Value;

/// The outcome of checking one schema.
pub(super) struct OurCompiler {
    outcome: Outcome,
}

impl OurCompiler {
    pub(super) fn check(folder: &Path, schema: &str, rules: Rules) -> Self {
        let options = CheckOptions {
            rules,
            ..CheckOptions::default()
        };
        Self {
            outcome: qapi_gen::check_with(schema, &FolderLoader::new(folder.to_owned()), options),
        }
    }

    pub(super) fn is_accepted(&self) -> bool {
        self.outcome.schema.is_some()
    }

    /// Returns the first error, or the empty text if the schema is accepted.
    pub(super) fn first_error(&self) -> String {
        let first = self.outcome.diagnostics.iter().next();
        first
            .map(|first| first.short(&self.outcome.sources))
            .unwrap_or_default()
    }

    pub(super) fn dump(&self) -> String {
        let schema = self.outcome.schema.as_ref();
        schema.map(qapi_gen::dump).unwrap_or_default()
    }

    /// Returns the introspection as compact JSON, in the order of `serde_json`.
    pub(super) fn introspection(&self, unmask: bool) -> String {
        let Some(schema) = &self.outcome.schema else {
            return String::new();
        };
        let mut introspection = Introspection::default();
        introspection.unmask = unmask;
        let text = introspection.json(schema);
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        value.to_string()
    }
}

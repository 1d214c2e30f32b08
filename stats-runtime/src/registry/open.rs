//! The registered providers as values of `StatsProvider`.
//!
//! In: the name of an enumeration. Out: which values it has beyond those that
//! the schema lists: for the decoder and for introspection.

use qapi_stats::wire::OpenValues;

use super::Registry;

/// A registered name is a value of `StatsProvider` although the schema does
/// not list it.
impl OpenValues for Registry {
    fn is_registered(&self, enum_name: &str, value: &str) -> bool {
        let registered = self.providers.snapshot();
        enum_name == ENUM && registered.names.iter().any(|name| name.name() == value)
    }

    fn registered(&self, enum_name: &str) -> Vec<String> {
        if enum_name != ENUM {
            return Vec::new();
        }
        let registered = self.providers.snapshot();
        registered.names.iter().map(ToString::to_string).collect()
    }
}

/// The enumeration's name in the schema.
const ENUM: &str = "StatsProvider";

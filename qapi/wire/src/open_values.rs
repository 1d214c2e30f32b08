//! Values that are registered for open enumerations at run time.
//!
//! In: a program's registrations. Out: the trait through which decoding and
//! introspection look them up.

/// The values of open enumerations that this program has registered besides
/// those of the schema.
pub trait OpenValues: Sync {
    /// Returns whether `value` is registered for the enumeration that the schema
    /// calls `enum_name`.
    fn is_registered(&self, enum_name: &str, value: &str) -> bool;

    /// Returns the values that are registered for the enumeration that the
    /// schema calls `enum_name`; introspection lists them. They may include
    /// values of the schema. By default the list is empty.
    fn registered(&self, enum_name: &str) -> Vec<String> {
        let _ = enum_name;
        Vec::new()
    }
}

//! Facts about a schema that several back ends need.
//!
//! In: a checked schema. Out: the graph of its types, the part of it that a
//! caller selected, the table that introspection returns. This room must not
//! know any output language.

pub(crate) mod option_names;
pub(crate) mod option_problem;
pub(crate) mod schema_info;
pub(crate) mod selection;
pub(crate) mod type_graph;

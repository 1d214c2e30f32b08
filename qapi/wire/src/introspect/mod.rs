//! Introspection: a schema as data, for `query-qmp-schema`.
//!
//! In: a static table that generated code fills, values registered at run time.
//! Out: QEMU's array of `SchemaInfo`. Nothing here knows how a schema is written
//! or how its types are numbered.

mod reply;
mod table;

pub use reply::Introspection;
pub use table::{EnumMember, Member, Meta, SchemaInfo, Variant, find};

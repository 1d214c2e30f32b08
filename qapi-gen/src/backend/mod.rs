//! The back ends, one folder for each output.
//!
//! In: a checked schema, and the facts of `analysis`. Out: text. A back end must
//! not know another one. A new back end is a folder here and a subcommand in
//! `cli/`.

pub mod dump;
pub mod introspect;
pub mod rust;

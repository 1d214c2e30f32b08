//! The back ends, one folder for each output.
//!
//! In: a checked schema, and what `analysis` says about it. Out: text. A back
//! end must not know another one.

pub(crate) mod dump;
pub(crate) mod introspect;
pub(crate) mod rust;

//! The library that Rust code generated from a QAPI schema calls.
//!
//! In: bytes from a peer, and typed values of generated code. Out: typed values,
//! and bytes. Nothing here knows a schema or a statistic, and only `client` a socket.
//!
//! - [`json`]: JSON as QEMU reads and writes it, and the limits of messages.
//! - [`Document`] and [`Node`]: parsed JSON, as a list of values in its text.
//! - [`Value`] and [`Dict`]: JSON as a tree, for types that keep any JSON.
//! - [`Decode`] and [`Encode`]: the conversion between documents or text and typed
//!   values, in QEMU's order, with QEMU's member paths and error texts.
//! - [`Error`] and [`ErrorClass`]: the error of a failed command.
//! - [`compat`] and [`Features`]: marks for deprecated and unstable interfaces, and
//!   the policy for them.
//! - [`message`]: reading a server's messages, and writing requests and events.
//! - [`command`]: the traits of commands and events.
//! - [`introspect`]: a schema as data, for `query-qmp-schema`.
//! - `client`, with the feature of that name: a client of QMP servers, and with
//!   feature `tokio` also one for tokio's runtime.
//! - `serde`, with the feature of that name: the bridge to serde's two traits.
//!
//! A message takes one way: [`json::MessageReader`] finds and parses it, a
//! [`Document`] owns it, and [`Decode`] reads the document once into the type that
//! keeps it.
//!
//! # Example
//!
//! ```
//! use qapi_wire::{ValuePath, Context, Document, Members};
//!
//! let document = Document::parse(b"{'names': ['exits', 1]}").unwrap();
//! let context = Context::strict();
//! let mut members = Members::open(document.root(), ValuePath::root(&context)).unwrap();
//! let error = members.required::<Vec<String>>("names").unwrap_err();
//! assert_eq!(
//!     error.desc(),
//!     "Invalid parameter type for 'names[1]', expected: string"
//! );
//! ```

#[cfg(feature = "client")]
pub mod client;
pub mod command;
pub mod compat;
mod context;
mod decode;
mod document;
mod encode;
mod enumeration;
mod error;
mod features;
pub mod introspect;
pub mod json;
mod macros;
pub mod message;
mod open_values;
mod path;
mod scalar;
#[cfg(feature = "serde")]
pub mod serde;
mod value;

pub use context::{Context, Mode};
pub use decode::{Decode, DecodeMembers, Members, decode_object, from_json, from_node, from_value};
pub use document::{Document, Node};
pub use encode::{
    ArrayWriter, Encode, EncodeMembers, MemberName, Name, ObjectWriter, Writer, to_json, to_vec,
};
pub use enumeration::{SpecialValues, decode_enumeration, decode_open_enumeration, find_by_name};
pub use error::{Error, ErrorClass, Result, UnknownValue};
pub use features::{Features, SpecialFeatures};
pub use open_values::OpenValues;
pub use path::ValuePath;
pub use value::{Dict, Kind, Value};

/// The version of the interface between this crate and generated code.
///
/// Generated code asserts at compile time that it was written for this number.
pub const INTERFACE: u32 = 1;

//! QEMU's whole schemas as Rust, and by name whatever is in them.
//!
//! In: what build.rs generated from the schemas of the crates `qapi-qmp` and
//! `qapi-qga`. Out: a table for each, so that a test can try every type.

use qapi_wire::{
    Context, Decode, DecodeMembers, Document, Encode, EncodeMembers, Error, Value, ValuePath,
    Writer, decode_object,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// QEMU's own schema.
pub mod qmp {
    include!(concat!(env!("OUT_DIR"), "/qmp/mod.rs"));
}

/// The guest agent's schema.
pub mod qga {
    include!(concat!(env!("OUT_DIR"), "/qga/mod.rs"));
}

/// The types, commands and events of [`qmp`].
#[allow(deprecated, missing_docs, reason = "a table of all there is")]
pub mod qmp_table {
    use crate::{Codec, qmp};
    include!(concat!(env!("OUT_DIR"), "/qmp-table.rs"));
}

/// The types, commands and events of [`qga`].
#[allow(deprecated, missing_docs, reason = "a table of all there is")]
pub mod qga_table {
    use crate::{Codec, qga};
    include!(concat!(env!("OUT_DIR"), "/qga-table.rs"));
}

/// The main file of QEMU's schema.
pub const QMP_SCHEMA: &str = env!("QMP_SCHEMA");
/// The main file of the guest agent's schema.
pub const QGA_SCHEMA: &str = env!("QGA_SCHEMA");

/// From a value to the text of what it became.
pub type RoundTrip = fn(Value, &Context<'_>) -> Result<String, Error>;
/// From text to text.
pub type SerdeRoundTrip = fn(&str) -> Result<String, serde_json::Error>;

/// What a generated type does with values, its name forgotten.
#[derive(Clone, Copy, Debug)]
pub struct Codec {
    /// Decodes a value and writes it down again.
    pub round_trip: RoundTrip,
    /// The same with serde: from text to text. Commands and events, whose
    /// members are all that travels, may go without.
    pub serde: Option<SerdeRoundTrip>,
}

impl Codec {
    /// Of a type of the schema.
    #[must_use]
    pub const fn value<T: Decode + Encode + Serialize + DeserializeOwned>() -> Self {
        Self {
            round_trip: |value, context| {
                qapi_wire::from_value::<T>(&value, context).map(|value| qapi_wire::to_json(&value))
            },
            serde: Some(|text| serde_json::to_string(&serde_json::from_str::<T>(text)?)),
        }
    }

    /// Of a command's arguments or an event's data.
    #[must_use]
    pub const fn members<T>() -> Self
    where
        T: DecodeMembers + EncodeMembers + Serialize + DeserializeOwned,
    {
        Self {
            round_trip: |value, context| {
                let document = Document::try_from(&value)?;
                let members = decode_object::<T>(document.root(), ValuePath::root(context))?;
                let mut text = Vec::new();
                Writer::new(&mut text).members(&members);
                Ok(String::from_utf8(text).unwrap_or_default())
            },
            serde: Some(|text| serde_json::to_string(&serde_json::from_str::<T>(text)?)),
        }
    }
}

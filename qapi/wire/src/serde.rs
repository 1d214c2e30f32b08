//! The bridge to serde: every generated type works with `serde_json` and other
//! formats.
//!
//! In: any deserializer or a value. Out: a value or any serializer, by way of a
//! tree. Serde's traits delegate to [`Decode`] and [`Encode`], so that both accept
//! and write the same JSON. The [compatibility policy](crate::compat) does not
//! apply: it is for messages only.

use std::collections::HashSet;
use std::fmt;

use ::serde::de::{self, MapAccess, SeqAccess, Visitor};
use ::serde::ser;

use crate::context::Context;
use crate::decode::{Decode, from_value};
use crate::encode::{Encode, to_json};
use crate::json;
use crate::value::{Dict, Value};

pub use ::serde::de::{Deserialize, Deserializer};
pub use ::serde::ser::{Serialize, Serializer};

/// Decodes any type from any deserializer, in the tolerant mode of a client.
///
/// # Errors
///
/// Fails with the error of the deserializer, or with that of the decoder for the
/// first part that does not fit the type.
pub fn deserialize<'de, T: Decode, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    let value = Value::deserialize(from)?;
    from_value(&value, &Context::tolerant()).map_err(de::Error::custom)
}

/// Serializes any type to any serializer: encodes it, and serializes the JSON.
///
/// # Errors
///
/// Fails with the error of the serializer, or if the value nests deeper than
/// [`json::NESTING_MAX`].
pub fn serialize<T: Encode + ?Sized, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    let text = to_json(value);
    let tree = json::parse(text.as_bytes()).map_err(ser::Error::custom)?;
    tree.serialize(to)
}

impl Serialize for Dict {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.iter())
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => to.serialize_unit(),
            Self::Bool(flag) => to.serialize_bool(*flag),
            Self::Int(number) => to.serialize_i64(*number),
            Self::Uint(number) => to.serialize_u64(*number),
            Self::Double(number) => to.serialize_f64(*number),
            Self::String(text) => to.serialize_str(text),
            Self::Array(elements) => to.collect_seq(elements),
            Self::Object(dict) => dict.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        Value::deserialize(from)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Int(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Double(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(element) = elements.next_element()? {
            array.push(element);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut dict = Dict::default();
        let mut names = HashSet::new();
        while let Some((name, value)) = members.next_entry::<String, Value>()? {
            if !names.insert(name.clone()) {
                return Err(de::Error::custom("duplicate key"));
            }
            dict.push(name, value);
        }
        Ok(Value::Object(dict))
    }
}

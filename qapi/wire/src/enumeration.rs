//! What enumerations do with their tables.
//!
//! In: the names and values of an enumeration, in the same order. Out: the
//! value of a name, or QEMU's error. Generated code calls it through
//! [`enumeration!`](crate::enumeration).

use std::convert::Infallible;
use std::str::FromStr;

use crate::decode::{At, Decode};
use crate::error::{Result, UnknownValue};
use crate::value::Value;

/// The value called `name`, if there is one.
#[must_use]
pub fn listed<T: Clone>(names: &[&str], values: &[T], name: &str) -> Option<T> {
    let place = names.iter().position(|listed| *listed == name)?;
    values.get(place).cloned()
}

/// Decodes a value of a closed enumeration.
///
/// # Errors
///
/// That `value` is no string, or none that the schema lists.
pub fn decode_enumeration<T: FromStr<Err = UnknownValue>>(value: Value, at: At<'_>) -> Result<T> {
    let name = String::decode(value, at)?;
    name.parse().map_err(|_| at.invalid_value(&name))
}

/// Decodes a value of the open enumeration that the schema calls `enum_name`
/// and for which it lists `names`.
///
/// # Errors
///
/// That `value` is no string, or one that neither the schema lists nor the
/// context takes: see [`At::open_value`].
pub fn decode_open_enumeration<T: FromStr<Err = Infallible>>(
    value: Value,
    at: At<'_>,
    enum_name: &str,
    names: &[&str],
) -> Result<T> {
    let name = String::decode(value, at)?;
    if !names.contains(&name.as_str()) {
        at.open_value(enum_name, &name)?;
    }
    let Ok(value) = name.parse();
    Ok(value)
}

//! What enumerations do with their tables.
//!
//! In: the names and values of an enumeration, in the same order. Out: the
//! value of a name, or QEMU's error. Generated code calls it through
//! [`enumeration!`](crate::enumeration).

use std::convert::Infallible;
use std::str::FromStr;

use crate::decode::{At, Decode};
use crate::error::{Result, UnknownValue};
use crate::features::Special;
use crate::value::Value;

/// The value called `name`, if there is one.
#[must_use]
pub fn listed<T: Clone>(names: &[&str], values: &[T], name: &str) -> Option<T> {
    let place = names.iter().position(|listed| *listed == name)?;
    values.get(place).cloned()
}

/// The values of an enumeration that have special features.
pub type SpecialValues = [(&'static str, Special)];

/// Decodes a value of a closed enumeration.
///
/// # Errors
///
/// That `value` is no string, none that the schema lists, or one that the
/// policy does not take.
pub fn decode_enumeration<T: FromStr<Err = UnknownValue>>(
    value: Value,
    at: At<'_>,
    special: &SpecialValues,
) -> Result<T> {
    let name = String::decode(value, at)?;
    let value = name.parse().map_err(|_| at.invalid_value(&name))?;
    ask_policy(&name, at, special)?;
    Ok(value)
}

/// Decodes a value of the open enumeration that the schema calls `enum_name`
/// and for which it lists `names`.
///
/// # Errors
///
/// That `value` is no string, one that neither the schema lists nor the
/// context takes (see [`At::open_value`]), or one that the policy does not
/// take.
pub fn decode_open_enumeration<T: FromStr<Err = Infallible>>(
    value: Value,
    at: At<'_>,
    enum_name: &str,
    names: &[&str],
    special: &SpecialValues,
) -> Result<T> {
    let name = String::decode(value, at)?;
    if !names.contains(&name.as_str()) {
        at.open_value(enum_name, &name)?;
    }
    ask_policy(&name, at, special)?;
    let Ok(value) = name.parse();
    Ok(value)
}

fn ask_policy(name: &str, at: At<'_>, special: &SpecialValues) -> Result<()> {
    match special.iter().find(|(value, _)| *value == name) {
        Some((_, special)) => at.special_value(name, *special),
        None => Ok(()),
    }
}

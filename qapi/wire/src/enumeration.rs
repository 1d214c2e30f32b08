//! What enumerations do with their tables.
//!
//! In: the names and values of an enumeration, in the same order. Out: the
//! value of a name, or QEMU's error. Generated code calls it through
//! [`enumeration!`](crate::enumeration).

use std::str::FromStr;

use crate::decode::At;
use crate::document::Node;
use crate::error::{Result, UnknownValue};
use crate::features::Special;

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
    value: Node<'_>,
    at: At<'_>,
    special: &SpecialValues,
) -> Result<T> {
    let name = name(value, at)?;
    let value = name.parse().map_err(|_| at.invalid_value(name))?;
    ask_policy(name, at, special)?;
    Ok(value)
}

/// Decodes a value of the open enumeration that the schema calls `enum_name`:
/// one that is `listed`, else an `unknown` one.
///
/// # Errors
///
/// That `value` is no string, one that neither the schema lists nor the
/// context takes (see [`At::open_value`]), or one that the policy does not
/// take.
pub fn decode_open_enumeration<T>(
    value: Node<'_>,
    at: At<'_>,
    enum_name: &str,
    listed: impl FnOnce(&str) -> Option<T>,
    unknown: impl FnOnce(&str) -> T,
    special: &SpecialValues,
) -> Result<T> {
    let name = name(value, at)?;
    let listed = listed(name);
    if listed.is_none() {
        at.open_value(enum_name, name)?;
    }
    ask_policy(name, at, special)?;
    Ok(listed.unwrap_or_else(|| unknown(name)))
}

fn name<'d>(value: Node<'d>, at: At<'_>) -> Result<&'d str> {
    value.as_str().ok_or_else(|| at.invalid_type("string"))
}

fn ask_policy(name: &str, at: At<'_>, special: &SpecialValues) -> Result<()> {
    match special.iter().find(|(value, _)| *value == name) {
        Some((_, special)) => at.special_value(name, *special),
        None => Ok(()),
    }
}

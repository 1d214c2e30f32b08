//! Decoding of enumerations.
//!
//! In: the names and values of an enumeration, in the same order. Out: the
//! value of a name, or QEMU's error. Generated code calls these functions
//! through [`enumeration!`](crate::enumeration).

use std::str::FromStr;

use crate::document::Node;
use crate::error::{Result, UnknownValue};
use crate::features::SpecialFeatures;
use crate::path::ValuePath;

/// Returns the value called `name`; `None` if no value has the name.
#[must_use]
pub fn find_by_name<T: Clone>(names: &[&str], values: &[T], name: &str) -> Option<T> {
    let place = names.iter().position(|listed| *listed == name)?;
    values.get(place).cloned()
}

/// The values of an enumeration that have special features, by name.
pub type SpecialValues = [(&'static str, SpecialFeatures)];

/// Decodes a value of a closed enumeration.
///
/// # Errors
///
/// Fails if `value` is not a string, if the schema does not list it, or if the
/// policy refuses it.
pub fn decode_enumeration<T: FromStr<Err = UnknownValue>>(
    value: Node<'_>,
    at: ValuePath<'_>,
    special: &SpecialValues,
) -> Result<T> {
    let name = name(value, at)?;
    let value = name.parse().map_err(|_| at.invalid_value(name))?;
    ask_policy(name, at, special)?;
    Ok(value)
}

/// Decodes a value of the open enumeration that the schema calls `enum_name`:
/// by `listed` if the schema lists it, else by `unknown`.
///
/// # Errors
///
/// Fails if `value` is not a string, if neither the schema lists it nor the
/// context accepts it (see [`ValuePath::open_value`]), or if the policy refuses
/// it.
pub fn decode_open_enumeration<T>(
    value: Node<'_>,
    at: ValuePath<'_>,
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

fn name<'d>(value: Node<'d>, at: ValuePath<'_>) -> Result<&'d str> {
    value.as_str().ok_or_else(|| at.invalid_type("string"))
}

fn ask_policy(name: &str, at: ValuePath<'_>, special: &SpecialValues) -> Result<()> {
    match special.iter().find(|(value, _)| *value == name) {
        Some((_, special)) => at.special_value(name, *special),
        None => Ok(()),
    }
}

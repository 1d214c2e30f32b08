//! What needs no look-up.
//!
//! In: parts of definitions. Out: the same parts of a schema.

use super::super::{EnumValue, Feature};
use crate::defs;

/// Features.
pub(super) fn features(features: &[defs::Feature<'_>]) -> Vec<Feature> {
    features
        .iter()
        .map(|feature| Feature {
            name: feature.name.text.to_string(),
            span: Some(feature.name.span),
            cond: feature.cond.clone(),
        })
        .collect()
}

/// The values of an enum.
pub(super) fn values(values: &[defs::Value<'_>]) -> Vec<EnumValue> {
    values
        .iter()
        .map(|value| EnumValue {
            name: value.name.text.to_string(),
            span: Some(value.name.span),
            cond: value.cond.clone(),
            features: features(&value.features),
        })
        .collect()
}

/// The values of the built-in enum of JSON types.
pub(super) fn json_types() -> Vec<EnumValue> {
    [
        "none", "qnull", "qnum", "qstring", "qdict", "qlist", "qbool",
    ]
    .map(|name| EnumValue {
        name: name.to_owned(),
        span: None,
        cond: None,
        features: Vec::new(),
    })
    .into()
}

//! What needs no look-up.
//!
//! In: parts of definitions. Out: the same parts of a schema.

use super::super::{EnumValue, Feature};
use crate::defs::{self, Name};
use crate::source::{Excerpt, SourceMap};

/// A name, to be kept.
pub(super) fn name(name: &Name<'_>, sources: &SourceMap) -> Excerpt {
    sources.excerpt(name.span.file, &name.text)
}

/// Features.
pub(super) fn features(features: &[defs::Feature<'_>], sources: &SourceMap) -> Box<[Feature]> {
    features
        .iter()
        .map(|feature| Feature {
            name: name(&feature.name, sources),
            span: Some(feature.name.span),
            cond: feature.cond.clone(),
        })
        .collect()
}

/// The values of an enum.
pub(super) fn values(values: &[defs::Value<'_>], sources: &SourceMap) -> Box<[EnumValue]> {
    values
        .iter()
        .map(|value| EnumValue {
            name: name(&value.name, sources),
            span: Some(value.name.span),
            cond: value.cond.clone(),
            features: features(&value.features, sources),
        })
        .collect()
}

/// The values of the built-in enum of JSON types.
pub(super) fn json_types() -> Box<[EnumValue]> {
    [
        "none", "qnull", "qnum", "qstring", "qdict", "qlist", "qbool",
    ]
    .map(|name| EnumValue {
        name: name.to_owned().into(),
        span: None,
        cond: None,
        features: Box::default(),
    })
    .into()
}

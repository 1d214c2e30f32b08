//! Parts of definitions that need no lookup.
//!
//! In: parts of definitions. Out: the corresponding parts of a schema.

use crate::defs::{self, Name};
use crate::schema::{EnumValue, Feature, ModuleId};
use crate::source::{Excerpt, SourceMap};

/// Returns the id of a module, whose index among the loaded modules is given.
/// The built-in module has the first id.
pub(super) fn module_id(index: usize) -> ModuleId {
    ModuleId::at(index + 1)
}

/// Converts a name to an owned one.
pub(super) fn name(name: &Name<'_>, sources: &SourceMap) -> Excerpt {
    sources.excerpt(name.span.file, &name.text)
}

/// Converts features.
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

/// Converts the values of an enum.
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

/// Returns the values of `QType`, the built-in enum of JSON types.
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

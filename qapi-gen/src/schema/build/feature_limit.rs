//! The limit on the number of features.
//!
//! In: definitions, in order. Out: a report of the first feature beyond the
//! limit. The meaning of a feature is not known here.

use rustc_hash::FxHashSet as HashSet;

use super::declare::site;
use crate::defs::{Body, Definition, Feature, Member, Members};
use crate::diag::{Diagnostics, Problem, QemuAttribution};
use crate::schema::SPECIAL_FEATURES;
use crate::schema::qemu_order::CheckPoint;

/// The number of different features that QEMU's generator can tell apart.
const FEATURES_MAX: usize = 64;

/// The names of all features, special ones included.
pub(super) struct FeatureNames {
    names: HashSet<String>,
    is_full: bool,
}

impl Default for FeatureNames {
    fn default() -> Self {
        Self {
            names: SPECIAL_FEATURES.iter().map(ToString::to_string).collect(),
            is_full: false,
        }
    }
}

impl FeatureNames {
    /// Adds the features of a definition.
    pub(super) fn add(
        &mut self,
        definition: &Definition<'_>,
        attribution: &QemuAttribution,
        diagnostics: &mut Diagnostics,
    ) {
        let members: &[Member<'_>] = match &definition.body {
            Body::Struct { members, .. }
            | Body::Union {
                base: Members::Inline(members),
                ..
            }
            | Body::Command {
                arguments: Some(Members::Inline(members)),
                ..
            }
            | Body::Event {
                arguments: Some(Members::Inline(members)),
                ..
            } => members,
            _ => &[],
        };
        let values = match &definition.body {
            Body::Enum { values, .. } => &**values,
            _ => &[],
        };
        let of_values = values.iter().flat_map(|value| &value.features);
        let of_members = members.iter().flat_map(|member| &member.features);
        for feature in definition
            .features
            .iter()
            .chain(of_values)
            .chain(of_members)
        {
            self.add_one(feature, definition, attribution, diagnostics);
        }
    }

    fn add_one(
        &mut self,
        feature: &Feature<'_>,
        definition: &Definition<'_>,
        attribution: &QemuAttribution,
        diagnostics: &mut Diagnostics,
    ) {
        let name = feature.name.text.as_ref();
        if self.is_full || self.names.contains(name) {
            return;
        }
        if self.names.len() == FEATURES_MAX {
            self.is_full = true;
            let problem = Problem::TooManyFeatures {
                limit: FEATURES_MAX,
            };
            let site = site(definition, attribution);
            let site = site.showing(Some(feature.name.span));
            diagnostics.report_ranked(problem, Some(site), CheckPoint::last());
            return;
        }
        self.names.insert(name.to_owned());
    }
}

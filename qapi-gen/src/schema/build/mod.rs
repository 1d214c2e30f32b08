//! From definitions to a schema.
//!
//! In: the definitions of a whole schema. Out: a [`Schema`], every name
//! resolved. It reports names that are defined twice or not at all; whether
//! a type fits where it is used, the checks say.
//!
//! First everything gets an id, then everything is made, so that definitions
//! can refer to later ones.

use rustc_hash::FxHashSet as HashSet;

use super::check::step::{self, Step};
use super::{Include, Module, ModuleId, Schema, Written};
use crate::defs::{Body, DefItem, Definition, Feature, Member, Members, SharedLines};
use crate::diag::{Diagnostics, Problem, Site};
use crate::load::Pragmas;
use crate::rules::Rules;
use crate::source::{Excerpt, SourceMap};

mod convert;
mod declare;
mod docs;
mod finish;
mod resolve;
mod similar;
mod uses;

use declare::Declarations;

/// The name of the module that has the built-in types.
const BUILTIN_MODULE: &str = "./builtin";

/// How many different features QEMU's generator can tell apart.
const FEATURES_MAX: usize = 64;

/// Makes a schema of definitions. `modules` are the modules' names.
pub(crate) fn build(
    modules: Vec<String>,
    mut items: Vec<DefItem<'_>>,
    shared_lines: SharedLines,
    pragmas: Pragmas,
    rules: Rules,
    sources: &SourceMap,
    diagnostics: &mut Diagnostics,
) -> Schema {
    let mut schema = Schema {
        pragmas,
        rules,
        modules: std::iter::once(BUILTIN_MODULE.to_owned())
            .chain(modules)
            .map(|name| Module {
                name,
                entities: Vec::new(),
                docs: Vec::new(),
                includes: Vec::new(),
            })
            .collect(),
        ..Schema::default()
    };
    let mut features = FeatureNames::default();
    let mut declarations = Declarations::new(items.len(), sources, shared_lines);
    items.retain(|item| {
        let DefItem::Definition(definition) = item else {
            return true;
        };
        if rules > Rules::V7_2 {
            features.add(definition, &declarations.shared_lines, diagnostics);
        }
        declarations.define(definition, diagnostics)
    });
    let includes = resolve::resolve(declarations, items, &mut schema, sources, diagnostics);
    assign_modules(&mut schema, includes);
    docs::complete(&mut schema);
    schema
}

/// The module of an index that counts without the built-in one.
fn user_module(index: usize) -> ModuleId {
    ModuleId::at(index + 1)
}

/// Tells every module what it has. `includes` come with the number of
/// entities, of whichever module, that stand before them.
fn assign_modules(schema: &mut Schema, includes: Vec<(usize, ModuleId, Include)>) {
    let mut includes = includes.into_iter().peekable();
    for index in 0..=schema.entities.len() {
        while let Some((_, module, include)) = includes.next_if(|(before, ..)| *before <= index) {
            if let Some(module) = schema.modules.get_mut(module.0 as usize) {
                module.includes.push(Include {
                    entities_before: module.entities.len(),
                    ..include
                });
            }
        }
        let Some(&entity) = schema.entities.get(index) else {
            return;
        };
        let module = schema.common(entity).module;
        if let Some(module) = schema.modules.get_mut(module.0 as usize) {
            module.entities.push(entity);
        }
    }
}

/// The names of all features, special ones included.
struct FeatureNames {
    names: HashSet<String>,
    full: bool,
}

impl Default for FeatureNames {
    fn default() -> Self {
        Self {
            names: step::SPECIAL_FEATURES
                .iter()
                .map(ToString::to_string)
                .collect(),
            full: false,
        }
    }
}

impl FeatureNames {
    fn add(
        &mut self,
        definition: &Definition<'_>,
        shared_lines: &SharedLines,
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
            self.add_one(feature, definition, shared_lines, diagnostics);
        }
    }

    fn add_one(
        &mut self,
        feature: &Feature<'_>,
        definition: &Definition<'_>,
        shared_lines: &SharedLines,
        diagnostics: &mut Diagnostics,
    ) {
        let name = feature.name.text.as_ref();
        if self.full || self.names.contains(name) {
            return;
        }
        if self.names.len() == FEATURES_MAX {
            self.full = true;
            let problem = Problem::TooManyFeatures {
                limit: FEATURES_MAX,
            };
            let site = declare::site(definition, shared_lines);
            let site = site.showing(Some(feature.name.span));
            diagnostics.report_ranked(problem, Some(site), Step::last());
            return;
        }
        self.names.insert(name.to_owned());
    }
}

impl Written {
    fn new(definition: &Definition<'_>, name: Excerpt) -> Self {
        Self {
            kind: definition.body.kind(),
            name,
            span: definition.span,
        }
    }

    /// The definition as a place.
    pub(crate) fn site(&self, shared_lines: &SharedLines) -> Site {
        shared_lines.site(self.span, self.kind, &self.name)
    }
}

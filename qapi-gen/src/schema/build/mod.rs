//! From definitions to a schema.
//!
//! In: the definitions of a whole schema. Out: a resolved schema. Names that
//! are defined twice or not at all are reported here; whether a type fits
//! where it is used is for the checks to say.
//!
//! One pass declares everything and gives it an id, a second pass resolves the
//! names, so that definitions can refer to later ones.

use super::provenance::{Provenance, ResolvedSchema};
use super::{Include, Module, ModuleId, Schema};
use crate::defs::{DefItem, Lowered};
use crate::diag::Diagnostics;
use crate::pragmas::Pragmas;
use crate::rules::{Fact, Rules};
use crate::source::SourceMap;

mod convert;
mod declare;
mod feature_limit;
mod finish;
mod resolve;
mod type_uses;
mod undescribed;

use declare::Declarations;
use feature_limit::FeatureNames;

/// The name of the module that contains the built-in types.
const BUILTIN_MODULE: &str = "./builtin";

/// Builds a schema from definitions. `modules` are the modules' names.
pub(crate) fn build(
    modules: Vec<String>,
    lowered: Lowered<'_>,
    pragmas: Pragmas,
    rules: Rules,
    sources: &SourceMap,
    diagnostics: &mut Diagnostics,
) -> ResolvedSchema {
    diagnostics.begin_stage();
    let Lowered {
        mut items,
        attribution,
        lost,
    } = lowered;
    let mut schema = Schema {
        rules,
        pragmas,
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
    let mut provenance = Provenance::default();
    let mut features = FeatureNames::default();
    let mut declarations = Declarations::new(items.len(), sources, attribution);
    items.retain(|item| {
        let DefItem::Definition(definition) = item else {
            return true;
        };
        if rules.have(Fact::LimitedFeatures) {
            features.add(definition, &declarations.attribution, diagnostics);
        }
        declarations.define(definition, diagnostics)
    });
    let includes = resolve::resolve(
        declarations,
        items,
        &lost,
        &mut schema,
        &mut provenance,
        sources,
        diagnostics,
    );
    assign_modules(&mut schema, includes);
    undescribed::complete(&mut schema);
    ResolvedSchema { schema, provenance }
}

/// Fills the modules' lists of entities and includes. Each include comes with
/// the number of entities, of all modules, before it.
fn assign_modules(schema: &mut Schema, includes: Vec<(usize, ModuleId, Include)>) {
    let mut includes = includes.into_iter().peekable();
    for index in 0..=schema.entities.len() {
        while let Some((_, module, include)) = includes.next_if(|(before, ..)| *before <= index) {
            let module = schema.module_mut(module);
            module.includes.push(Include {
                entities_before: module.entities.len(),
                ..include
            });
        }
        let Some(&entity) = schema.entities.get(index) else {
            return;
        };
        let module = schema.common(entity).module;
        schema.module_mut(module).entities.push(entity);
    }
}

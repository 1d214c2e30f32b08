//! From definitions to a schema.
//!
//! In: the definitions of a whole schema. Out: a [`Schema`], every name
//! resolved. It reports names that are defined twice or not at all; whether
//! a type fits where it is used, the checks say.
//!
//! First everything gets an id, then everything is made, so that definitions
//! can refer to later ones.

use std::collections::HashSet;

use super::check::step::{self, Step};
use super::{DocRef, FreeFormDoc, Include, Module, ModuleId, Schema, Written};
use crate::defs::{Body, DefItem, Definition, Feature, Member, Members};
use crate::diag::{Diagnostics, Problem, Site};
use crate::load::Pragmas;
use crate::rules::Rules;
use crate::syntax::DocBlock;

mod convert;
mod declare;
mod docs;
mod finish;
mod resolve;

use declare::{Declarations, Declared};

/// The name of the module that has the built-in types.
const BUILTIN_MODULE: &str = "./builtin";

/// How many different features QEMU's generator can tell apart.
const FEATURES_MAX: usize = 64;

/// Makes a schema of definitions. `modules` are the modules' names.
pub(crate) fn build(
    modules: Vec<String>,
    items: Vec<DefItem<'_>>,
    pragmas: Pragmas,
    rules: Rules,
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
    let (definitions, places) = take_apart(items);
    let mut features = FeatureNames::default();
    let mut declarations = Declarations::new();
    let mut documented = Vec::new();
    let mut includes = Vec::new();
    for place in places {
        match place {
            Place::Definition(index, doc) => {
                let Some(definition) = definitions.get(index) else {
                    continue;
                };
                if rules > Rules::V7_2 {
                    features.add(definition, diagnostics);
                }
                let entity = declarations.define(definition, diagnostics);
                if let (Some(entity), Some(doc)) = (entity, doc) {
                    schema.docs.push(DocRef::Definition(entity));
                    documented.push((entity, doc));
                }
            }
            Place::FreeForm(module, doc) => free_form(&mut schema, module, doc),
            Place::Include(module, include) => {
                includes.push((declarations.count(), module, include));
            }
        }
    }
    resolve::resolve(declarations, &mut schema, diagnostics);
    assign_modules(&mut schema, includes);
    for (entity, doc) in documented {
        docs::attach(&mut schema, entity, doc);
    }
    schema
}

/// The module of an index that counts without the built-in one.
fn user_module(index: usize) -> ModuleId {
    ModuleId::at(index + 1)
}

/// What stands where in the files, the definitions themselves aside.
enum Place<'s> {
    Definition(usize, Option<DocBlock<'s>>),
    FreeForm(ModuleId, DocBlock<'s>),
    Include(ModuleId, Include),
}

fn take_apart(items: Vec<DefItem<'_>>) -> (Vec<Definition<'_>>, Vec<Place<'_>>) {
    let mut definitions = Vec::with_capacity(items.len());
    let places = items
        .into_iter()
        .map(|item| match item {
            DefItem::Definition(mut definition) => {
                let doc = definition.doc.take();
                definitions.push(definition);
                Place::Definition(definitions.len() - 1, doc)
            }
            DefItem::FreeForm { module, doc } => Place::FreeForm(user_module(module), doc),
            DefItem::Include {
                module,
                included,
                span,
            } => Place::Include(
                user_module(module),
                Include {
                    module: user_module(included),
                    entities_before: 0,
                    span,
                },
            ),
        })
        .collect();
    (definitions, places)
}

fn free_form(schema: &mut Schema, module: ModuleId, doc: DocBlock<'_>) {
    let Some(place) = schema.modules.get_mut(module.0 as usize) else {
        return;
    };
    // By the older rules there is one for each heading.
    for section in doc.sections {
        schema.docs.push(DocRef::FreeForm(module, place.docs.len()));
        place.docs.push(FreeFormDoc {
            text: section.text,
            span: doc.span,
        });
    }
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
    fn add(&mut self, definition: &Definition<'_>, diagnostics: &mut Diagnostics) {
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
            Body::Enum { values, .. } => values.as_slice(),
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
            self.add_one(feature, definition, diagnostics);
        }
    }

    fn add_one(
        &mut self,
        feature: &Feature<'_>,
        definition: &Definition<'_>,
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
            let site = declare::site(definition).showing(Some(feature.name.span));
            diagnostics.report_ranked(problem, Some(site), Step::last());
            return;
        }
        self.names.insert(name.to_owned());
    }
}

impl Written {
    fn new(definition: &Definition<'_>) -> Self {
        Self {
            kind: definition.body.kind(),
            name: definition.name.text.to_string(),
            span: definition.span,
        }
    }

    /// The definition as a place.
    pub(crate) fn site(&self) -> Site {
        Site {
            definition: Some((self.kind, self.name.as_str().into())),
            ..Site::line(self.span)
        }
    }
}

/// A declared thing with its place in the schema.
type Slot<'d, 's> = (Declared<'d, 's>, Option<u32>);

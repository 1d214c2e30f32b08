//! The plan: which Rust items there will be, with every name and type chosen.
//!
//! In: a `CheckedSchema` and `Options`. Out: a [`Plan`] that `emit/` only has
//! to write down. It decides all, and quotes nothing but names and types.

use std::collections::BTreeMap;

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::graph::TypeGraph;
use super::ty::{Place, TypeNames};
use super::{Options, Prelude, doc, name};
use crate::diag::Diagnostics;
use crate::schema::{CheckedSchema, Common, Cond, Doc, Entity, Feature, ModuleId};

mod clashes;
mod commands;
mod types;

pub(crate) use commands::{Arguments, CommandPlan, EventPlan, Handler};
pub(crate) use types::{
    AlternatePlan, EnumPlan, FieldPlan, Head, StructPlan, UnionField, UnionPlan,
};

/// Everything that will be generated.
pub(crate) struct Plan {
    /// The modules, in schema order, those without items left out.
    pub(crate) modules: Vec<ModulePlan>,
}

/// One generated module: one schema file.
pub(crate) struct ModulePlan {
    /// The schema file, as the schema names it.
    pub(crate) file: String,
    pub(crate) ident: Ident,
    pub(crate) prelude: Prelude,
    pub(crate) types: Vec<TypePlan>,
    pub(crate) commands: Vec<CommandPlan>,
    pub(crate) events: Vec<EventPlan>,
}

/// One generated type.
pub(crate) enum TypePlan {
    Enum(EnumPlan),
    Struct(StructPlan),
    Union(UnionPlan),
    Alternate(AlternatePlan),
}

impl TypePlan {
    /// What every type has.
    pub(crate) fn head(&self) -> &Head {
        match self {
            Self::Enum(plan) => &plan.head,
            Self::Struct(plan) => &plan.head,
            Self::Union(plan) => &plan.head,
            Self::Alternate(plan) => &plan.head,
        }
    }
}

/// Where each schema module's types are to be found in the generated code.
pub(crate) struct ModulePaths {
    paths: BTreeMap<ModuleId, ModulePath>,
}

enum ModulePath {
    /// A sibling of the other generated modules.
    Generated(Ident),
    /// A module of another crate.
    Extern(TokenStream),
}

impl ModulePaths {
    /// The path in front of a type of `module`, as seen from `place`.
    pub(super) fn path(&self, module: ModuleId, place: Place) -> TokenStream {
        let (here, up) = match place {
            Place::Module(here) => (here, quote!()),
            Place::Submodule(here) => (here, quote!(super::)),
        };
        match self.paths.get(&module) {
            _ if module == here => up,
            Some(ModulePath::Generated(ident)) => quote!(#up super::#ident::),
            Some(ModulePath::Extern(path)) => quote!(#path::),
            None => quote!(),
        }
    }
}

/// What the planning of every item needs.
struct Planner<'s> {
    schema: &'s CheckedSchema,
    options: &'s Options,
    graph: TypeGraph,
    names: TypeNames<'s>,
}

impl Plan {
    /// Plans the Rust code for a schema. What has no spelling in Rust is
    /// reported.
    pub(crate) fn new(
        schema: &CheckedSchema,
        options: &Options,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let paths = module_paths(schema, options);
        let planner = Planner {
            schema,
            options,
            graph: TypeGraph::new(schema, &options.open_enums),
            names: TypeNames::new(schema, &paths),
        };
        let modules = schema
            .modules()
            .filter_map(|(id, module)| match paths.paths.get(&id) {
                Some(ModulePath::Generated(ident)) => {
                    Some(planner.module(id, &module.name, ident.clone(), diagnostics))
                }
                _ => None,
            })
            .filter(|module| !module.is_empty())
            .collect();
        Self { modules }
    }
}

impl ModulePlan {
    fn is_empty(&self) -> bool {
        self.types.is_empty() && self.commands.is_empty() && self.events.is_empty()
    }
}

fn module_paths(schema: &CheckedSchema, options: &Options) -> ModulePaths {
    let mut paths = BTreeMap::new();
    for (id, module) in schema.modules() {
        let path = match options.extern_modules.get(&module.name) {
            // The builder has checked that it parses.
            Some(path) => ModulePath::Extern(path.parse().unwrap_or_default()),
            None => ModulePath::Generated(name::module(&module.name)),
        };
        paths.insert(id, path);
    }
    ModulePaths { paths }
}

impl Planner<'_> {
    fn module(
        &self,
        id: ModuleId,
        file: &str,
        ident: Ident,
        diagnostics: &mut Diagnostics,
    ) -> ModulePlan {
        let mut plan = ModulePlan {
            file: file.to_owned(),
            ident,
            prelude: self.names.prelude.clone(),
            types: Vec::new(),
            commands: Vec::new(),
            events: Vec::new(),
        };
        for entity in &self.schema.module(id).entities {
            match *entity {
                Entity::Type(ty) => plan.types.extend(self.ty(ty, id)),
                Entity::Command(command) => plan.commands.extend(self.command(command, id)),
                Entity::Event(event) => plan.events.extend(self.event(event, id)),
            }
        }
        clashes::report(&plan, diagnostics);
        plan
    }

    fn includes(&self, common: &Common) -> bool {
        self.options.includes(common.cond.as_ref())
    }

    fn includes_part(&self, cond: Option<&Cond>) -> bool {
        self.options.includes(cond)
    }

    fn docs(&self, common: &Common) -> Vec<String> {
        self.docs_if_wanted(|| doc::definition(common.doc.as_ref(), &common.features, &common.name))
    }

    fn member_docs(&self, doc: Option<&Doc>, wire: &str, features: &[Feature]) -> Vec<String> {
        self.docs_if_wanted(|| doc::member(doc, wire, features))
    }

    fn docs_if_wanted(&self, docs: impl FnOnce() -> Vec<String>) -> Vec<String> {
        if self.options.docs {
            docs()
        } else {
            Vec::new()
        }
    }
}

/// Whether one of the features is the special one that QEMU calls
/// `deprecated`.
fn is_deprecated(features: &[Feature]) -> bool {
    features.iter().any(|feature| feature.name == "deprecated")
}

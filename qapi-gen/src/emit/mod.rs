//! From the plan to Rust tokens.
//!
//! In: a `Plan`. Out: one token stream per generated file. Nothing is decided
//! here; each file writes down one kind of item.
//!
//! All names of `qapi-wire` are written as `wire::...`, an alias that every
//! generated module begins with; those of the prelude as the plan spells them,
//! because a schema may define an `Option` of its own; all others in full.

mod alternates;
mod commands;
mod enums;
mod events;
mod features;
mod root;
mod structs;
mod unions;

use proc_macro2::TokenStream;
use quote::quote;

use self::features::deprecated;
use crate::rust::plan::{FeaturesPlan, Head, ModulePlan, Plan, TypePlan};

/// A generated file.
pub(crate) struct File {
    /// Its name, without a folder.
    pub(crate) name: String,
    /// The schema file that it was generated from; `None`: from all.
    pub(crate) schema_file: Option<String>,
    pub(crate) tokens: TokenStream,
}

/// Writes down every file of a plan: one for each module, and `mod.rs`.
pub(crate) fn files(plan: &Plan) -> Vec<File> {
    let root = File {
        name: "mod.rs".to_owned(),
        schema_file: None,
        tokens: root::root(plan),
    };
    let modules = plan.modules.iter().map(|module| File {
        name: format!("{}.rs", module.ident),
        schema_file: Some(module.file.clone()),
        tokens: self::module(module),
    });
    std::iter::once(root).chain(modules).collect()
}

fn module(plan: &ModulePlan) -> TokenStream {
    let std = &plan.prelude;
    let types = plan.types.iter().map(|ty| match ty {
        TypePlan::Enum(plan) => enums::enumeration(plan, std),
        TypePlan::Struct(plan) => structs::structure(plan, std),
        TypePlan::Union(plan) => unions::union(plan, std),
        TypePlan::Alternate(plan) => alternates::alternate(plan, std),
    });
    let commands = commands::commands(plan);
    let events = events::events(plan);
    // Events have a module, and an import, of their own.
    let uses_wire = !plan.types.is_empty() || !plan.commands.is_empty();
    let wire = uses_wire.then(|| {
        quote!(
            use ::qapi_wire as wire;
        )
    });
    quote! {
        #wire
        #(#types)*
        #commands
        #events
    }
}

/// `#[doc]` attributes, a blank in front of each line as in `///` comments.
fn docs(lines: &[String]) -> TokenStream {
    let lines = lines.iter().map(|line| {
        if line.is_empty() {
            String::new()
        } else {
            format!(" {line}")
        }
    });
    quote!(#(#[doc = #lines])*)
}

/// Documentation, derives and deprecation of a type of the schema.
fn attributes(head: &Head, further_derives: &TokenStream) -> TokenStream {
    item_attributes(&head.docs, &head.features, head.exact, further_derives)
}

/// The same for any item; one that is `exact` can be compared exactly and
/// hashed.
fn item_attributes(
    lines: &[String],
    features: &FeaturesPlan,
    exact: bool,
    further_derives: &TokenStream,
) -> TokenStream {
    let docs = docs(lines);
    let deprecated = deprecated(features);
    let exact = if exact { quote!(Eq, Hash,) } else { quote!() };
    quote! {
        #docs
        #deprecated
        #[derive(Clone, Debug, PartialEq, #exact #further_derives)]
    }
}

//! From the plan to Rust tokens.
//!
//! In: a `Plan`. Out: the tokens of each generated file. Nothing is decided
//! here; each file writes down one kind of item.
//!
//! All names of `qapi-wire` are written as `wire::...`, an alias that every
//! generated module begins with; those of the prelude as the plan spells them,
//! because a schema may define an `Option` of its own; all others in full.

mod alternates;
mod commands;
mod enums;
mod events;
mod root;
mod structs;
mod unions;

use proc_macro2::TokenStream;
use quote::quote;

use crate::rust::doc::DocRef;
use crate::rust::plan::{Head, ModulePlan, Plan, TypePlan};

/// A generated file.
pub(crate) struct File<'p> {
    /// Its name, without a folder.
    pub(crate) name: String,
    /// The schema file that it was generated from; `None`: from all.
    pub(crate) schema_file: Option<&'p str>,
    /// What it holds, a few items at a time. They are written down when they
    /// are asked for: a file's tokens need many times the room of its text.
    pub(crate) items: Box<dyn Iterator<Item = TokenStream> + 'p>,
}

/// Writes down every file of a plan: one for each module, and `mod.rs`.
pub(crate) fn files(plan: &Plan) -> impl Iterator<Item = File<'_>> {
    let root = File {
        name: "mod.rs".to_owned(),
        schema_file: None,
        items: Box::new(root::root(plan)),
    };
    let modules = plan.modules.iter().map(|module| File {
        name: format!("{}.rs", module.ident),
        schema_file: Some(&module.file),
        items: Box::new(self::module(module)),
    });
    std::iter::once(root).chain(modules)
}

fn module(plan: &ModulePlan) -> impl Iterator<Item = TokenStream> {
    // Events have a module, and an import, of their own.
    let uses_wire = !plan.types.is_empty() || !plan.commands.is_empty();
    let wire = uses_wire.then(|| {
        quote!(
            use ::qapi_wire as wire;
        )
    });
    let std = &plan.prelude;
    let types = plan.types.iter().map(|ty| match ty {
        TypePlan::Enum(plan) => enums::enumeration(plan, std),
        TypePlan::Struct(plan) => structs::structure(plan),
        TypePlan::Union(plan) => unions::union(plan, std),
        TypePlan::Alternate(plan) => alternates::alternate(plan),
    });
    let commands = std::iter::once_with(|| commands::commands(plan));
    let events = std::iter::once_with(|| events::events(plan));
    wire.into_iter().chain(types).chain(commands).chain(events)
}

/// The attribute that refers to an item's documentation.
fn docs(docs: DocRef) -> Option<TokenStream> {
    docs.mark().map(|mark| quote!(#[doc = #mark]))
}

fn deprecated(is_deprecated: bool) -> TokenStream {
    if is_deprecated {
        quote!(#[deprecated])
    } else {
        quote!()
    }
}

/// Documentation, derives and deprecation of a type of the schema.
fn attributes(head: &Head, further_derives: &TokenStream) -> TokenStream {
    item_attributes(head.docs, head.deprecated, head.exact, further_derives)
}

/// The same for any item; one that is `exact` can be compared exactly and
/// hashed.
fn item_attributes(
    docs: DocRef,
    is_deprecated: bool,
    exact: bool,
    further_derives: &TokenStream,
) -> TokenStream {
    let docs = self::docs(docs);
    let deprecated = deprecated(is_deprecated);
    let exact = if exact { quote!(Eq, Hash,) } else { quote!() };
    quote! {
        #docs
        #deprecated
        #[derive(Clone, Debug, PartialEq, #exact #further_derives)]
    }
}

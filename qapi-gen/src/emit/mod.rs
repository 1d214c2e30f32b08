//! From the plan to Rust tokens.
//!
//! In: a `Plan`. Out: the tokens of each generated file. Nothing is decided
//! here; each file writes down one kind of item.
//!
//! All names of `qapi-wire` are written as `wire::...`, an alias that every
//! generated module begins with; those of the prelude as the plan spells them,
//! because a schema may define an `Option` of its own, be it a type or a
//! command; all others in full.

mod alternates;
mod commands;
mod enums;
mod events;
mod features;
mod introspection;
mod root;
mod structs;
mod unions;

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use self::features::deprecated;
use crate::rust::plan::{FeaturesPlan, Head, ModulePlan, Plan, TypePlan};
use crate::rust::text::{TextRef, Texts};

/// A generated file.
pub(crate) struct File<'p> {
    /// Its name, without a folder.
    pub(crate) name: String,
    /// The schema file that it was generated from; `None`: from all.
    pub(crate) schema_file: Option<&'p str>,
    /// What it holds, a few items at a time. They are written down when they
    /// are asked for: a file's tokens need many times the room of its text.
    pub(crate) items: Box<dyn Iterator<Item = Item> + 'p>,
}

/// A part of a file.
pub(crate) enum Item {
    /// Items to be laid out.
    Tokens(TokenStream),
    /// Items that are laid out already.
    Text(String),
}

/// The interface of `qapi-wire` that the emitted code is written for.
const WIRE_INTERFACE: u32 = 1;

/// Writes down every file of a plan: `mod.rs`, the schema as data, and one for
/// each module.
pub(crate) fn files(plan: &Plan) -> impl Iterator<Item = File<'_>> {
    let root = File {
        name: "mod.rs".to_owned(),
        schema_file: None,
        items: Box::new(root::root(plan).map(Item::Tokens)),
    };
    let introspection = plan.introspection.iter().map(|infos| File {
        name: "schema_info.rs".to_owned(),
        schema_file: None,
        items: Box::new(introspection::introspection(infos)),
    });
    let modules = plan.own_modules().map(|module| File {
        name: format!("{}.rs", module.ident),
        schema_file: Some(&module.file),
        items: Box::new(self::module(module, &plan.texts).map(Item::Tokens)),
    });
    std::iter::once(root).chain(introspection).chain(modules)
}

fn module<'p>(plan: &'p ModulePlan, texts: &'p Texts) -> impl Iterator<Item = TokenStream> + 'p {
    // Events have a module, and an import, of their own.
    let uses_wire = !plan.types.is_empty() || !plan.commands.is_empty();
    let wire = uses_wire.then(|| {
        quote!(
            use ::qapi_wire as wire;
        )
    });
    let std = &plan.prelude;
    let types = plan.types.iter().map(move |ty| match ty {
        TypePlan::Enum(plan) => enums::enumeration(plan, std, texts),
        TypePlan::Struct(plan) => structs::structure(plan, texts),
        TypePlan::Union(plan) => unions::union(plan, std),
        TypePlan::Alternate(plan) => alternates::alternate(plan),
    });
    let interface = interface();
    let interface = quote! {
        #[doc(hidden)]
        pub const INTERFACE: u32 = #interface;
    };
    let commands = std::iter::once_with(move || commands::commands(plan, texts));
    let events = std::iter::once_with(move || events::events(plan, texts));
    wire.into_iter()
        .chain([interface])
        .chain(types)
        .chain(commands)
        .chain(events)
}

fn interface() -> Literal {
    Literal::u32_unsuffixed(WIRE_INTERFACE)
}

/// The attribute that refers to an item's documentation.
fn docs(docs: Option<TextRef>) -> Option<TokenStream> {
    let mark = docs?.mark();
    Some(quote!(#[doc = #mark]))
}

/// Documentation, derives and deprecation of a type of the schema.
fn attributes(head: &Head, further_derives: &TokenStream) -> TokenStream {
    item_attributes(head.docs, &head.features, head.exact, further_derives)
}

/// The same for any item; one that is `exact` can be compared exactly and
/// hashed.
fn item_attributes(
    docs: Option<TextRef>,
    features: &FeaturesPlan,
    exact: bool,
    further_derives: &TokenStream,
) -> TokenStream {
    let docs = self::docs(docs);
    let deprecated = deprecated(features);
    let exact = if exact { quote!(Eq, Hash,) } else { quote!() };
    quote! {
        #docs
        #deprecated
        #[derive(Clone, Debug, PartialEq, #exact #further_derives)]
    }
}

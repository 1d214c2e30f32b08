//! From the plan to Rust tokens.
//!
//! In: a `Plan`. Out: one token stream per generated file. Nothing is decided
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
mod introspection;
mod root;
mod structs;
mod unions;

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use crate::rust::plan::{Head, ModulePlan, Plan, TypePlan};

/// A generated file.
pub(crate) struct File {
    /// Its name, without a folder.
    pub(crate) name: String,
    /// The schema file that it was generated from; `None`: from all.
    pub(crate) schema_file: Option<String>,
    pub(crate) tokens: TokenStream,
}

/// The interface of `qapi-wire` that the emitted code is written for.
const WIRE_INTERFACE: u32 = 1;

/// Writes down every file of a plan: `mod.rs`, the schema as data, and one for
/// each module.
pub(crate) fn files(plan: &Plan) -> Vec<File> {
    let root = File {
        name: "mod.rs".to_owned(),
        schema_file: None,
        tokens: root::root(plan),
    };
    let introspection = plan.introspection.iter().map(|infos| File {
        name: "schema_info.rs".to_owned(),
        schema_file: None,
        tokens: introspection::introspection(infos),
    });
    let modules = plan.own_modules().map(|module| File {
        name: format!("{}.rs", module.ident),
        schema_file: Some(module.file.clone()),
        tokens: self::module(module),
    });
    std::iter::once(root)
        .chain(introspection)
        .chain(modules)
        .collect()
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
    let interface = interface();
    quote! {
        #wire

        #[doc(hidden)]
        pub const INTERFACE: u32 = #interface;

        #(#types)*
        #commands
        #events
    }
}

fn interface() -> Literal {
    Literal::u32_unsuffixed(WIRE_INTERFACE)
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

fn deprecated(is_deprecated: bool) -> TokenStream {
    if is_deprecated {
        quote!(#[deprecated])
    } else {
        quote!()
    }
}

/// Documentation, derives and deprecation of a type of the schema.
fn attributes(head: &Head, further_derives: &TokenStream) -> TokenStream {
    item_attributes(&head.docs, head.deprecated, head.exact, further_derives)
}

/// The same for any item; one that is `exact` can be compared exactly and
/// hashed.
fn item_attributes(
    lines: &[String],
    is_deprecated: bool,
    exact: bool,
    further_derives: &TokenStream,
) -> TokenStream {
    let docs = docs(lines);
    let deprecated = deprecated(is_deprecated);
    let exact = if exact { quote!(Eq, Hash,) } else { quote!() };
    quote! {
        #docs
        #deprecated
        #[derive(Clone, Debug, PartialEq, #exact #further_derives)]
    }
}

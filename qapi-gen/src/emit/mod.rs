//! From the plan to Rust tokens.
//!
//! In: a `Plan`. Out: one token stream per generated file. Nothing is decided
//! here; each file writes down one kind of item.
//!
//! All names of `qapi-wire` are written as `wire::...`, an alias that every
//! generated module begins with; all names of `core` and `std` in full, because
//! a schema may define anything else.

mod alternates;
mod commands;
mod enums;
mod events;
mod root;
mod structs;
mod unions;

use proc_macro2::TokenStream;
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

/// Writes down every file of a plan: one for each module, and `mod.rs`.
pub(crate) fn files(plan: &Plan) -> Vec<File> {
    let root = File { name: "mod.rs".to_owned(), schema_file: None, tokens: root::root(plan) };
    let modules = plan.modules.iter().map(|module| File {
        name: format!("{}.rs", module.ident),
        schema_file: Some(module.file.clone()),
        tokens: self::module(module),
    });
    std::iter::once(root).chain(modules).collect()
}

fn module(plan: &ModulePlan) -> TokenStream {
    let types = plan.types.iter().map(|ty| match ty {
        TypePlan::Enum(plan) => enums::enumeration(plan),
        TypePlan::Struct(plan) => structs::structure(plan),
        TypePlan::Union(plan) => unions::union(plan),
        TypePlan::Alternate(plan) => alternates::alternate(plan),
    });
    let commands = commands::commands(plan);
    let events = events::events(plan);
    quote! {
        use qapi_wire as wire;

        #(#types)*
        #commands
        #events
    }
}

/// `#[doc]` attributes, a blank in front of each line as in `///` comments.
fn docs(lines: &[String]) -> TokenStream {
    let lines = lines.iter().map(|line| {
        if line.is_empty() { String::new() } else { format!(" {line}") }
    });
    quote!(#(#[doc = #lines])*)
}

fn deprecated(is_deprecated: bool) -> TokenStream {
    if is_deprecated { quote!(#[deprecated]) } else { quote!() }
}

/// Documentation, derives and deprecation of a type.
fn attributes(head: &Head, further_derives: &TokenStream) -> TokenStream {
    let docs = docs(&head.docs);
    let deprecated = deprecated(head.deprecated);
    let exact = if head.exact { quote!(Eq, Hash,) } else { quote!() };
    quote! {
        #docs
        #deprecated
        #[derive(Clone, Debug, PartialEq, #exact #further_derives)]
    }
}

/// The encoder, the decoder and serde's traits for a type whose members can
/// be taken out of, and put among, others.
fn object_traits(ident: &proc_macro2::Ident) -> TokenStream {
    quote! {
        impl wire::Decode for #ident {
            fn decode(value: wire::Value, at: wire::At<'_>) -> wire::Result<Self> {
                wire::decode_object(value, at)
            }
        }

        impl wire::Encode for #ident {
            fn encode(&self, out: &mut wire::Writer<'_>) {
                out.members(self);
            }
        }

        impl wire::serde::Serialize for #ident {
            fn serialize<S: wire::serde::Serializer>(
                &self,
                to: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                wire::serde::serialize(self, to)
            }
        }
    }
}

/// serde's `Deserialize`, by way of the decoder.
fn deserialize(ident: &proc_macro2::Ident) -> TokenStream {
    quote! {
        impl<'de> wire::serde::Deserialize<'de> for #ident {
            fn deserialize<D: wire::serde::Deserializer<'de>>(
                from: D,
            ) -> ::core::result::Result<Self, D::Error> {
                wire::serde::deserialize(from)
            }
        }
    }
}

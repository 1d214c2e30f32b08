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
mod root;
mod structs;
mod unions;

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

use crate::rust::Layout;
use crate::rust::cfg::Cfg;
use crate::rust::plan::{Head, ModulePlan, Plan, TypePlan};

/// A generated file.
pub(crate) struct File {
    /// Its name, without a folder.
    pub(crate) name: String,
    /// The schema file that it was generated from; `None`: from all.
    pub(crate) schema_file: Option<String>,
    pub(crate) tokens: TokenStream,
}

/// Writes down every file of a plan: `mod.rs`, and one for each module unless
/// they stand in it.
pub(crate) fn files(plan: &Plan) -> Vec<File> {
    let modules = plan.modules.iter().map(module);
    let (inline, files) = match plan.layout {
        Layout::OneFile => (modules.map(Some).collect(), Vec::new()),
        Layout::FilePerModule => {
            let file = |(tokens, module): (TokenStream, &ModulePlan)| File {
                name: format!("{}.rs", module.ident),
                schema_file: Some(module.file.clone()),
                tokens,
            };
            let none = plan.modules.iter().map(|_| None).collect();
            (none, modules.zip(&plan.modules).map(file).collect())
        }
    };
    let root = File {
        name: "mod.rs".to_owned(),
        schema_file: None,
        tokens: root::root(plan, inline),
    };
    std::iter::once(root).chain(files).collect()
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
    // Events have a module, and an import, of their own; the trait of the
    // commands is there whatever becomes of them.
    let commands_use = (!plan.commands.is_empty()).then_some(&Cfg::ALWAYS);
    let types_use = plan.types.iter().map(|ty| &ty.head().cfg);
    let wire = Cfg::any(commands_use.into_iter().chain(types_use)).map(|cfg| {
        quote!(
            #cfg
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

/// `#[deprecated]`, if and when it is.
fn deprecated(when: Option<&Cfg>) -> TokenStream {
    when.map(|cfg| cfg.attribute(&quote!(deprecated)))
        .unwrap_or_default()
}

/// Condition, documentation, deprecation, derives and what the caller adds, of
/// a type of the schema.
fn attributes(head: &Head) -> TokenStream {
    let Head {
        cfg,
        derives,
        attributes,
        ..
    } = head;
    let docs = docs(&head.docs);
    let deprecated = deprecated(head.deprecated.as_ref());
    quote!(#docs #cfg #deprecated #[derive(#(#derives),*)] #attributes)
}

/// A statement that lets a parameter go unused, if it can be that some
/// configuration leaves nothing that uses it.
fn unused(parameter: &str, can_be: bool) -> TokenStream {
    if !can_be {
        return TokenStream::new();
    }
    let parameter = Ident::new(parameter, Span::call_site());
    quote!(let _ = #parameter;)
}

/// The arm of a match on a reference to an enum that says that there is no
/// value, in those configurations in which the enum has no variant.
fn nothing(vacant: Option<&Cfg>) -> TokenStream {
    vacant
        .map(|cfg| quote!(#cfg _ => match *self {},))
        .unwrap_or_default()
}

//! Writes the plan as Rust.
//!
//! In: a `Plan`. Out: the text of each generated file. This room must not decide
//! anything; each of its files writes one kind of item.
//!
//! Names of `qapi-wire` are written as `wire::...`, an alias that each generated
//! module starts with. Names of the standard prelude are written as the plan
//! spells them, because a schema may define its own `Option`. All other names
//! are written in full.

mod alternates;
mod commands;
mod enums;
mod events;
mod features;
mod plain;
mod pretty;
mod print;
mod root;
mod schema_info;
mod structs;
mod table;
mod unions;

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::quote;

use self::features::deprecated;
use crate::backend::rust::Layout;
use crate::backend::rust::cfg::Presence;
use crate::backend::rust::placeholder::{TextRef, Texts};
use crate::backend::rust::plan::{Head, ModulePlan, Plan, TypePlan};

pub(crate) use print::print;

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

/// Writes down the files that are about all modules: `mod.rs`, and the schema
/// as data unless it stands in it. `inline` are the modules that do.
pub(crate) fn root<'p>(
    plan: &'p Plan,
    inline: &'p [ModulePlan],
    texts: &'p Texts<'_>,
) -> Vec<File<'p>> {
    let introspection = || plan.introspection.iter().map(Vec::as_slice);
    let items = root::root(plan, inline, texts).map(Item::Tokens);
    match plan.layout {
        Layout::OneFile => {
            let introspection = introspection().map(schema_info::inline).map(Item::Text);
            vec![File {
                name: "mod.rs".to_owned(),
                schema_file: None,
                items: Box::new(items.chain(introspection)),
            }]
        }
        Layout::FilePerModule => {
            let root = File {
                name: "mod.rs".to_owned(),
                schema_file: None,
                items: Box::new(items),
            };
            let introspection = introspection().map(|infos| File {
                name: "schema_info.rs".to_owned(),
                schema_file: None,
                items: Box::new(schema_info::items(infos)),
            });
            std::iter::once(root).chain(introspection).collect()
        }
    }
}

/// Writes down the file of a module.
pub(crate) fn module_file<'p>(plan: &'p ModulePlan, texts: &'p Texts<'_>) -> File<'p> {
    File {
        name: format!("{}.rs", plan.ident),
        schema_file: Some(&plan.file),
        items: Box::new(module(plan, texts).map(Item::Tokens)),
    }
}

fn module<'p>(
    plan: &'p ModulePlan,
    texts: &'p Texts<'_>,
) -> impl Iterator<Item = TokenStream> + 'p {
    // Events have a module, and an import, of their own; the trait of the
    // commands is there whatever becomes of them.
    let commands_use = (!plan.commands.is_empty()).then_some(&Presence::ALWAYS);
    let types_use = plan.types.iter().map(|ty| &ty.head().cfg);
    let wire = Presence::any(commands_use.into_iter().chain(types_use));
    let wire = (!wire.is_never()).then(|| {
        quote!(
            #wire
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

/// Condition, documentation, deprecation, derives and what the caller adds, of
/// a type of the schema.
fn attributes(head: &Head) -> TokenStream {
    let Head {
        cfg,
        derives,
        attributes,
        ..
    } = head;
    let docs = docs(head.docs);
    let deprecated = deprecated(&head.features);
    quote!(#docs #cfg #deprecated #derives #attributes)
}

/// A condition as lines of text, for tables.
fn cfg_lines(cfg: &Presence) -> String {
    if cfg.is_always() {
        return String::new();
    }
    // The attribute is laid out on an item that is taken away again.
    let tokens = quote!(#cfg struct A;);
    let laid_out = pretty::items(tokens).map(|items| items.concat());
    let lines = laid_out.and_then(|text| Some(text.strip_suffix("struct A;\n")?.to_owned()));
    lines.unwrap_or_else(|| format!("{}\n", quote!(#cfg)))
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
fn nothing(vacant: &Presence) -> TokenStream {
    match vacant {
        Presence::Never => TokenStream::new(),
        Presence::Always | Presence::When(_) => quote!(#vacant _ => match *self {},),
    }
}

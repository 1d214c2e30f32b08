//! Attributes of items.
//!
//! In: the plan of an item. Out: its condition, documentation and attributes, as
//! tokens or as text.

use proc_macro2::TokenStream;
use quote::quote;

use super::features::deprecated;
use super::pretty;
use crate::backend::rust::cfg::Presence;
use crate::backend::rust::placeholder::Placeholder;
use crate::backend::rust::plan::Head;

/// Returns all attributes of an item: its documentation, its condition, its
/// deprecation, its derives, and the attributes that the caller adds.
pub(super) fn attributes(head: &Head) -> TokenStream {
    let Head {
        cfg,
        derives,
        attributes,
        ..
    } = head;
    let docs = head.docs.map(Placeholder::literal);
    let docs = docs.map(|mark| quote!(#[doc = #mark]));
    let deprecated = deprecated(&head.features);
    quote!(#docs #cfg #deprecated #derives #attributes)
}

/// Returns a condition as lines of text, for tables.
pub(super) fn cfg_lines(cfg: &Presence) -> String {
    if cfg.is_always() {
        return String::new();
    }
    // Only items can be formatted, so format the attribute on a struct, and remove
    // the struct from the text.
    let tokens = quote!(#cfg struct A;);
    let laid_out = pretty::items(tokens).map(|items| items.concat());
    let lines = laid_out.and_then(|text| Some(text.strip_suffix("struct A;\n")?.to_owned()));
    lines.unwrap_or_else(|| format!("{}\n", quote!(#cfg)))
}

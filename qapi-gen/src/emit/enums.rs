//! Enumerations and their tables.
//!
//! In: an `EnumPlan`. Out: the enum, and the table of its values, from
//! which `qapi-wire` makes the rest.

use std::fmt::Write as _;

use proc_macro2::TokenStream;
use quote::quote;

use super::features::{self, deprecated};
use super::{attributes, docs};
use crate::rust::Prelude;
use crate::rust::plan::{EnumPlan, Head, ValuePlan};
use crate::rust::text::Texts;

pub(super) fn enumeration(plan: &EnumPlan, std: &Prelude, texts: &Texts) -> TokenStream {
    let definition = definition(plan, std);
    let traits = traits(plan, texts);
    quote!(#definition #traits)
}

fn definition(plan: &EnumPlan, std: &Prelude) -> TokenStream {
    let ident = &plan.head.ident;
    let copy = if plan.unknown.is_none() {
        quote!(Copy,)
    } else {
        quote!()
    };
    let attributes = attributes(&plan.head, &quote!(PartialOrd, Ord, #copy));
    let values = plan.values.iter().map(|value| {
        let (ident, docs) = (&value.ident, docs(value.docs));
        let deprecated = deprecated(&value.features);
        quote!(#docs #deprecated #ident,)
    });
    let box_ = &std.box_;
    let unknown = plan.unknown.iter().map(|unknown| {
        quote! {
            /// A value that the schema does not list: of a newer peer, or
            /// registered at run time.
            #unknown(#box_<str>),
        }
    });
    quote! {
        #attributes
        pub enum #ident {
            #(#values)*
            #(#unknown)*
        }
    }
}

/// What implements everything else, from the table of the values.
fn traits(plan: &EnumPlan, texts: &Texts) -> TokenStream {
    let Head { ident, wire, .. } = &plan.head;
    let mut table = String::new();
    if let Some(unknown) = &plan.unknown {
        let _ = write!(table, "\"{wire}\", {unknown}, ");
    }
    let _ = write!(table, "{ident} {{");
    for ValuePlan {
        ident,
        wire,
        features,
        ..
    } in &plan.values
    {
        let _ = write!(table, "\n    {ident}: \"{wire}\"");
        if let Some(special) = features::special(features) {
            let _ = write!(table, " as {special}");
        }
        table.push(',');
    }
    table.push_str(if plan.values.is_empty() { "}" } else { "\n}" });
    let mark = texts.add(table).mark();
    match plan.unknown {
        Some(_) => quote!(wire::open_enumeration!(#mark);),
        None => quote!(wire::enumeration!(#mark);),
    }
}

//! Writes enumerations.
//!
//! In: an `EnumPlan`. Out: the enum, and the table of its values for a macro of
//! `qapi-wire`, which implements the traits.

use proc_macro2::TokenStream;
use quote::quote;

use super::attributes::attributes;
use super::features::special;
use super::table::Table;
use crate::backend::rust::placeholder::Placeholders;
use crate::backend::rust::plan::{EnumPlan, Head};
use crate::backend::rust::ty::Prelude;

pub(super) fn enumeration(
    plan: &EnumPlan,
    std: &Prelude,
    placeholders: &Placeholders<'_>,
) -> TokenStream {
    let definition = definition(plan, std);
    let traits = traits(plan, placeholders);
    quote!(#definition #traits)
}

fn definition(plan: &EnumPlan, std: &Prelude) -> TokenStream {
    let ident = &plan.head.ident;
    let attributes = attributes(&plan.head);
    let values = plan.values.iter().map(|value| {
        let (ident, attributes) = (&value.ident, self::attributes(value));
        quote!(#attributes #ident,)
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

/// Writes the macro call that implements the traits from the table of values.
fn traits(plan: &EnumPlan, placeholders: &Placeholders<'_>) -> TokenStream {
    let Head {
        ident, wire, cfg, ..
    } = &plan.head;
    let mut table = match &plan.unknown {
        Some(unknown) => Table::new(format_args!("\"{wire}\", {unknown}, {ident} {{")),
        None => Table::new(format_args!("{ident} {{")),
    };
    for value in &plan.values {
        let Head {
            ident, wire, cfg, ..
        } = value;
        let special = special(&value.features).map(|special| format!(" as {special}"));
        let special = special.unwrap_or_default();
        table.entry(cfg, format_args!("{ident}: \"{wire}\"{special}"));
    }
    let mark = placeholders.table(table.finish()).literal();
    match plan.unknown {
        Some(_) => quote!(#cfg wire::open_enumeration!(#mark);),
        None => quote!(#cfg wire::enumeration!(#mark);),
    }
}

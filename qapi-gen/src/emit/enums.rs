//! Enumerations and their tables.
//!
//! In: an `EnumPlan`. Out: the enum, its `NAMES` and `ALL`, from which
//! `qapi_wire::enumeration!` makes the rest.

use proc_macro2::TokenStream;
use quote::quote;

use super::{attributes, deprecated, docs};
use crate::rust::Prelude;
use crate::rust::plan::EnumPlan;

pub(super) fn enumeration(plan: &EnumPlan, std: &Prelude) -> TokenStream {
    let definition = definition(plan, std);
    let tables = tables(plan);
    let (ident, wire_name) = (&plan.head.ident, &plan.head.wire);
    let traits = match &plan.unknown {
        Some(unknown) => quote!(wire::enumeration!(#ident, #wire_name, #unknown);),
        None if plan.values.is_empty() => quote!(wire::enumeration!(#ident {});),
        None => quote!(wire::enumeration!(#ident);),
    };
    quote! {
        #definition
        #tables
        #traits
    }
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
        let deprecated = deprecated(value.deprecated);
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

fn tables(plan: &EnumPlan) -> TokenStream {
    let ident = &plan.head.ident;
    let variants: Vec<_> = plan.values.iter().map(|value| &value.ident).collect();
    let names: Vec<_> = plan.values.iter().map(|value| &value.wire).collect();
    // A closed enumeration has its name by its number, in every one the same
    // way; one whose variant holds a name has no number.
    let name = plan.unknown.iter().map(|unknown| {
        quote! {
            /// The name on the wire.
            #[must_use]
            pub fn name(&self) -> &str {
                match self {
                    #(Self::#variants => #names,)*
                    Self::#unknown(name) => name,
                }
            }
        }
    });
    quote! {
        impl #ident {
            /// The names on the wire, in schema order.
            pub const NAMES: &'static [&'static str] = &[#(#names),*];

            /// The values, in schema order.
            pub const ALL: &'static [Self] = &[#(Self::#variants),*];

            #(#name)*
        }
    }
}

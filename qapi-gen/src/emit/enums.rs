//! Enumerations and their tables.
//!
//! In: an `EnumPlan`. Out: the enum, its `NAMES` and `ALL`, and its traits.

use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use quote::quote;

use super::features::{deprecated, special};
use super::{attributes, docs};
use crate::rust::Prelude;
use crate::rust::plan::EnumPlan;

pub(super) fn enumeration(plan: &EnumPlan, std: &Prelude) -> TokenStream {
    let definition = definition(plan, std);
    let tables = tables(plan, std);
    let from_str = from_str(plan, std);
    let decode = decode(plan, std);
    let ident = &plan.head.ident;
    quote! {
        #definition
        #tables
        #from_str
        #decode
        wire::enumeration!(#ident);
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
        let (ident, docs) = (&value.ident, docs(&value.docs));
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

fn tables(plan: &EnumPlan, std: &Prelude) -> TokenStream {
    let option = &std.option;
    let ident = &plan.head.ident;
    let variants: Vec<_> = plan.values.iter().map(|value| &value.ident).collect();
    let names: Vec<_> = plan.values.iter().map(|value| &value.wire).collect();
    let numbers = 0..plan.values.len();
    let (index_type, index) = if plan.unknown.is_some() {
        let known = numbers.map(|number| quote!(Some(#number)));
        let arms = quote!(#(Self::#variants => #known,)*);
        (quote!(#option<usize>), quote!(#arms _ => None,))
    } else {
        (quote!(usize), quote!(#(Self::#variants => #numbers,)*))
    };
    // A reference to a type without values is not known to have none.
    let is_uninhabited = plan.values.is_empty() && plan.unknown.is_none();
    let matched = if is_uninhabited {
        quote!(*self)
    } else {
        quote!(self)
    };
    let name_arms = quote!(#(Self::#variants => #names,)*);
    let unknown_name = plan
        .unknown
        .iter()
        .map(|unknown| quote!(Self::#unknown(name) => name,));
    let name_lifetime = if plan.unknown.is_some() {
        quote!(&str)
    } else {
        quote!(&'static str)
    };
    quote! {
        impl #ident {
            /// The names on the wire, in schema order.
            pub const NAMES: &'static [&'static str] = &[#(#names),*];

            /// The values, in schema order.
            pub const ALL: &'static [Self] = &[#(Self::#variants),*];

            /// The name on the wire.
            #[must_use]
            pub fn name(&self) -> #name_lifetime {
                match #matched { #name_arms #(#unknown_name)* }
            }

            /// The place in [`Self::ALL`].
            #[must_use]
            pub fn index(&self) -> #index_type {
                match #matched { #index }
            }
        }
    }
}

fn from_str(plan: &EnumPlan, std: &Prelude) -> TokenStream {
    let result = &std.result;
    let ident = &plan.head.ident;
    let variants: Vec<_> = plan.values.iter().map(|value| &value.ident).collect();
    let names: Vec<_> = plan.values.iter().map(|value| &value.wire).collect();
    let (error, unlisted) = match &plan.unknown {
        Some(unknown) => (
            quote!(::core::convert::Infallible),
            quote!(Ok(Self::#unknown(name.into()))),
        ),
        None => (
            quote!(wire::UnknownValue),
            quote!(Err(wire::UnknownValue::new(name))),
        ),
    };
    quote! {
        impl ::core::str::FromStr for #ident {
            type Err = #error;

            fn from_str(name: &str) -> #result<Self, Self::Err> {
                match name {
                    #(#names => Ok(Self::#variants),)*
                    _ => #unlisted,
                }
            }
        }
    }
}

fn decode(plan: &EnumPlan, std: &Prelude) -> TokenStream {
    let string = &std.string;
    let ident = &plan.head.ident;
    let wire_name = &plan.head.wire;
    let special = special_values(plan);
    let body = if plan.unknown.is_some() {
        quote! {
            let Ok(value) = name.parse::<Self>();
            if value.index().is_none() {
                at.open_value(#wire_name, &name)?;
            }
            #special
            Ok(value)
        }
    } else if special.is_some() {
        quote! {
            let value = name.parse().map_err(|_| at.invalid_value(&name))?;
            #special
            Ok(value)
        }
    } else {
        quote!(name.parse().map_err(|_| at.invalid_value(&name)))
    };
    quote! {
        impl wire::Decode for #ident {
            fn decode(value: wire::Value, at: wire::At<'_>) -> wire::Result<Self> {
                let name = #string::decode(value, at)?;
                #body
            }
        }
    }
}

/// The statements that ask the policy about a value's special features, if any
/// value has some.
fn special_values(plan: &EnumPlan) -> Option<TokenStream> {
    // By what they have in common: equal arms are one.
    let mut arms: BTreeMap<String, (TokenStream, Vec<&str>)> = BTreeMap::new();
    for value in &plan.values {
        if let Some(special) = special(&value.features) {
            let arm = arms.entry(special.to_string());
            let (_, names) = arm.or_insert((special, Vec::new()));
            names.push(&value.wire);
        }
    }
    let arms: Vec<_> = arms
        .values()
        .map(|(special, names)| quote!(#(#names)|* => #special,))
        .collect();
    (!arms.is_empty()).then(|| {
        quote! {
            let special = match name.as_str() { #(#arms)* _ => wire::Special::NONE };
            at.special_value(&name, special)?;
        }
    })
}

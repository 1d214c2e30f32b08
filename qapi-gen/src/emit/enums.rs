//! Enumerations and their tables.
//!
//! In: an `EnumPlan`. Out: the enum, its `NAMES` and `ALL`, and its traits.

use proc_macro2::TokenStream;
use quote::quote;

use super::{attributes, deprecated, docs};
use crate::rust::Prelude;
use crate::rust::cfg::Cfg;
use crate::rust::plan::{EnumPlan, ValuePlan};

pub(super) fn enumeration(plan: &EnumPlan, std: &Prelude) -> TokenStream {
    let definition = definition(plan, std);
    let tables = tables(plan, std);
    let from_str = from_str(plan, std);
    let decode = decode(plan, std);
    let (ident, cfg) = (&plan.head.ident, &plan.head.cfg);
    quote! {
        #definition
        #tables
        #from_str
        #decode
        #cfg
        wire::enumeration!(#ident);
    }
}

fn definition(plan: &EnumPlan, std: &Prelude) -> TokenStream {
    let ident = &plan.head.ident;
    let attributes = attributes(&plan.head);
    let values = plan.values.iter().map(|value| {
        let ValuePlan {
            ident,
            cfg,
            attributes,
            ..
        } = value;
        let docs = docs(&value.docs);
        let deprecated = deprecated(value.deprecated.as_ref());
        quote!(#docs #cfg #deprecated #attributes #ident,)
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
    let (ident, head_cfg) = (&plan.head.ident, &plan.head.cfg);
    let variants: Vec<_> = plan.values.iter().map(|value| &value.ident).collect();
    let names: Vec<_> = plan.values.iter().map(|value| &value.wire).collect();
    let cfgs: Vec<_> = plan.values.iter().map(|value| &value.cfg).collect();
    let can_be_empty = Cfg::none_of(cfgs.iter().copied()).is_some();
    // A reference to a type without values is not known to have none.
    let matched = if can_be_empty && plan.unknown.is_none() {
        quote!(*self)
    } else {
        quote!(self)
    };
    let index_type = match plan.unknown {
        Some(_) => quote!(#option<usize>),
        None => quote!(usize),
    };
    let index = index(plan, &matched);
    let name_arms = quote!(#(#cfgs Self::#variants => #names,)*);
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
        #head_cfg
        impl #ident {
            /// The names on the wire, in schema order.
            pub const NAMES: &'static [&'static str] = &[#(#cfgs #names),*];

            /// The values, in schema order.
            pub const ALL: &'static [Self] = &[#(#cfgs Self::#variants),*];

            /// The name on the wire.
            #[must_use]
            pub fn name(&self) -> #name_lifetime {
                match #matched { #name_arms #(#unknown_name)* }
            }

            /// The place in [`Self::ALL`].
            #[must_use]
            pub fn index(&self) -> #index_type {
                #index
            }
        }
    }
}

/// The expression for a value's place. Where values are conditional, it is
/// the compiler that counts.
fn index(plan: &EnumPlan, matched: &TokenStream) -> TokenStream {
    let cfgs: Vec<_> = plan.values.iter().map(|value| &value.cfg).collect();
    let variants: Vec<_> = plan.values.iter().map(|value| &value.ident).collect();
    let numbers = 0..plan.values.len();
    let is_conditional = cfgs.iter().any(|cfg| !cfg.is_always());
    match (plan.unknown.is_some(), is_conditional) {
        (true, true) => quote!(Self::ALL.iter().position(|value| value == self)),
        (true, false) => {
            quote!(match #matched { #(Self::#variants => Some(#numbers),)* _ => None, })
        }
        // What may have no value cannot be cast.
        (false, true) if Cfg::none_of(cfgs.iter().copied()).is_some() => quote! {
            match #matched { #(#cfgs Self::#variants => Self::#variants as usize,)* }
        },
        (false, true) => quote!(*self as usize),
        (false, false) => quote!(match #matched { #(Self::#variants => #numbers,)* }),
    }
}

fn from_str(plan: &EnumPlan, std: &Prelude) -> TokenStream {
    let result = &std.result;
    let (ident, head_cfg) = (&plan.head.ident, &plan.head.cfg);
    let variants = plan.values.iter().map(|value| &value.ident);
    let names = plan.values.iter().map(|value| &value.wire);
    let cfgs = plan.values.iter().map(|value| &value.cfg);
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
        #head_cfg
        impl ::core::str::FromStr for #ident {
            type Err = #error;

            fn from_str(name: &str) -> #result<Self, Self::Err> {
                match name {
                    #(#cfgs #names => Ok(Self::#variants),)*
                    _ => #unlisted,
                }
            }
        }
    }
}

fn decode(plan: &EnumPlan, std: &Prelude) -> TokenStream {
    let string = &std.string;
    let (ident, cfg) = (&plan.head.ident, &plan.head.cfg);
    let wire_name = &plan.head.wire;
    let body = if plan.unknown.is_some() {
        quote! {
            let Ok(value) = name.parse::<Self>();
            if value.index().is_none() {
                at.open_value(#wire_name, &name)?;
            }
            Ok(value)
        }
    } else {
        quote!(name.parse().map_err(|_| at.invalid_value(&name)))
    };
    quote! {
        #cfg
        impl wire::Decode for #ident {
            fn decode(value: wire::Value, at: wire::At<'_>) -> wire::Result<Self> {
                let name = #string::decode(value, at)?;
                #body
            }
        }
    }
}

//! Enumerations and their tables.
//!
//! In: an `EnumPlan`. Out: the enum, its `NAMES` and `ALL`, and its traits.

use proc_macro2::TokenStream;
use quote::quote;

use super::{attributes, deprecated, deserialize, docs};
use crate::rust::plan::EnumPlan;

pub(super) fn enumeration(plan: &EnumPlan) -> TokenStream {
    let definition = definition(plan);
    let tables = tables(plan);
    let strings = strings(plan);
    let codec = codec(plan);
    quote!(#definition #tables #strings #codec)
}

fn definition(plan: &EnumPlan) -> TokenStream {
    let ident = &plan.head.ident;
    let copy = if plan.unknown.is_none() { quote!(Copy,) } else { quote!() };
    let attributes = attributes(&plan.head, &quote!(PartialOrd, Ord, #copy));
    let values = plan.values.iter().map(|value| {
        let (ident, docs) = (&value.ident, docs(&value.docs));
        let deprecated = deprecated(value.deprecated);
        quote!(#docs #deprecated #ident,)
    });
    let unknown = plan.unknown.iter().map(|unknown| {
        quote! {
            /// A value that the schema does not list: of a newer peer, or
            /// registered at run time.
            #unknown(::std::boxed::Box<str>),
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
    let numbers = 0..plan.values.len();
    let (index_type, index) = if plan.unknown.is_some() {
        let known = numbers.map(|number| quote!(::core::option::Option::Some(#number)));
        let arms = quote!(#(Self::#variants => #known,)*);
        (quote!(::core::option::Option<usize>), quote!(#arms _ => ::core::option::Option::None,))
    } else {
        (quote!(usize), quote!(#(Self::#variants => #numbers,)*))
    };
    let name_arms = quote!(#(Self::#variants => #names,)*);
    let unknown_name = plan.unknown.iter().map(|unknown| quote!(Self::#unknown(name) => name,));
    let name_lifetime = if plan.unknown.is_some() { quote!(&str) } else { quote!(&'static str) };
    quote! {
        impl #ident {
            /// The names on the wire, in schema order.
            pub const NAMES: &'static [&'static str] = &[#(#names),*];

            /// The values, in schema order.
            pub const ALL: &'static [Self] = &[#(Self::#variants),*];

            /// The name on the wire.
            #[must_use]
            pub fn name(&self) -> #name_lifetime {
                match self { #name_arms #(#unknown_name)* }
            }

            /// The place in [`Self::ALL`].
            #[must_use]
            pub fn index(&self) -> #index_type {
                match self { #index }
            }
        }
    }
}

fn strings(plan: &EnumPlan) -> TokenStream {
    let ident = &plan.head.ident;
    let variants: Vec<_> = plan.values.iter().map(|value| &value.ident).collect();
    let names: Vec<_> = plan.values.iter().map(|value| &value.wire).collect();
    let (error, unlisted) = match &plan.unknown {
        Some(unknown) => (
            quote!(::core::convert::Infallible),
            quote!(::core::result::Result::Ok(Self::#unknown(name.into()))),
        ),
        None => (
            quote!(wire::UnknownValue),
            quote!(::core::result::Result::Err(wire::UnknownValue::new(name))),
        ),
    };
    quote! {
        impl ::core::str::FromStr for #ident {
            type Err = #error;

            fn from_str(name: &str) -> ::core::result::Result<Self, Self::Err> {
                match name {
                    #(#names => ::core::result::Result::Ok(Self::#variants),)*
                    _ => #unlisted,
                }
            }
        }

        impl ::core::fmt::Display for #ident {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.pad(self.name())
            }
        }
    }
}

fn codec(plan: &EnumPlan) -> TokenStream {
    let ident = &plan.head.ident;
    let wire_name = &plan.head.wire;
    let decode = if plan.unknown.is_some() {
        quote! {
            let ::core::result::Result::Ok(value) = <Self as ::core::str::FromStr>::from_str(&name);
            if value.index().is_none() {
                at.open_value(#wire_name, &name)?;
            }
            ::core::result::Result::Ok(value)
        }
    } else {
        quote!(name.parse().map_err(|_| at.invalid_value(&name)))
    };
    let deserialize = deserialize(ident);
    quote! {
        impl wire::Decode for #ident {
            fn decode(value: wire::Value, at: wire::At<'_>) -> wire::Result<Self> {
                let name = <::std::string::String as wire::Decode>::decode(value, at)?;
                #decode
            }
        }

        impl wire::Encode for #ident {
            fn encode(&self, out: &mut wire::Writer<'_>) {
                out.string(self.name());
            }
        }

        impl wire::serde::Serialize for #ident {
            fn serialize<S: wire::serde::Serializer>(
                &self,
                to: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                to.serialize_str(self.name())
            }
        }

        #deserialize
    }
}

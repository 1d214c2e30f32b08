//! Structs, and what else has plain members: requests and events.
//!
//! In: a `StructPlan`, or the fields of an inline object. Out: the struct and
//! its traits.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::features::{deprecated, special};
use super::{attributes, docs};
use crate::rust::Prelude;
use crate::rust::plan::{FieldPlan, StructPlan};

pub(super) fn structure(plan: &StructPlan, std: &Prelude) -> TokenStream {
    let ident = &plan.head.ident;
    let default = if plan.default {
        quote!(Default,)
    } else {
        quote!()
    };
    let attributes = attributes(&plan.head, &default);
    let fields = plan.fields.iter().map(field);
    let members = members(ident, &plan.fields, std);
    quote! {
        #attributes
        pub struct #ident {
            #(#fields)*
        }

        #members
        wire::object!(#ident);
    }
}

/// The definition of a field.
pub(super) fn field(plan: &FieldPlan) -> TokenStream {
    let FieldPlan { ident, ty, .. } = plan;
    let docs = docs(&plan.docs);
    let deprecated = deprecated(&plan.features);
    quote!(#docs #deprecated pub #ident: #ty,)
}

/// The traits that take members out of, and put them among, others.
pub(super) fn members(ident: &Ident, fields: &[FieldPlan], std: &Prelude) -> TokenStream {
    let result = &std.result;
    if fields.is_empty() {
        return quote! {
            impl wire::DecodeMembers for #ident {
                fn decode_members(_: &mut wire::Members<'_>) -> wire::Result<Self> {
                    Ok(Self {})
                }
            }

            impl wire::EncodeMembers for #ident {
                fn encode_members(&self, _: &mut wire::ObjectWriter<'_, '_>) {}
            }

            impl wire::serde::SerializeMembers for #ident {
                fn serialize_members<M: wire::serde::SerializeMap>(
                    &self,
                    _: &mut M,
                ) -> #result<(), M::Error> {
                    Ok(())
                }
            }
        };
    }
    let idents = fields.iter().map(|field| &field.ident);
    let decoded = fields.iter().map(decoded);
    let encoded = fields.iter().map(encoded);
    let serialized = fields.iter().map(serialized);
    quote! {
        impl wire::DecodeMembers for #ident {
            fn decode_members(members: &mut wire::Members<'_>) -> wire::Result<Self> {
                Ok(Self { #(#idents: #decoded,)* })
            }
        }

        impl wire::EncodeMembers for #ident {
            fn encode_members(&self, out: &mut wire::ObjectWriter<'_, '_>) {
                #(#encoded)*
            }
        }

        impl wire::serde::SerializeMembers for #ident {
            fn serialize_members<M: wire::serde::SerializeMap>(
                &self,
                map: &mut M,
            ) -> #result<(), M::Error> {
                #(#serialized)*
                Ok(())
            }
        }
    }
}

/// The expression that decodes a member.
pub(super) fn decoded(plan: &FieldPlan) -> TokenStream {
    let wire_name = &plan.wire;
    match (plan.optional, special(&plan.features)) {
        (true, None) => quote!(members.optional(#wire_name)?),
        (false, None) => quote!(members.required(#wire_name)?),
        (true, Some(special)) => quote!(members.optional_special(#wire_name, #special)?),
        (false, Some(special)) => quote!(members.required_special(#wire_name, #special)?),
    }
}

/// The statement that encodes a member.
pub(super) fn encoded(plan: &FieldPlan) -> TokenStream {
    let (ident, wire_name) = (&plan.ident, &plan.wire);
    match (plan.optional, special(&plan.features)) {
        (true, None) => quote!(out.optional(#wire_name, self.#ident.as_ref());),
        (false, None) => quote!(out.member(#wire_name, &self.#ident);),
        (true, Some(special)) => {
            quote!(out.optional_special(#wire_name, #special, self.#ident.as_ref());)
        }
        (false, Some(special)) => quote!(out.member_special(#wire_name, #special, &self.#ident);),
    }
}

/// The statement that serializes a member.
pub(super) fn serialized(plan: &FieldPlan) -> TokenStream {
    let (ident, wire_name) = (&plan.ident, &plan.wire);
    if plan.optional {
        quote! {
            if let Some(value) = &self.#ident {
                map.serialize_entry(#wire_name, value)?;
            }
        }
    } else {
        quote!(map.serialize_entry(#wire_name, &self.#ident)?;)
    }
}

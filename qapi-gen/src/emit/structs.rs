//! Structs, and what else has plain members: requests and events.
//!
//! In: a `StructPlan`, or the fields of an inline object. Out: the struct and
//! its traits.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::{attributes, deprecated, docs};
use crate::rust::plan::{FieldPlan, StructPlan};

pub(super) fn structure(plan: &StructPlan) -> TokenStream {
    let ident = &plan.head.ident;
    let default = if plan.default {
        quote!(Default,)
    } else {
        quote!()
    };
    let attributes = attributes(&plan.head, &default);
    let fields = plan.fields.iter().map(field);
    let traits = traits(ident, &plan.fields);
    quote! {
        #attributes
        pub struct #ident {
            #(#fields)*
        }

        #traits
    }
}

/// The definition of a field.
pub(super) fn field(plan: &FieldPlan) -> TokenStream {
    let FieldPlan { ident, ty, .. } = plan;
    let docs = docs(plan.docs);
    let deprecated = deprecated(plan.deprecated);
    quote!(#docs #deprecated pub #ident: #ty,)
}

/// The traits of an object type: what takes its members out of, and puts them
/// among, others, and what follows from that.
pub(super) fn traits(ident: &Ident, fields: &[FieldPlan]) -> TokenStream {
    if fields.is_empty() {
        return quote!(wire::object!(#ident {}););
    }
    let idents = fields.iter().map(|field| &field.ident);
    let decoded = fields.iter().map(decoded);
    let encoded = fields.iter().map(encoded);
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

        wire::object!(#ident);
    }
}

/// The expression that decodes a member.
pub(super) fn decoded(plan: &FieldPlan) -> TokenStream {
    let wire_name = &plan.wire;
    if plan.optional {
        quote!(members.optional(#wire_name)?)
    } else {
        quote!(members.required(#wire_name)?)
    }
}

/// The statement that encodes a member.
pub(super) fn encoded(plan: &FieldPlan) -> TokenStream {
    let (ident, wire_name) = (&plan.ident, &plan.wire);
    if plan.optional {
        quote!(out.optional(#wire_name, self.#ident.as_ref());)
    } else {
        quote!(out.member(#wire_name, &self.#ident);)
    }
}

//! Structs, and what else has plain members: requests and events.
//!
//! In: a `StructPlan`, or the fields of an inline object. Out: the struct and
//! its traits.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::{attributes, deprecated, docs, unused};
use crate::rust::Prelude;
use crate::rust::cfg::Cfg;
use crate::rust::plan::{FieldPlan, StructPlan};

pub(super) fn structure(plan: &StructPlan, std: &Prelude) -> TokenStream {
    let (ident, cfg) = (&plan.head.ident, &plan.head.cfg);
    let attributes = attributes(&plan.head);
    let fields = plan.fields.iter().map(field);
    let members = members(ident, cfg, &plan.fields, std);
    quote! {
        #attributes
        pub struct #ident {
            #(#fields)*
        }

        #members
        #cfg
        wire::object!(#ident);
    }
}

/// The definition of a field.
pub(super) fn field(plan: &FieldPlan) -> TokenStream {
    let FieldPlan {
        ident,
        ty,
        cfg,
        attributes,
        ..
    } = plan;
    let docs = docs(&plan.docs);
    let deprecated = deprecated(plan.deprecated.as_ref());
    quote!(#docs #cfg #deprecated #attributes pub #ident: #ty,)
}

/// The traits that take members out of, and put them among, others.
pub(super) fn members(
    ident: &Ident,
    cfg: &Cfg,
    fields: &[FieldPlan],
    std: &Prelude,
) -> TokenStream {
    let result = &std.result;
    if fields.is_empty() {
        return quote! {
            #cfg
            impl wire::DecodeMembers for #ident {
                fn decode_members(_: &mut wire::Members<'_>) -> wire::Result<Self> {
                    Ok(Self {})
                }
            }

            #cfg
            impl wire::EncodeMembers for #ident {
                fn encode_members(&self, _: &mut wire::ObjectWriter<'_, '_>) {}
            }

            #cfg
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
    let may_be_empty = Cfg::none_of(fields.iter().map(|field| &field.cfg)).is_some();
    let [no_members, no_out, no_map] =
        ["members", "out", "map"].map(|name| unused(name, may_be_empty));
    let cfgs = fields.iter().map(|field| &field.cfg);
    let idents = fields.iter().map(|field| &field.ident);
    let decoded = fields.iter().map(decoded);
    let encoded = fields.iter().map(encoded);
    let serialized = fields.iter().map(serialized);
    quote! {
        #cfg
        impl wire::DecodeMembers for #ident {
            fn decode_members(members: &mut wire::Members<'_>) -> wire::Result<Self> {
                #no_members
                Ok(Self { #(#cfgs #idents: #decoded,)* })
            }
        }

        #cfg
        impl wire::EncodeMembers for #ident {
            fn encode_members(&self, out: &mut wire::ObjectWriter<'_, '_>) {
                #no_out
                #(#encoded)*
            }
        }

        #cfg
        impl wire::serde::SerializeMembers for #ident {
            fn serialize_members<M: wire::serde::SerializeMap>(
                &self,
                map: &mut M,
            ) -> #result<(), M::Error> {
                #no_map
                #(#serialized)*
                Ok(())
            }
        }
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
    let (ident, wire_name, cfg) = (&plan.ident, &plan.wire, &plan.cfg);
    if plan.optional {
        quote!(#cfg out.optional(#wire_name, self.#ident.as_ref());)
    } else {
        quote!(#cfg out.member(#wire_name, &self.#ident);)
    }
}

/// The statement that serializes a member.
pub(super) fn serialized(plan: &FieldPlan) -> TokenStream {
    let (ident, wire_name, cfg) = (&plan.ident, &plan.wire, &plan.cfg);
    if plan.optional {
        quote! {
            #cfg
            if let Some(value) = &self.#ident {
                map.serialize_entry(#wire_name, value)?;
            }
        }
    } else {
        quote!(#cfg map.serialize_entry(#wire_name, &self.#ident)?;)
    }
}

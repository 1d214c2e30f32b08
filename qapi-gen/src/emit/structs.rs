//! Structs, and what else has plain members: requests and events.
//!
//! In: a `StructPlan`, or the fields of an inline object. Out: the struct and
//! its traits.

use std::fmt::Write as _;

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::{attributes, deprecated, docs};
use crate::rust::plan::{FieldPlan, StructPlan};
use crate::rust::text::Texts;

pub(super) fn structure(plan: &StructPlan, texts: &Texts) -> TokenStream {
    let ident = &plan.head.ident;
    let default = if plan.default {
        quote!(Default,)
    } else {
        quote!()
    };
    let attributes = attributes(&plan.head, &default);
    let fields = plan.fields.iter().map(field);
    let traits = traits(ident, &plan.fields, texts);
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

/// What implements the traits of an object type, from the table of its fields.
pub(super) fn traits(ident: &Ident, fields: &[FieldPlan], texts: &Texts) -> TokenStream {
    let mut table = format!("{ident} {{");
    for field in fields {
        let kind = if field.optional {
            "optional"
        } else {
            "required"
        };
        let FieldPlan { ident, wire, .. } = field;
        let _ = write!(table, "\n    {ident}: {kind}(\"{wire}\"),");
    }
    table.push_str(if fields.is_empty() { "}" } else { "\n}" });
    let mark = texts.add(table).mark();
    quote!(wire::object!(#mark);)
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
        quote!(out.optional(#wire_name, &self.#ident);)
    } else {
        quote!(out.required(#wire_name, &self.#ident);)
    }
}

//! Writes structs, and the parts that requests, events and unions share with
//! them.
//!
//! In: a `StructPlan`, or fields. Out: the struct and its traits.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use super::attributes::attributes;
use super::features::{special, special_tokens};
use super::table::Table;
use crate::backend::rust::cfg::Presence;
use crate::backend::rust::placeholder::Placeholders;
use crate::backend::rust::plan::{FeaturesPlan, FieldPlan, Head, StructPlan};

pub(super) fn structure(plan: &StructPlan, placeholders: &Placeholders<'_>) -> TokenStream {
    let Head { ident, cfg, .. } = &plan.head;
    let attributes = attributes(&plan.head);
    let fields = plan.fields.iter().map(field);
    let traits = traits(ident, cfg, &plan.fields, placeholders);
    quote! {
        #attributes
        pub struct #ident {
            #(#fields)*
        }

        #traits
    }
}

/// Writes the definition of a field.
pub(super) fn field(plan: &FieldPlan) -> TokenStream {
    let FieldPlan { head, ty, .. } = plan;
    let (ident, attributes) = (&head.ident, attributes(head));
    quote!(#attributes pub #ident: #ty,)
}

/// Writes the macro call that implements the traits of an object type from the
/// table of its fields.
pub(super) fn traits(
    ident: &Ident,
    cfg: &Presence,
    fields: &[FieldPlan],
    placeholders: &Placeholders<'_>,
) -> TokenStream {
    let mut table = Table::new(format_args!("{ident} {{"));
    for field in fields {
        let Head {
            ident,
            wire,
            cfg,
            features,
            ..
        } = &field.head;
        let method = method(field.optional, features);
        let special = special(features).map(|special| format!(", {special}"));
        let special = special.unwrap_or_default();
        table.entry(cfg, format_args!("{ident}: {method}(\"{wire}\"{special})"));
    }
    let mark = placeholders.table(table.finish()).literal();
    quote!(#cfg wire::object!(#mark);)
}

/// Returns the name of the method of `Members` and `ObjectWriter` that decodes
/// and encodes a member.
fn method(optional: bool, features: &FeaturesPlan) -> &'static str {
    match (optional, special(features).is_some()) {
        (true, false) => "optional",
        (true, true) => "optional_special",
        (false, false) => "required",
        (false, true) => "required_special",
    }
}

/// The code that decodes and encodes a member.
pub(super) struct Access {
    /// The expression that decodes the member from `members`.
    pub(super) decoded: TokenStream,
    /// The statement that encodes the member to `out`.
    pub(super) encoded: TokenStream,
}

impl Access {
    /// Returns the access to a field.
    pub(super) fn field(plan: &FieldPlan) -> Self {
        let Head {
            ident,
            wire,
            features,
            ..
        } = &plan.head;
        Self::new(wire, plan.optional, features, &quote!(&self.#ident))
    }

    /// Returns the access to a member whose value is the expression `value`, a
    /// reference.
    pub(super) fn new(
        wire_name: &str,
        optional: bool,
        features: &FeaturesPlan,
        value: &TokenStream,
    ) -> Self {
        let method = format_ident!("{}", method(optional, features));
        let special = special_tokens(features).map(|special| quote!(, #special));
        Self {
            decoded: quote!(members.#method(#wire_name #special)?),
            encoded: quote!(out.#method(wire::name!(#wire_name) #special, #value);),
        }
    }
}

//! Structs, and what else has plain members: requests and events.
//!
//! In: a `StructPlan`, or the fields of an inline object. Out: the struct and
//! its traits.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use super::features::{deprecated, special, special_tokens};
use super::table::Table;
use super::{attributes, docs};
use crate::backend::rust::cfg::Cfg;
use crate::backend::rust::placeholder::Texts;
use crate::backend::rust::plan::{FeaturesPlan, FieldPlan, Head, StructPlan};

pub(super) fn structure(plan: &StructPlan, texts: &Texts<'_>) -> TokenStream {
    let Head { ident, cfg, .. } = &plan.head;
    let attributes = attributes(&plan.head);
    let fields = plan.fields.iter().map(field);
    let traits = traits(ident, cfg, &plan.fields, texts);
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
    let FieldPlan {
        ident,
        ty,
        cfg,
        attributes,
        ..
    } = plan;
    let docs = docs(plan.docs);
    let deprecated = deprecated(&plan.features);
    quote!(#docs #cfg #deprecated #attributes pub #ident: #ty,)
}

/// What implements the traits of an object type, from the table of its fields.
pub(super) fn traits(
    ident: &Ident,
    cfg: &Cfg,
    fields: &[FieldPlan],
    texts: &Texts<'_>,
) -> TokenStream {
    let mut table = Table::new(format_args!("{ident} {{"));
    for field in fields {
        let method = method(field.optional, &field.features);
        let FieldPlan {
            ident, wire, cfg, ..
        } = field;
        let special = special(&field.features).map(|special| format!(", {special}"));
        let special = special.unwrap_or_default();
        table.entry(cfg, format_args!("{ident}: {method}(\"{wire}\"{special})"));
    }
    let mark = texts.table(table.finish()).mark();
    quote!(#cfg wire::object!(#mark);)
}

/// The method of `Members` and of `ObjectWriter` for a member.
fn method(optional: bool, features: &FeaturesPlan) -> &'static str {
    match (optional, special(features).is_some()) {
        (true, false) => "optional",
        (true, true) => "optional_special",
        (false, false) => "required",
        (false, true) => "required_special",
    }
}

/// How a member is taken out of, and put among, others.
pub(super) struct Access {
    /// The expression that decodes it.
    pub(super) decoded: TokenStream,
    /// The statement that encodes it.
    pub(super) encoded: TokenStream,
}

impl Access {
    pub(super) fn field(plan: &FieldPlan) -> Self {
        let ident = &plan.ident;
        Self::new(
            &plan.wire,
            plan.optional,
            &plan.features,
            &quote!(&self.#ident),
        )
    }

    /// The same for any member, whose value is a reference to `value`.
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

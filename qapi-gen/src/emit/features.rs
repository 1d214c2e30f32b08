//! What features become: attributes, arguments for the policy, a table.
//!
//! In: a `FeaturesPlan`, or the table of the plan. Out: tokens, and none where
//! there is no feature, so that most code does not know that there are any.

use proc_macro2::TokenStream;
use quote::quote;

use crate::rust::plan::{FeaturesPlan, Plan};

/// The attribute of what is deprecated.
pub(super) fn deprecated(plan: &FeaturesPlan) -> TokenStream {
    match &plan.note {
        _ if !plan.is_deprecated() => quote!(),
        Some(note) => quote!(#[deprecated(note = #note)]),
        None => quote!(#[deprecated]),
    }
}

/// The special features as `qapi-wire` takes them; `None`: there is none.
pub(super) fn special(plan: &FeaturesPlan) -> Option<&'static str> {
    match (plan.is_deprecated(), plan.is_unstable()) {
        (false, false) => None,
        (true, false) => Some("wire::Special::DEPRECATED"),
        (false, true) => Some("wire::Special::UNSTABLE"),
        (true, true) => Some("wire::Special::DEPRECATED.with(wire::Special::UNSTABLE)"),
    }
}

/// The same as tokens.
pub(super) fn special_tokens(plan: &FeaturesPlan) -> Option<TokenStream> {
    special(plan)?.parse().ok()
}

/// The table of everything that has features.
pub(super) fn table(plan: &Plan) -> TokenStream {
    if plan.features.is_empty() {
        return quote!();
    }
    let entries = plan
        .features
        .iter()
        .map(|(path, features)| quote!((#path, &[#(#features),*])));
    quote! {
        /// Everything of the schema that has features, by path.
        pub static FEATURES: ::qapi_wire::Features = ::qapi_wire::Features::new(&[#(#entries),*]);
    }
}

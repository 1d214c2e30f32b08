//! What features become: attributes, arguments for the policy, a table.
//!
//! In: a `FeaturesPlan`, or the table of the plan. Out: tokens, and none where
//! there is no feature, so that most code does not know that there are any.

use proc_macro2::TokenStream;
use quote::quote;

use crate::backend::rust::plan::{FeaturePlan, FeaturesPlan, Plan};

/// The attribute of what is deprecated, if and when it is.
pub(super) fn deprecated(plan: &FeaturesPlan) -> Option<TokenStream> {
    let cfg = plan.deprecated()?;
    let attribute = match &plan.note {
        Some(note) => quote!(deprecated(note = #note)),
        None => quote!(deprecated),
    };
    Some(cfg.attribute(&attribute))
}

/// The special features as `qapi-wire` takes them; `None`: there is none in any
/// configuration.
pub(super) fn special(plan: &FeaturesPlan) -> Option<String> {
    let all = [
        (plan.deprecated(), "wire::Special::DEPRECATED"),
        (plan.unstable(), "wire::Special::UNSTABLE"),
    ];
    let mut present = all.into_iter().filter_map(|(cfg, special)| {
        Some(match &cfg?.predicate() {
            Some(predicate) => {
                format!("if cfg!({predicate}) {{ {special} }} else {{ wire::Special::NONE }}")
            }
            None => special.to_owned(),
        })
    });
    let first = present.next()?;
    Some(match present.next() {
        Some(second) => format!("wire::Special::NONE.with({first}).with({second})"),
        None => first,
    })
}

/// The same as tokens.
pub(super) fn special_tokens(plan: &FeaturesPlan) -> Option<TokenStream> {
    special(plan)?.parse().ok()
}

/// The elements of a list of features.
pub(super) fn names(features: &[FeaturePlan]) -> TokenStream {
    let cfgs = features.iter().map(|feature| &feature.cfg);
    let names = features.iter().map(|feature| &feature.name);
    quote!(#(#cfgs #names),*)
}

/// The table of everything that has features.
pub(super) fn table(plan: &Plan) -> TokenStream {
    if plan.features.is_empty() {
        return quote!();
    }
    let entries = plan.features.iter().map(|(path, (cfg, features))| {
        let features = names(features);
        quote!(#cfg (#path, &[#features]))
    });
    quote! {
        /// Everything of the schema that has features, by path.
        pub static FEATURES: ::qapi_wire::Features = ::qapi_wire::Features::new(&[#(#entries),*]);
    }
}

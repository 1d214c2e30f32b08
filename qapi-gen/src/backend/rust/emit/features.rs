//! Writes features: attributes, arguments for the compatibility policy, and the
//! table of all features.
//!
//! In: a `FeaturesPlan`, or the plan's table. Out: tokens, which are empty for
//! an item without features, so that callers need not distinguish.

use proc_macro2::TokenStream;
use quote::quote;

use crate::backend::rust::plan::{FeaturePlan, FeaturesPlan, Plan};

/// Returns the attribute `#[deprecated]` if the item has that feature in some
/// configuration.
pub(super) fn deprecated(plan: &FeaturesPlan) -> Option<TokenStream> {
    let cfg = plan.deprecated()?;
    let attribute = match &plan.note {
        Some(note) => quote!(deprecated(note = #note)),
        None => quote!(deprecated),
    };
    Some(cfg.attribute(&attribute))
}

/// Returns the special features as an expression of `qapi-wire`, or `None` if
/// the item has no special feature in any configuration.
pub(super) fn special(plan: &FeaturesPlan) -> Option<String> {
    let all = [
        (plan.deprecated(), "wire::SpecialFeatures::DEPRECATED"),
        (plan.unstable(), "wire::SpecialFeatures::UNSTABLE"),
    ];
    let mut present = all.into_iter().filter_map(|(cfg, special)| {
        Some(match &cfg?.predicate() {
            Some(predicate) => {
                format!(
                    "if cfg!({predicate}) {{ {special} }} else {{ wire::SpecialFeatures::NONE }}"
                )
            }
            None => special.to_owned(),
        })
    });
    let first = present.next()?;
    Some(match present.next() {
        Some(second) => format!("wire::SpecialFeatures::NONE.with({first}).with({second})"),
        None => first,
    })
}

/// Returns the result of [`special`] as tokens.
pub(super) fn special_tokens(plan: &FeaturesPlan) -> Option<TokenStream> {
    special(plan)?.parse().ok()
}

/// Writes the names of features as elements of a list.
pub(super) fn names(features: &[FeaturePlan]) -> TokenStream {
    let cfgs = features.iter().map(|feature| &feature.cfg);
    let names = features.iter().map(|feature| &feature.name);
    quote!(#(#cfgs #names),*)
}

/// Writes the table of everything that has features.
pub(super) fn table(plan: &Plan) -> TokenStream {
    if plan.features.is_empty() {
        return quote!();
    }
    let entries = plan.features.iter().map(|(path, (cfg, features))| {
        let features = names(features);
        quote!(#cfg (#path, &[#features]))
    });
    quote! {
        /// The features of the schema's definitions and members, by path.
        pub static FEATURES: ::qapi_wire::Features = ::qapi_wire::Features::new(&[#(#entries),*]);
    }
}

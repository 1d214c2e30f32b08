//! Events: a struct for each one's data.
//!
//! In: a module's event plans. Out: module `events`.

use proc_macro2::TokenStream;
use quote::quote;

use super::commands::body;
use super::{deprecated, docs};
use crate::rust::Prelude;
use crate::rust::cfg::Cfg;
use crate::rust::plan::{Arguments, EventPlan, ModulePlan};

pub(super) fn events(plan: &ModulePlan) -> TokenStream {
    if plan.events.is_empty() {
        return quote!();
    }
    let summary = format!(" The events of `{}`.", plan.file);
    let cfg = Cfg::any(plan.events.iter().map(|event| &event.cfg));
    let events = plan
        .events
        .iter()
        .map(|event| self::event(event, &plan.prelude));
    quote! {
        #[doc = #summary]
        #cfg
        pub mod events {
            use ::qapi_wire as wire;

            #(#events)*
        }
    }
}

fn event(plan: &EventPlan, std: &Prelude) -> TokenStream {
    let EventPlan {
        ident,
        cfg,
        derives,
        attributes,
        ..
    } = plan;
    let docs = docs(&plan.docs);
    let deprecated = deprecated(plan.deprecated.as_ref());
    let body = body(ident, cfg, &plan.data, std);
    let wire_name = &plan.wire;
    let feature_cfgs = plan.features.iter().map(|feature| &feature.cfg);
    let features = plan.features.iter().map(|feature| &feature.name);
    let has_data = !matches!(plan.data, Arguments::None);
    quote! {
        #docs
        #cfg
        #deprecated
        #[derive(#(#derives),*)]
        #attributes
        #body

        #cfg
        impl wire::command::Event for #ident {
            const NAME: &'static str = #wire_name;
            const HAS_DATA: bool = #has_data;
            const FEATURES: &'static [&'static str] = &[#(#feature_cfgs #features),*];
        }
    }
}

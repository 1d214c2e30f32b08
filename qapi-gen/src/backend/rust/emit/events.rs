//! Writes events.
//!
//! In: the event plans of a module. Out: module `events`, with a struct for the
//! data of each event.

use proc_macro2::TokenStream;
use quote::quote;

use super::attributes::docs;
use super::commands::body;
use super::features::{self, deprecated};
use crate::backend::rust::cfg::Presence;
use crate::backend::rust::placeholder::Placeholders;
use crate::backend::rust::plan::{Arguments, EventPlan, ModulePlan};

pub(super) fn events(plan: &ModulePlan, placeholders: &Placeholders<'_>) -> TokenStream {
    if plan.events.is_empty() {
        return quote!();
    }
    let summary = format!(" The events of `{}`.", plan.file);
    let cfg = Presence::any(plan.events.iter().map(|event| &event.cfg));
    let events = plan
        .events
        .iter()
        .map(|event| self::event(event, placeholders));
    quote! {
        #[doc = #summary]
        #cfg
        pub mod events {
            use ::qapi_wire as wire;

            #(#events)*
        }
    }
}

fn event(plan: &EventPlan, placeholders: &Placeholders<'_>) -> TokenStream {
    let EventPlan {
        ident,
        cfg,
        derives,
        attributes,
        ..
    } = plan;
    let docs = docs(plan.docs);
    let deprecated = deprecated(&plan.features);
    let body = body(ident, cfg, &plan.data, placeholders);
    let wire_name = &plan.wire;
    let features = features::names(&plan.features.list);
    let has_data = !matches!(plan.data, Arguments::None);
    quote! {
        #docs
        #cfg
        #deprecated
        #derives
        #attributes
        #body

        #cfg
        impl wire::command::Event for #ident {
            const NAME: &'static str = #wire_name;
            const HAS_DATA: bool = #has_data;
            const FEATURES: &'static [&'static str] = &[#features];
        }
    }
}

//! Writes events.
//!
//! In: the event plans of a module. Out: module `events`, with a struct for the
//! data of each event.

use proc_macro2::TokenStream;
use quote::quote;

use super::attributes::attributes;
use super::commands::body;
use super::features;
use crate::backend::rust::cfg::Presence;
use crate::backend::rust::placeholder::Placeholders;
use crate::backend::rust::plan::{Arguments, EventPlan, Head, ModulePlan};

pub(super) fn events(plan: &ModulePlan, placeholders: &Placeholders<'_>) -> TokenStream {
    if plan.events.is_empty() {
        return quote!();
    }
    let summary = format!(" The events of `{}`.", plan.file);
    let cfg = Presence::any(plan.events.iter().map(|event| &event.head.cfg));
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
    let Head {
        ident,
        wire,
        cfg,
        features,
        ..
    } = &plan.head;
    let attributes = attributes(&plan.head);
    let body = body(ident, cfg, &plan.data, placeholders);
    let features = features::names(&features.list);
    let has_data = !matches!(plan.data, Arguments::None);
    quote! {
        #attributes
        #body

        #cfg
        impl wire::command::Event for #ident {
            const NAME: &'static str = #wire;
            const HAS_DATA: bool = #has_data;
            const FEATURES: &'static [&'static str] = &[#features];
        }
    }
}

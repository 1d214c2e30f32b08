//! Events: a struct for each one's data.
//!
//! In: a module's event plans. Out: module `events`.

use proc_macro2::TokenStream;
use quote::quote;

use super::commands::body;
use super::item_attributes;
use crate::rust::plan::{Arguments, EventPlan, ModulePlan};

pub(super) fn events(plan: &ModulePlan) -> TokenStream {
    if plan.events.is_empty() {
        return quote!();
    }
    let summary = format!(" The events of `{}`.", plan.file);
    let events = plan.events.iter().map(event);
    quote! {
        #[doc = #summary]
        pub mod events {
            use ::qapi_wire as wire;

            #(#events)*
        }
    }
}

fn event(plan: &EventPlan) -> TokenStream {
    let (ident, wire_name, features) = (&plan.ident, &plan.wire, &plan.features);
    let attributes = item_attributes(plan.docs, plan.deprecated, plan.exact, &quote!());
    let body = body(ident, &plan.data);
    let has_data = !matches!(plan.data, Arguments::None);
    quote! {
        #attributes
        #body

        impl wire::command::Event for #ident {
            const NAME: &'static str = #wire_name;
            const HAS_DATA: bool = #has_data;
            const FEATURES: &'static [&'static str] = &[#(#features),*];
        }
    }
}

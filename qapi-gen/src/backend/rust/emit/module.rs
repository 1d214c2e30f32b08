//! Writes the items of a module.
//!
//! In: a `ModulePlan`. Out: its items, a definition at a time.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::{alternates, commands, enums, events, structs, unions};
use crate::backend::rust::cfg::Presence;
use crate::backend::rust::placeholder::Placeholders;
use crate::backend::rust::plan::{ModulePlan, TypePlan};

/// The interface of `qapi-wire` that the generated code uses.
const WIRE_INTERFACE: u32 = 1;

/// Writes the items of a module.
pub(super) fn module_items<'p>(
    plan: &'p ModulePlan,
    placeholders: &'p Placeholders<'_>,
) -> impl Iterator<Item = TokenStream> + 'p {
    // Import `wire` only under the conditions of the code that uses it: the types,
    // and the commands' trait, which has no condition. The module of the events has
    // its own import.
    let commands_use = (!plan.commands.is_empty()).then_some(&Presence::ALWAYS);
    let types_use = plan.types.iter().map(|ty| &ty.head().cfg);
    let wire = Presence::any(commands_use.into_iter().chain(types_use));
    let wire = (!wire.is_never()).then(|| {
        quote!(
            #wire
            use ::qapi_wire as wire;
        )
    });
    let std = &plan.prelude;
    let types = plan.types.iter().map(move |ty| match ty {
        TypePlan::Enum(plan) => enums::enumeration(plan, std, placeholders),
        TypePlan::Struct(plan) => structs::structure(plan, placeholders),
        TypePlan::Union(plan) => unions::union(plan, std),
        TypePlan::Alternate(plan) => alternates::alternate(plan),
    });
    let interface = interface();
    let interface = quote! {
        #[doc(hidden)]
        pub const INTERFACE: u32 = #interface;
    };
    let commands = std::iter::once_with(move || commands::commands(plan, placeholders));
    let events = std::iter::once_with(move || events::events(plan, placeholders));
    wire.into_iter()
        .chain([interface])
        .chain(types)
        .chain(commands)
        .chain(events)
}

/// Returns the version of the interface as a literal.
pub(super) fn interface() -> Literal {
    Literal::u32_unsuffixed(WIRE_INTERFACE)
}

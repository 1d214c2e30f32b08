//! What joins the modules: `mod.rs`.
//!
//! In: the whole plan. Out: the module tree, the trait of all commands, the
//! dispatcher, the enum of all events.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::unused;
use crate::rust::cfg::Cfg;
use crate::rust::plan::{ModulePlan, Plan};

/// The interface of `qapi-wire` that the emitted code is written for.
const WIRE_INTERFACE: u32 = 1;

/// `inline` has the items of each module that is to stand in this file.
pub(super) fn root(plan: &Plan, inline: Vec<Option<TokenStream>>) -> TokenStream {
    let modules = plan.modules.iter().zip(inline).map(|(module, items)| {
        let ident = &module.ident;
        let summary = format!(" Generated from `{}`.", module.file);
        let body = match items {
            Some(items) => quote!({ #items }),
            None => quote!(;),
        };
        quote! {
            #[doc = #summary]
            #[allow(deprecated, reason = "what is deprecated is still served")]
            #[allow(
                clippy::large_enum_variant,
                clippy::match_single_binding,
                clippy::module_inception,
                reason = "what a branch holds and what a file is called is the schema's affair"
            )]
            pub mod #ident #body
        }
    });
    let interface = Literal::u32_unsuffixed(WIRE_INTERFACE);
    let commands = commands(plan);
    let events = events(plan);
    quote! {
        const _: () = assert!(
            ::qapi_wire::INTERFACE == #interface,
            "the versions of qapi-gen and qapi-wire do not fit",
        );

        #(#modules)*
        #commands
        #events
    }
}

fn commands(plan: &Plan) -> TokenStream {
    let modules: Vec<&ModulePlan> = plan
        .modules
        .iter()
        .filter(|module| !module.commands.is_empty())
        .collect();
    if modules.is_empty() {
        return quote!();
    }
    let idents: Vec<_> = modules.iter().map(|module| &module.ident).collect();
    let requests: Vec<_> = modules
        .iter()
        .flat_map(|module| {
            module.commands.iter().map(move |command| {
                let (ident, request) = (&module.ident, &command.request);
                let cfg = &command.cfg;
                quote!(#cfg <#ident::commands::#request as ::qapi_wire::command::Request>::INFO)
            })
        })
        .collect();
    let lookup = lookup(&modules);
    // A command that is not there in some configuration is not found there.
    let names = modules.iter().map(|module| {
        let names = module.commands.iter().map(|command| &command.wire);
        quote!(#(#names)|*)
    });
    let dispatcher = dispatcher();
    quote! {
        /// Every command of the schema, as a server implements them.
        pub trait Commands: #(#idents::Commands)+* {}

        impl<T: #(#idents::Commands)+* + ?::core::marker::Sized> Commands for T {}

        /// Every command of the schema, in schema order.
        #[allow(deprecated, reason = "what is deprecated is still served")]
        pub static COMMANDS: &[&::qapi_wire::command::CommandInfo] = &[#(#requests),*];

        /// Finds a command of the schema.
        #[must_use]
        #lookup

        /// Executes a command of the schema.
        ///
        /// # Errors
        ///
        /// The error reply: arguments that do not fit, what the handler says,
        /// or that there is no such command.
        pub fn execute<T: Commands + ?::core::marker::Sized>(
            server: &T,
            call: ::qapi_wire::command::Call<'_>,
            reply: &mut ::qapi_wire::Writer<'_>,
        ) -> ::qapi_wire::Result<()> {
            match call.name {
                #(#names => #idents::execute(server, call, reply),)*
                _ => Err(call.not_found()),
            }
        }

        #dispatcher
    }
}

/// The function that finds a command: by its place, unless that depends on
/// which others there are.
fn lookup(modules: &[&ModulePlan]) -> TokenStream {
    let commands = || {
        modules.iter().flat_map(|module| {
            let commands = module.commands.iter();
            commands.map(|command| (&module.ident, command))
        })
    };
    let names = commands().map(|(_, command)| &command.wire);
    if commands().all(|(_, command)| command.cfg.is_always()) {
        let places = 0..commands().count();
        return quote! {
            pub fn command(name: &str) -> Option<&'static ::qapi_wire::command::CommandInfo> {
                let index = match name {
                    #(#names => #places,)*
                    _ => return None,
                };
                COMMANDS.get(index).copied()
            }
        };
    }
    let cfgs = commands().map(|(_, command)| &command.cfg);
    let requests = commands().map(|(module, command)| {
        let request = &command.request;
        quote!(#module::commands::#request)
    });
    quote! {
        #[allow(deprecated, reason = "what is deprecated is still served")]
        pub fn command(name: &str) -> Option<&'static ::qapi_wire::command::CommandInfo> {
            match name {
                #(#cfgs #names => Some(<#requests as ::qapi_wire::command::Request>::INFO),)*
                _ => None,
            }
        }
    }
}

/// The commands as a set, for whoever works with any set.
fn dispatcher() -> TokenStream {
    quote! {
        /// The commands of the schema as a set that a session can serve.
        #[derive(Clone, Copy, Debug)]
        pub struct Dispatcher<T>(
            /// What implements them.
            pub T,
        );

        impl<T: Commands> ::qapi_wire::command::CommandSet for Dispatcher<T> {
            fn commands(&self) -> Vec<&'static ::qapi_wire::command::CommandInfo> {
                COMMANDS.to_vec()
            }

            fn command(&self, name: &str) -> Option<&'static ::qapi_wire::command::CommandInfo> {
                command(name)
            }

            fn execute(
                &self,
                call: ::qapi_wire::command::Call<'_>,
                reply: &mut ::qapi_wire::Writer<'_>,
            ) -> ::qapi_wire::Result<()> {
                execute(&self.0, call, reply)
            }
        }
    }
}

fn events(plan: &Plan) -> TokenStream {
    let events = plan.modules.iter().flat_map(|module| {
        module
            .events
            .iter()
            .map(move |event| (&module.ident, event))
    });
    let mut variants = Vec::new();
    let mut idents = Vec::new();
    let mut names = Vec::new();
    let mut cfgs = Vec::new();
    for (module, event) in events {
        let (ident, cfg) = (&event.ident, &event.cfg);
        let summary = format!(" `{}`.", event.wire);
        variants.push(quote!(#[doc = #summary] #cfg #ident(#module::events::#ident),));
        idents.push(ident);
        names.push(&event.wire);
        cfgs.push(cfg);
    }
    if variants.is_empty() {
        return quote!();
    }
    let no_context = unused("context", Cfg::none_of(cfgs.iter().copied()).is_some());
    quote! {
        /// Any event of the schema, as a client receives it.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(deprecated, reason = "what is deprecated is still sent")]
        pub enum Event {
            #(#variants)*
            /// An event that the schema does not list.
            Unlisted {
                /// Its name.
                name: Box<str>,
                /// Its data.
                data: ::qapi_wire::Dict,
            },
        }

        impl Event {
            /// Decodes an event's data.
            ///
            /// # Errors
            ///
            /// The first member that does not fit.
            pub fn decode(
                name: &str,
                data: ::qapi_wire::Dict,
                context: &::qapi_wire::Context<'_>,
            ) -> ::qapi_wire::Result<Self> {
                #no_context
                Ok(match name {
                    #(#cfgs #names => Self::#idents(::qapi_wire::command::event_data(data, context)?),)*
                    _ => Self::Unlisted { name: name.into(), data },
                })
            }

            /// The event's name.
            #[must_use]
            pub fn name(&self) -> &str {
                match self {
                    #(#cfgs Self::#idents(_) => #names,)*
                    Self::Unlisted { name, .. } => name,
                }
            }
        }
    }
}

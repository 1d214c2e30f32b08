//! What joins the modules: `mod.rs`.
//!
//! In: the whole plan. Out: the module tree, the trait of all commands, the
//! dispatcher, the enum of all events.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use crate::rust::plan::{ModulePlan, Plan};

/// The interface of `qapi-wire` that the emitted code is written for.
const WIRE_INTERFACE: u32 = 1;

pub(super) fn root(plan: &Plan) -> impl Iterator<Item = TokenStream> {
    let interface = Literal::u32_unsuffixed(WIRE_INTERFACE);
    let interface = quote! {
        const _: () = assert!(
            ::qapi_wire::INTERFACE == #interface,
            "the versions of qapi-gen and qapi-wire do not fit",
        );
    };
    let modules = plan.modules.iter().map(|module| {
        let ident = &module.ident;
        let summary = format!(" Generated from `{}`.", module.file);
        quote! {
            #[doc = #summary]
            #[allow(deprecated, reason = "what is deprecated is still served")]
            #[allow(
                clippy::large_enum_variant,
                clippy::match_single_binding,
                clippy::module_inception,
                reason = "what a branch holds and what a file is called is the schema's affair"
            )]
            pub mod #ident;
        }
    });
    let commands = std::iter::once_with(|| commands(plan));
    let events = std::iter::once_with(|| events(plan));
    std::iter::once(interface)
        .chain(modules)
        .chain(commands)
        .chain(events)
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
                quote!(<#ident::commands::#request as ::qapi_wire::command::Request>::INFO)
            })
        })
        .collect();
    let lookup = modules
        .iter()
        .flat_map(|module| &module.commands)
        .zip(0usize..)
        .map(|(command, index)| {
            let wire_name = &command.wire;
            quote!(#wire_name => #index,)
        });
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
        pub fn command(name: &str) -> Option<&'static ::qapi_wire::command::CommandInfo> {
            let index = match name {
                #(#lookup)*
                _ => return None,
            };
            COMMANDS.get(index).copied()
        }

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
    for (module, event) in events {
        let ident = &event.ident;
        let summary = format!(" `{}`.", event.wire);
        variants.push(quote!(#[doc = #summary] #ident(#module::events::#ident),));
        idents.push(ident);
        names.push(&event.wire);
    }
    if variants.is_empty() {
        return quote!();
    }
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
                Ok(match name {
                    #(#names => Self::#idents(::qapi_wire::command::event_data(data, context)?),)*
                    _ => Self::Unlisted { name: name.into(), data },
                })
            }

            /// The event's name.
            #[must_use]
            pub fn name(&self) -> &str {
                match self {
                    #(Self::#idents(_) => #names,)*
                    Self::Unlisted { name, .. } => name,
                }
            }
        }
    }
}

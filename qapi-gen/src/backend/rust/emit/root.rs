//! Writes `mod.rs`, which joins the modules.
//!
//! In: the outlines of all modules, and the plans of modules that are written
//! inline. Out: the module tree, the trait of all commands, the dispatcher, the
//! enum of all events. Modules of other crates are part of everything but the
//! module tree.

use proc_macro2::TokenStream;
use quote::quote;

use super::features;
use super::module::{interface, module_items};
use super::vacancy::unused;
use crate::backend::rust::Layout;
use crate::backend::rust::cfg::Presence;
use crate::backend::rust::placeholder::Placeholders;
use crate::backend::rust::plan::{EntityOutline, ModuleOutline, ModulePlan, Plan};

pub(super) fn root<'p>(
    plan: &'p Plan,
    inline: &'p [ModulePlan],
    placeholders: &'p Placeholders<'_>,
) -> impl Iterator<Item = TokenStream> + 'p {
    let interface = interface();
    let message = format!(
        "generated code needs qapi-wire interface {interface}: update qapi-gen or qapi-wire"
    );
    let interface = quote! {
        const _: () = assert!(::qapi_wire::INTERFACE == #interface, #message);
    };
    let externals = plan.external_modules().map(external);
    let undocumented = (!plan.docs)
        .then(|| quote!(#[allow(missing_docs, reason = "the schema's documentation is left out")]));
    let modules = plan.own_modules().map(move |module| {
        let ident = &module.ident;
        let summary = format!(" Generated from `{}`.", module.file);
        let body = match inline.iter().find(|inline| inline.id == module.id) {
            Some(inline) => {
                let items = module_items(inline, placeholders);
                quote!({ #(#items)* })
            }
            None => quote!(;),
        };
        quote! {
            #[doc = #summary]
            #[allow(deprecated, reason = "what is deprecated is still served")]
            #[allow(
                clippy::enum_variant_names,
                clippy::large_enum_variant,
                clippy::len_without_is_empty,
                clippy::match_single_binding,
                clippy::module_inception,
                clippy::new_ret_no_self,
                clippy::tabs_in_doc_comments,
                clippy::wrong_self_convention,
                reason = "what things are called and what they hold is the schema's affair"
            )]
            #undocumented
            #[rustfmt::skip]
            pub mod #ident #body
        }
    });
    let introspection = plan.introspection.as_ref().map(|_| {
        let module = (plan.layout == Layout::FilePerModule).then(|| {
            quote! {
                #[rustfmt::skip]
                mod schema_info;
            }
        });
        quote! {
            #module

            pub use self::schema_info::SCHEMA;
        }
    });
    let commands = std::iter::once_with(|| commands(plan));
    let events = std::iter::once_with(|| events(plan));
    let features = std::iter::once_with(|| features::table(plan));
    std::iter::once(interface)
        .chain(externals)
        .chain(modules)
        .chain(introspection)
        .chain(commands)
        .chain(events)
        .chain(features)
}

/// Writes the assertion that the code of another crate has the same interface.
fn external(module: &ModuleOutline) -> TokenStream {
    let (path, interface) = (&module.path, interface());
    let message = format!(
        "the crate that has the code of `{}` was built with another version of qapi-gen",
        module.file
    );
    quote! {
        const _: () = assert!(#path::INTERFACE == #interface, #message);
    }
}

fn commands(plan: &Plan) -> TokenStream {
    let modules: Vec<&ModuleOutline> = plan
        .modules
        .iter()
        .filter(|module| !module.commands.is_empty())
        .collect();
    if modules.is_empty() {
        return quote!();
    }
    let paths: Vec<_> = modules.iter().map(|module| &module.path).collect();
    let infos = modules.iter().flat_map(|module| infos(module));
    let lookup = lookup(&modules);
    // The names need no `#[cfg]`: the module's own `execute` does not find a
    // command that the configuration leaves out.
    let names = modules.iter().map(|module| names(module));
    let dispatcher = dispatcher();
    let own_dispatcher = own_dispatcher(plan);
    quote! {
        /// All commands of the schema, as a server implements them.
        pub trait Commands: #(#paths::Commands)+* {}

        impl<T: #(#paths::Commands)+* + ?::core::marker::Sized> Commands for T {}

        /// Every command of the schema, in schema order.
        #[allow(deprecated, reason = "what is deprecated is still served")]
        pub static COMMANDS: &[&::qapi_wire::command::CommandInfo] = &[#(#infos),*];

        /// Finds a command of the schema.
        #[must_use]
        #lookup

        /// Executes a command of the schema.
        ///
        /// # Errors
        ///
        /// Returns the error reply if the arguments are invalid, the handler
        /// fails, or the command does not exist.
        pub fn execute<T: Commands + ?::core::marker::Sized>(
            server: &T,
            call: ::qapi_wire::command::Call<'_>,
            reply: &mut ::qapi_wire::Writer<'_>,
        ) -> ::qapi_wire::Result<()> {
            match call.name {
                #(#names => #paths::execute(server, call, reply),)*
                _ => Err(call.not_found()),
            }
        }

        #dispatcher
        #own_dispatcher
    }
}

/// Writes a reference to the description of each command of a module.
fn infos(module: &ModuleOutline) -> impl Iterator<Item = TokenStream> {
    module.commands.iter().map(|command| {
        let (info, cfg) = (info(module, command), &command.cfg);
        quote!(#cfg #info)
    })
}

fn info(module: &ModuleOutline, command: &EntityOutline) -> TokenStream {
    let (path, request) = (&module.path, &command.ident);
    quote!(<#path::commands::#request as ::qapi_wire::command::Request>::INFO)
}

/// Writes the pattern that matches the names of all commands of a module.
fn names(module: &ModuleOutline) -> TokenStream {
    let names = module.commands.iter().map(|command| &command.wire);
    quote!(#(#names)|*)
}

/// Writes the function that finds a command by name. It returns an element of
/// `COMMANDS` by index, unless a condition makes the indices depend on the
/// configuration.
fn lookup(modules: &[&ModuleOutline]) -> TokenStream {
    let commands = || modules.iter().flat_map(|module| &module.commands);
    let names = commands().map(|command| &command.wire);
    if commands().all(|command| command.cfg.is_always()) {
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
    let found = modules.iter().flat_map(|module| found(module));
    quote! {
        #[allow(deprecated, reason = "what is deprecated is still served")]
        pub fn command(name: &str) -> Option<&'static ::qapi_wire::command::CommandInfo> {
            match name {
                #(#found)*
                _ => None,
            }
        }
    }
}

/// Writes an arm for each command of a module that returns its description.
fn found(module: &ModuleOutline) -> impl Iterator<Item = TokenStream> {
    module.commands.iter().map(|command| {
        let (name, info, cfg) = (&command.wire, info(module, command), &command.cfg);
        quote!(#cfg #name => Some(#info),)
    })
}

/// Writes `Dispatcher`, all commands as a `CommandSet`.
fn dispatcher() -> TokenStream {
    quote! {
        /// The commands of the schema as a set that a session can serve.
        #[derive(Clone, Copy, Debug)]
        pub struct Dispatcher<T>(
            /// The implementation of the commands.
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

/// Writes `OwnDispatcher`, the commands of the modules that are generated here.
/// Writes nothing if no module is external.
fn own_dispatcher(plan: &Plan) -> TokenStream {
    let modules: Vec<&ModuleOutline> = plan
        .own_modules()
        .filter(|module| !module.commands.is_empty())
        .collect();
    if plan.external_modules().next().is_none() || modules.is_empty() {
        return quote!();
    }
    let paths: Vec<_> = modules.iter().map(|module| &module.path).collect();
    let infos = modules.iter().flat_map(|module| infos(module));
    let found = modules.iter().flat_map(|module| found(module));
    let names = modules.iter().map(|module| names(module));
    quote! {
        /// The commands of the modules that are generated here, as a set.
        /// Other crates serve the commands of their modules.
        #[derive(Clone, Copy, Debug)]
        pub struct OwnDispatcher<T>(
            /// The implementation of the commands.
            pub T,
        );

        #[allow(deprecated, reason = "what is deprecated is still served")]
        impl<T: #(#paths::Commands)+*> ::qapi_wire::command::CommandSet for OwnDispatcher<T> {
            fn commands(&self) -> Vec<&'static ::qapi_wire::command::CommandInfo> {
                Vec::from([#(#infos),*])
            }

            fn command(&self, name: &str) -> Option<&'static ::qapi_wire::command::CommandInfo> {
                match name {
                    #(#found)*
                    _ => None,
                }
            }

            fn execute(
                &self,
                call: ::qapi_wire::command::Call<'_>,
                reply: &mut ::qapi_wire::Writer<'_>,
            ) -> ::qapi_wire::Result<()> {
                match call.name {
                    #(#names => #paths::execute(&self.0, call, reply),)*
                    _ => Err(call.not_found()),
                }
            }
        }
    }
}

fn events(plan: &Plan) -> TokenStream {
    let events = plan
        .modules
        .iter()
        .flat_map(|module| module.events.iter().map(move |event| (&module.path, event)));
    let mut variants = Vec::new();
    let mut idents = Vec::new();
    let mut names = Vec::new();
    let mut cfgs = Vec::new();
    for (module, event) in events {
        let (ident, cfg) = (&event.ident, &event.cfg);
        let summary = format!(" `{}`.", event.wire);
        let variant = quote!(#[doc = #summary] #cfg #ident(#module::events::#ident),);
        variants.push(variant);
        idents.push(ident);
        names.push(&event.wire);
        cfgs.push(cfg);
    }
    if variants.is_empty() {
        return quote!();
    }
    let no_context = unused(
        "context",
        !Presence::none_of(cfgs.iter().copied()).is_never(),
    );
    quote! {
        /// Any event of the schema, as a client receives it.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(deprecated, reason = "what is deprecated is still sent")]
        #[allow(clippy::large_enum_variant, reason = "what they hold is the schema's affair")]
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
            /// Returns an error for the first invalid member.
            pub fn decode(
                name: &str,
                data: ::qapi_wire::Node<'_>,
                context: &::qapi_wire::Context<'_>,
            ) -> ::qapi_wire::Result<Self> {
                #no_context
                Ok(match name {
                    #(#cfgs #names => Self::#idents(::qapi_wire::command::event_data(data, context)?),)*
                    _ => Self::Unlisted {
                        name: name.into(),
                        data: ::qapi_wire::from_node(data, context)?,
                    },
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

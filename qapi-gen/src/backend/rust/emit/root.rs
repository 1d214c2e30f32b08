//! What joins the modules: `mod.rs`.
//!
//! In: the outlines of all modules, and the plans of those that are to stand in
//! it. Out: the module tree, the trait of all commands, the
//! dispatcher, the enum of all events. Modules of other crates are in all of
//! these but the first.

use proc_macro2::TokenStream;
use quote::quote;

use super::{features, interface, unused};
use crate::backend::rust::Layout;
use crate::backend::rust::cfg::Cfg;
use crate::backend::rust::placeholder::Texts;
use crate::backend::rust::plan::{CommandOutline, ModuleOutline, ModulePlan, Plan};

pub(super) fn root<'p>(
    plan: &'p Plan,
    inline: &'p [ModulePlan],
    texts: &'p Texts<'_>,
) -> impl Iterator<Item = TokenStream> + 'p {
    let interface = interface();
    let interface = quote! {
        const _: () = assert!(
            ::qapi_wire::INTERFACE == #interface,
            "the versions of qapi-gen and qapi-wire do not fit",
        );
    };
    let externals = plan.external_modules().map(external);
    let undocumented = (!plan.docs)
        .then(|| quote!(#[allow(missing_docs, reason = "the schema's documentation is left out")]));
    let modules = plan.own_modules().map(move |module| {
        let ident = &module.ident;
        let summary = format!(" Generated from `{}`.", module.file);
        let body = match inline.iter().find(|inline| inline.id == module.id) {
            Some(inline) => {
                let items = super::module(inline, texts);
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

/// The assertion that another crate's code fits.
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
    // A command that is not there in some configuration is not found there.
    let names = modules.iter().map(|module| names(module));
    let dispatcher = dispatcher();
    let own_dispatcher = own_dispatcher(plan);
    quote! {
        /// Every command of the schema, as a server implements them.
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
        /// The error reply: arguments that do not fit, what the handler says,
        /// or that there is no such command.
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

/// What the schema says of each command of a module.
fn infos(module: &ModuleOutline) -> impl Iterator<Item = TokenStream> {
    module.commands.iter().map(|command| {
        let (info, cfg) = (info(module, command), &command.cfg);
        quote!(#cfg #info)
    })
}

fn info(module: &ModuleOutline, command: &CommandOutline) -> TokenStream {
    let (path, request) = (&module.path, &command.request);
    quote!(<#path::commands::#request as ::qapi_wire::command::Request>::INFO)
}

/// The pattern of all commands of a module.
fn names(module: &ModuleOutline) -> TokenStream {
    let names = module.commands.iter().map(|command| &command.wire);
    quote!(#(#names)|*)
}

/// The function that finds a command: by its place, unless that depends on
/// which others there are.
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

/// The arms that find each command of a module.
fn found(module: &ModuleOutline) -> impl Iterator<Item = TokenStream> {
    module.commands.iter().map(|command| {
        let (name, info, cfg) = (&command.wire, info(module, command), &command.cfg);
        quote!(#cfg #name => Some(#info),)
    })
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

/// The commands of the modules generated here as a set of their own, where
/// there are others.
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
        /// The commands of the modules that are generated here, as a set:
        /// those of other crates' modules are left to these crates.
        #[derive(Clone, Copy, Debug)]
        pub struct OwnDispatcher<T>(
            /// What implements them.
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
    let no_context = unused("context", Cfg::none_of(cfgs.iter().copied()).is_some());
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
            /// The first member that does not fit.
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

//! Writes commands: the requests that a client sends, the trait that a server
//! implements, and the dispatch from one to the other.
//!
//! In: the command plans of a module. Out: module `commands` with a request for
//! each command, trait `Commands` with a handler for each, and `execute`.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::attributes::attributes;
use super::features;
use super::structs;
use super::vacancy::unused;
use crate::backend::rust::cfg::Presence;
use crate::backend::rust::placeholder::Placeholders;
use crate::backend::rust::plan::{Arguments, CommandPlan, Handler, Head, ModulePlan};

pub(super) fn commands(plan: &ModulePlan, placeholders: &Placeholders<'_>) -> TokenStream {
    if plan.commands.is_empty() {
        return quote!();
    }
    let requests = plan
        .commands
        .iter()
        .map(|command| request(command, placeholders));
    let handlers = plan.commands.iter().map(handler);
    let arms = plan.commands.iter().map(arm);
    let cfg = Presence::any(plan.commands.iter().map(|command| &command.head.cfg));
    let can_be_empty = !cfg.is_always();
    let [no_server, no_reply] = ["server", "reply"].map(|name| unused(name, can_be_empty));
    let requests_summary = format!(" The requests of `{}`, as a client sends them.", plan.file);
    let handlers_summary = format!(
        " The commands of `{}`, as a server implements them.",
        plan.file
    );
    let execute_summary = format!(" Executes a command of `{}`.", plan.file);
    quote! {
        #[doc = #requests_summary]
        #cfg
        pub mod commands {
            use ::qapi_wire as wire;

            #(#requests)*
        }

        #[doc = #handlers_summary]
        ///
        /// An error's class and description reach the client.
        #[allow(clippy::missing_errors_doc, reason = "said once, above")]
        pub trait Commands {
            #(#handlers)*
        }

        #[doc = #execute_summary]
        ///
        /// # Errors
        ///
        /// Returns the error reply if the arguments are invalid, the handler
        /// fails, or the command does not exist.
        pub fn execute<T: Commands + ?::core::marker::Sized>(
            server: &T,
            call: wire::command::Call<'_>,
            reply: &mut wire::Writer<'_>,
        ) -> wire::Result<()> {
            #no_server
            #no_reply
            match call.name {
                #(#arms)*
                _ => Err(call.not_found()),
            }
        }
    }
}

/// Writes the struct that a client fills in.
fn request(plan: &CommandPlan, placeholders: &Placeholders<'_>) -> TokenStream {
    let Head { ident, cfg, .. } = &plan.head;
    let attributes = attributes(&plan.head);
    let body = body(ident, cfg, &plan.arguments, placeholders);
    let reply = plan
        .reply_in_request
        .clone()
        .unwrap_or(quote!(wire::command::Empty));
    let info = info(plan);
    quote! {
        #attributes
        #body

        #cfg
        impl wire::command::Request for #ident {
            type Reply = #reply;

            const INFO: &'static wire::command::CommandInfo = &#info;
        }
    }
}

/// Writes the entry of a command in the table of all commands: its name, and
/// the properties that differ from the defaults.
fn info(plan: &CommandPlan) -> TokenStream {
    let Head { wire, features, .. } = &plan.head;
    let features = features::names(&features.list);
    let flag = |is_set: bool, method: TokenStream| is_set.then(|| quote!(.#method()));
    let flags = [
        flag(plan.allow_oob, quote!(allow_oob)),
        flag(plan.allow_preconfig, quote!(allow_preconfig)),
        flag(!plan.success_response, quote!(no_success_response)),
        flag(plan.coroutine, quote!(coroutine)),
        (!features.is_empty()).then(|| quote!(.features(&[#features]))),
    ];
    let flags = flags.iter().flatten();
    quote!(wire::command::CommandInfo::new(#wire) #(#flags)*)
}

/// Writes the struct for the arguments of a request or the data of an event,
/// and its traits. `cfg` is put on the traits only: the caller puts it on the
/// struct, before the attributes.
pub(super) fn body(
    ident: &Ident,
    cfg: &Presence,
    arguments: &Arguments,
    placeholders: &Placeholders<'_>,
) -> TokenStream {
    match arguments {
        Arguments::None => {
            let traits = structs::traits(ident, cfg, &[], placeholders);
            quote!(pub struct #ident {} #traits)
        }
        Arguments::Inline { fields } => {
            let definitions = fields.iter().map(structs::field);
            let traits = structs::traits(ident, cfg, fields, placeholders);
            quote!(pub struct #ident { #(#definitions)* } #traits)
        }
        Arguments::Named { inner, .. } => quote! {
            pub struct #ident(
                /// The members.
                pub #inner,
            );

            #cfg
            impl wire::DecodeMembers for #ident {
                fn decode_members(members: &mut wire::Members<'_>) -> wire::Result<Self> {
                    wire::DecodeMembers::decode_members(members).map(Self)
                }
            }

            #cfg
            impl wire::EncodeMembers for #ident {
                fn encode_members(&self, out: &mut wire::ObjectWriter<'_, '_>) {
                    wire::EncodeMembers::encode_members(&self.0, out);
                }
            }

            #cfg
            wire::object!(#ident);
        },
    }
}

/// Returns the type of a handler's parameter besides the server, and the
/// expression that decodes it. Returns `None` for a handler without arguments.
fn parameter(plan: &CommandPlan) -> Option<(TokenStream, TokenStream)> {
    if plan.handler == Handler::Raw {
        return Some((quote!(wire::Node<'_>), quote!(call.arguments)));
    }
    match &plan.arguments {
        Arguments::None => None,
        Arguments::Inline { .. } => {
            let request = plan.request_path();
            Some((request, quote!(call.arguments()?)))
        }
        Arguments::Named { ty, .. } => Some((ty.clone(), quote!(call.arguments()?))),
    }
}

/// Writes the method of the trait that executes a command.
fn handler(plan: &CommandPlan) -> TokenStream {
    let Head {
        ident, wire, cfg, ..
    } = &plan.head;
    let method = &plan.method;
    let summary = format!(" `{wire}`: see [`commands::{ident}`].");
    let parameter = parameter(plan)
        .map(|(ty, _)| quote!(arguments: #ty))
        .into_iter();
    let (output, reply) = match plan.handler {
        Handler::Typed => (quote!(), plan.reply.clone().unwrap_or(quote!(()))),
        Handler::Raw => (quote!(), quote!(wire::Value)),
        Handler::Direct => (quote!(reply: &mut wire::Writer<'_>), quote!(())),
    };
    let direct = (plan.handler == Handler::Direct).then(|| {
        quote! {
            ///
            /// Writes the reply value itself. On an error, what it wrote is
            /// cut off again.
        }
    });
    let parameters = parameter.chain((!output.is_empty()).then_some(output));
    quote! {
        #[doc = #summary]
        #direct
        #cfg
        fn #method(&self, #(#parameters),*) -> wire::Result<#reply>;
    }
}

/// Writes the arm of `execute` that calls the handler of a command.
fn arm(plan: &CommandPlan) -> TokenStream {
    let Head {
        wire,
        cfg,
        features,
        ..
    } = &plan.head;
    let method = &plan.method;
    let admit = features::special_tokens(features).map(|special| quote!(call.admit(#special)?;));
    let parameter = parameter(plan);
    let argument = parameter.iter().map(|(_, value)| value);
    // A command without arguments must reject arguments that a client sends.
    let no_arguments = parameter.is_none().then(|| quote!(call.no_arguments()?;));
    let calling = match plan.handler {
        Handler::Direct => quote!(server.#method(#(#argument,)* reply)),
        Handler::Typed if plan.reply.is_none() => quote! {
            server.#method(#(#argument),*)?;
            wire::command::reply(&wire::command::Empty {}, reply)
        },
        Handler::Typed | Handler::Raw => quote! {
            wire::command::reply(&server.#method(#(#argument),*)?, reply)
        },
    };
    quote!(#cfg #wire => { #admit #no_arguments #calling })
}

//! Commands: what a client sends, what a server implements, what joins them.
//!
//! In: a module's command plans. Out: module `commands` with a request for
//! each, trait `Commands` with a handler for each, and `execute`.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::{item_attributes, structs};
use crate::rust::plan::{Arguments, CommandPlan, Handler, ModulePlan};

pub(super) fn commands(plan: &ModulePlan) -> TokenStream {
    if plan.commands.is_empty() {
        return quote!();
    }
    let requests = plan.commands.iter().map(request);
    let handlers = plan.commands.iter().map(handler);
    let arms = plan.commands.iter().map(arm);
    let requests_summary = format!(" The requests of `{}`, as a client sends them.", plan.file);
    let handlers_summary = format!(
        " The commands of `{}`, as a server implements them.",
        plan.file
    );
    let execute_summary = format!(" Executes a command of `{}`.", plan.file);
    quote! {
        #[doc = #requests_summary]
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
        /// The error reply: arguments that do not fit, what the handler says,
        /// or that there is no such command.
        pub fn execute<T: Commands + ?::core::marker::Sized>(
            server: &T,
            call: wire::command::Call<'_>,
            reply: &mut wire::Writer<'_>,
        ) -> wire::Result<()> {
            match call.name {
                #(#arms)*
                _ => Err(call.not_found()),
            }
        }
    }
}

/// The struct that a client fills in.
fn request(plan: &CommandPlan) -> TokenStream {
    let ident = &plan.request;
    let body = body(ident, &plan.arguments);
    let default = match &plan.arguments {
        Arguments::None | Arguments::Inline { default: true, .. } => quote!(Default),
        Arguments::Inline { .. } | Arguments::Named { .. } => quote!(),
    };
    let attributes = item_attributes(plan.docs, plan.deprecated, plan.exact, &default);
    let reply = plan
        .reply_in_request
        .clone()
        .unwrap_or(quote!(wire::command::Empty));
    let info = info(plan);
    quote! {
        #attributes
        #body

        impl wire::command::Request for #ident {
            type Reply = #reply;

            const INFO: &'static wire::command::CommandInfo = &#info;
        }
    }
}

/// What the table says of a command: its name, and what is not usual.
fn info(plan: &CommandPlan) -> TokenStream {
    let (wire_name, features) = (&plan.wire, &plan.features);
    let flag = |is_set: bool, method: TokenStream| is_set.then(|| quote!(.#method()));
    let flags = [
        flag(plan.allow_oob, quote!(allow_oob)),
        flag(plan.allow_preconfig, quote!(allow_preconfig)),
        flag(!plan.success_response, quote!(no_success_response)),
        flag(plan.coroutine, quote!(coroutine)),
        (!features.is_empty()).then(|| quote!(.features(&[#(#features),*]))),
    ];
    let flags = flags.iter().flatten();
    quote!(wire::command::CommandInfo::new(#wire_name) #(#flags)*)
}

/// The struct of a request's arguments or an event's data, with its traits.
pub(super) fn body(ident: &Ident, arguments: &Arguments) -> TokenStream {
    match arguments {
        Arguments::None => {
            let traits = structs::traits(ident, &[]);
            quote!(pub struct #ident {} #traits)
        }
        Arguments::Inline { fields, .. } => {
            let definitions = fields.iter().map(structs::field);
            let traits = structs::traits(ident, fields);
            quote!(pub struct #ident { #(#definitions)* } #traits)
        }
        Arguments::Named { inner, .. } => quote! {
            pub struct #ident(
                /// The members.
                pub #inner,
            );

            impl wire::DecodeMembers for #ident {
                fn decode_members(members: &mut wire::Members<'_>) -> wire::Result<Self> {
                    wire::DecodeMembers::decode_members(members).map(Self)
                }
            }

            impl wire::EncodeMembers for #ident {
                fn encode_members(&self, out: &mut wire::ObjectWriter<'_, '_>) {
                    wire::EncodeMembers::encode_members(&self.0, out);
                }
            }
        },
    }
}

/// What a handler takes besides the server.
fn parameter(plan: &CommandPlan) -> Option<(TokenStream, TokenStream)> {
    if plan.handler == Handler::Raw {
        return Some((quote!(wire::Dict), quote!(call.arguments)));
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

fn handler(plan: &CommandPlan) -> TokenStream {
    let method = &plan.method;
    let summary = format!(" `{}`: see [`commands::{}`].", plan.wire, plan.request);
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
        fn #method(&self, #(#parameters),*) -> wire::Result<#reply>;
    }
}

fn arm(plan: &CommandPlan) -> TokenStream {
    let (method, wire_name) = (&plan.method, &plan.wire);
    let parameter = parameter(plan);
    let argument = parameter.iter().map(|(_, value)| value);
    // Even a command without arguments refuses those that are sent.
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
    quote!(#wire_name => { #no_arguments #calling })
}

//! Planning of commands and events.
//!
//! In: one command or event of the schema. Out: its plan: what a client sends,
//! what a handler takes and gives.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::types::FieldPlan;
use super::{Planner, is_deprecated};
use crate::rust::doc::DocRef;
use crate::rust::name;
use crate::rust::paths::Place;
use crate::schema::{CommandId, Common, EventId, ModuleId, ObjectOrigin, TypeId, TypeKind};
use crate::source::Span;

/// A command.
pub(crate) struct CommandPlan {
    pub(crate) wire: String,
    pub(crate) span: Option<Span>,
    pub(crate) docs: DocRef,
    pub(crate) deprecated: bool,
    /// The handler's name.
    pub(crate) method: Ident,
    /// The request's name, in module `commands`.
    pub(crate) request: Ident,
    pub(crate) arguments: Arguments,
    /// The reply's type, as seen from the module; `None`: the empty object.
    pub(crate) reply: Option<TokenStream>,
    /// The same, as seen from module `commands`.
    pub(crate) reply_in_request: Option<TokenStream>,
    pub(crate) handler: Handler,
    pub(crate) exact: bool,
    pub(crate) allow_oob: bool,
    pub(crate) allow_preconfig: bool,
    pub(crate) success_response: bool,
    pub(crate) coroutine: bool,
    pub(crate) features: Vec<String>,
}

/// How a handler takes its arguments and gives its reply.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handler {
    /// Typed arguments, a typed reply.
    Typed,
    /// Typed arguments; the reply is written straight into the output.
    Direct,
    /// The arguments' tree, the reply's tree: `'gen': false`.
    Raw,
}

/// An event.
pub(crate) struct EventPlan {
    pub(crate) wire: String,
    pub(crate) span: Option<Span>,
    pub(crate) docs: DocRef,
    pub(crate) deprecated: bool,
    /// Its name, in module `events` and in the enum of all.
    pub(crate) ident: Ident,
    pub(crate) data: Arguments,
    pub(crate) exact: bool,
    pub(crate) features: Vec<String>,
}

/// The arguments of a command, or the data of an event.
pub(crate) enum Arguments {
    /// None.
    None,
    /// Members written in place: they are the fields of a struct of its own.
    Inline {
        fields: Vec<FieldPlan>,
        default: bool,
    },
    /// A type of the schema: a struct of one field holds it.
    Named {
        /// The type as seen from the module.
        ty: TokenStream,
        /// The same, as seen from `commands` or `events`.
        inner: TokenStream,
    },
}

impl Planner<'_> {
    pub(super) fn command(&self, id: CommandId, module: ModuleId) -> Option<CommandPlan> {
        let command = self.schema.command(id);
        let common = &command.common;
        if !self.includes(common) {
            return None;
        }
        let handler = if !command.gen_code {
            Handler::Raw
        } else if self.options.direct_replies.contains(&common.name) {
            Handler::Direct
        } else {
            Handler::Typed
        };
        let reply = |place| command.ret.map(|ret| self.names.ty(ret, place));
        Some(CommandPlan {
            wire: common.name.clone(),
            span: common.span,
            docs: self.docs(common),
            deprecated: is_deprecated(&common.features),
            method: name::snake(&common.name),
            request: name::camel(&common.name),
            arguments: self.arguments(command.arg, common, module),
            reply: reply(Place::Module(module)),
            reply_in_request: reply(Place::Submodule(module)),
            handler,
            exact: command.arg.is_none_or(|arg| self.graph.is_exact(arg)),
            allow_oob: command.allow_oob,
            allow_preconfig: command.allow_preconfig,
            success_response: command.success_response,
            coroutine: command.coroutine,
            features: feature_names(common),
        })
    }

    pub(super) fn event(&self, id: EventId, module: ModuleId) -> Option<EventPlan> {
        let event = self.schema.event(id);
        let common = &event.common;
        self.includes(common).then(|| EventPlan {
            wire: common.name.clone(),
            span: common.span,
            docs: self.docs(common),
            deprecated: is_deprecated(&common.features),
            ident: name::camel(&common.name),
            data: self.arguments(event.arg, common, module),
            exact: event.arg.is_none_or(|arg| self.graph.is_exact(arg)),
            features: feature_names(common),
        })
    }

    fn arguments(&self, arg: Option<TypeId>, common: &Common, module: ModuleId) -> Arguments {
        let Some(arg) = arg.filter(|arg| !self.is_empty(*arg)) else {
            return Arguments::None;
        };
        let place = Place::Submodule(module);
        match &self.schema.ty(arg).kind {
            TypeKind::Object(object) if object.origin == ObjectOrigin::InlineArguments => {
                let mut fields = self.fields(arg, place);
                for field in &mut fields {
                    field.docs = self.member_docs(common.doc.as_ref(), &field.wire, &[]);
                }
                let default = fields.iter().all(|field| field.optional);
                Arguments::Inline { fields, default }
            }
            _ => Arguments::Named {
                ty: self.names.ty(arg, Place::Module(module)),
                inner: self.names.ty(arg, place),
            },
        }
    }
}

impl CommandPlan {
    /// The request's type as the module sees it.
    pub(crate) fn request_path(&self) -> TokenStream {
        let request = &self.request;
        quote!(commands::#request)
    }
}

fn feature_names(common: &Common) -> Vec<String> {
    common
        .features
        .iter()
        .map(|feature| feature.name.clone())
        .collect()
}

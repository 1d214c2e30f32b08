//! Planning of commands and events.
//!
//! In: one command or event of the schema. Out: its plan: what a client sends,
//! what a handler takes and gives.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::Planner;
use super::features::FeaturesPlan;
use super::types::FieldPlan;
use crate::backend::rust::cfg::Presence;
use crate::backend::rust::name;
use crate::backend::rust::paths::Place;
use crate::backend::rust::placeholder::TextRef;
use crate::schema::{CommandId, Common, Entity, EventId, ModuleId, ObjectOrigin, TypeId, TypeKind};
use crate::source::Span;

/// A command.
pub(crate) struct CommandPlan {
    pub(crate) wire: String,
    pub(crate) span: Option<Span>,
    pub(crate) cfg: Presence,
    pub(crate) docs: Option<TextRef>,
    /// The attribute that derives the traits.
    pub(crate) derives: TokenStream,
    /// What the caller adds.
    pub(crate) attributes: TokenStream,
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
    pub(crate) allow_oob: bool,
    pub(crate) allow_preconfig: bool,
    pub(crate) success_response: bool,
    pub(crate) coroutine: bool,
    pub(crate) features: FeaturesPlan,
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
    pub(crate) cfg: Presence,
    pub(crate) docs: Option<TextRef>,
    /// The attribute that derives the traits.
    pub(crate) derives: TokenStream,
    /// What the caller adds.
    pub(crate) attributes: TokenStream,
    /// Its name, in module `events` and in the enum of all.
    pub(crate) ident: Ident,
    pub(crate) data: Arguments,
    pub(crate) features: FeaturesPlan,
}

/// The arguments of a command, or the data of an event.
pub(crate) enum Arguments {
    /// None.
    None,
    /// Members written in place: they are the fields of a struct of its own.
    Inline { fields: Vec<FieldPlan> },
    /// A type of the schema: a struct of one field holds it.
    Named {
        /// The type as seen from the module.
        ty: TokenStream,
        /// The same, as seen from `commands` or `events`.
        inner: TokenStream,
    },
}

impl<'s> Planner<'_, 's> {
    pub(super) fn command(&self, id: CommandId, module: ModuleId) -> Option<CommandPlan> {
        let command = self.schema.command(id);
        let common = &command.common;
        let entity = Entity::Command(id);
        let cfg = self
            .conditions
            .presence(common.cond.as_ref())
            .unless_never()?;
        let handler = if !command.gen_code {
            Handler::Raw
        } else if self.options.direct_replies.contains(common.name.as_str()) {
            Handler::Direct
        } else {
            Handler::Typed
        };
        let reply = |place| command.ret.map(|ret| self.names.ty(ret, place));
        let arguments = self.arguments(command.arg, common, entity, module);
        let exact = command.arg.is_none_or(|arg| self.graph.is_exact(arg));
        let default: &[&str] = match &arguments {
            Arguments::None => &["Default"],
            Arguments::Inline { fields } if fields.iter().all(|field| field.optional) => {
                &["Default"]
            }
            Arguments::Inline { .. } | Arguments::Named { .. } => &[],
        };
        Some(CommandPlan {
            wire: common.name.to_string(),
            span: common.span,
            cfg,
            docs: self.docs(common),
            derives: self.derives(entity, exact, default),
            attributes: self.additions.attributes(entity),
            method: name::snake(&common.name),
            request: name::camel(&common.name),
            arguments,
            reply: reply(Place::Module(module)),
            reply_in_request: reply(Place::Submodule(module)),
            handler,
            allow_oob: command.allow_oob,
            allow_preconfig: command.allow_preconfig,
            success_response: command.success_response,
            coroutine: command.coroutine,
            features: self.features(&common.features, common.doc.as_ref()),
        })
    }

    pub(super) fn event(&self, id: EventId, module: ModuleId) -> Option<EventPlan> {
        let event = self.schema.event(id);
        let common = &event.common;
        let entity = Entity::Event(id);
        let exact = event.arg.is_none_or(|arg| self.graph.is_exact(arg));
        Some(EventPlan {
            wire: common.name.to_string(),
            span: common.span,
            cfg: self
                .conditions
                .presence(common.cond.as_ref())
                .unless_never()?,
            docs: self.docs(common),
            derives: self.derives(entity, exact, &[]),
            attributes: self.additions.attributes(entity),
            ident: name::camel(&common.name),
            data: self.arguments(event.arg, common, entity, module),
            features: self.features(&common.features, common.doc.as_ref()),
        })
    }

    fn arguments(
        &self,
        arg: Option<TypeId>,
        common: &'s Common,
        entity: Entity,
        module: ModuleId,
    ) -> Arguments {
        let Some(arg) = arg.filter(|arg| !self.is_empty(*arg)) else {
            return Arguments::None;
        };
        let place = Place::Submodule(module);
        match &self.schema.ty(arg).kind {
            TypeKind::Object(object) if object.origin == ObjectOrigin::InlineArguments => {
                let mut fields = self.fields(arg, common.doc.as_ref(), place);
                for field in &mut fields {
                    field.attributes = self.additions.member(entity, &field.wire);
                }
                Arguments::Inline { fields }
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

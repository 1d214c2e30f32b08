//! Plans commands and events.
//!
//! In: a command or an event of the schema. Out: its plan.

use super::items::{Arguments, CommandPlan, EventPlan, Handler};
use super::planner::Planner;
use crate::backend::rust::name;
use crate::backend::rust::paths::Place;
use crate::schema::{CommandId, Common, Entity, EventId, ModuleId, ObjectOrigin, TypeId, TypeKind};

impl<'s> Planner<'_, 's> {
    /// Plans a command. Returns `None` if the configuration leaves it out.
    pub(super) fn command(&self, id: CommandId, module: ModuleId) -> Option<CommandPlan> {
        let command = self.schema.command(id);
        let common = &command.common;
        let entity = Entity::Command(id);
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
            head: self.head(entity, exact, default)?,
            method: name::snake(&common.name),
            arguments,
            reply: reply(Place::Module(module)),
            reply_in_request: reply(Place::Submodule(module)),
            handler,
            allow_oob: command.allow_oob,
            allow_preconfig: command.allow_preconfig,
            success_response: command.success_response,
            coroutine: command.coroutine,
        })
    }

    /// Plans an event. Returns `None` if the configuration leaves it out.
    pub(super) fn event(&self, id: EventId, module: ModuleId) -> Option<EventPlan> {
        let event = self.schema.event(id);
        let entity = Entity::Event(id);
        let exact = event.arg.is_none_or(|arg| self.graph.is_exact(arg));
        Some(EventPlan {
            head: self.head(entity, exact, &[])?,
            data: self.arguments(event.arg, &event.common, entity, module),
        })
    }

    /// Plans the arguments of a command or the data of an event.
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
                    field.head.attributes = self.additions.member(entity, &field.head.wire);
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

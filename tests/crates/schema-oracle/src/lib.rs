//! Values that a QAPI schema accepts and refuses, found without generated code.
//!
//! In: a checked schema, a configuration and a seed. Out: values of the
//! schema's types, corrupted values, and the errors of QEMU's visitors.
//! Generated decoders and a real QEMU are compared with this crate, so it
//! shares nothing with them but the tree of values.

mod corrupt;
mod generate;
mod validate;

use std::collections::{BTreeMap, BTreeSet};

use qapi_gen::schema::{
    Branches, Builtin, CheckedSchema, Command, Cond, Event, Member, Object, TypeId, TypeKind,
};
use qapi_wire::Kind;

pub use mutator::Random;
pub use validate::Refusal;

/// A schema under one configuration.
#[derive(Debug)]
pub struct SchemaOracle<'s> {
    schema: &'s CheckedSchema,
    config: Option<BTreeSet<String>>,
    empty: Option<TypeId>,
    /// The depth of each type's least deep value.
    depths: BTreeMap<TypeId, usize>,
}

impl<'s> SchemaOracle<'s> {
    /// Returns the schema.
    #[must_use]
    pub fn schema(&self) -> &'s CheckedSchema {
        self.schema
    }

    /// Returns the commands that exist in the configuration.
    pub fn commands(&self) -> impl Iterator<Item = &'s Command> {
        let commands = self.schema.commands().map(|(_, command)| command);
        commands.filter(|command| self.has(command.common.cond.as_ref()))
    }

    /// Returns the events that exist in the configuration.
    pub fn events(&self) -> impl Iterator<Item = &'s Event> {
        let events = self.schema.events().map(|(_, event)| event);
        events.filter(|event| self.has(event.common.cond.as_ref()))
    }

    /// Returns the types that the schema names and that exist in the
    /// configuration.
    pub fn named_types(&self) -> impl Iterator<Item = (TypeId, &'s str)> {
        let named = self.schema.types().filter(|(_, ty)| {
            ty.common.span.is_some()
                && !ty.common.name.starts_with("q_obj_")
                && !matches!(ty.kind, TypeKind::Array(_))
                && self.has(ty.common.cond.as_ref())
        });
        named.map(|(id, ty)| (id, ty.common.name.as_str()))
    }

    /// Returns the type of a command's arguments or an event's data. A missing
    /// type means the empty object.
    #[must_use]
    pub fn arguments(&self, arg: Option<TypeId>) -> Option<TypeId> {
        arg.or(self.empty)
    }

    /// Returns each union with each value of its discriminator for which the
    /// schema has no branch.
    #[must_use]
    pub fn unbranched(&self) -> Vec<(TypeId, &'s str)> {
        let mut found = Vec::new();
        for (id, _) in self.named_types() {
            let Some(branches) = self.object(id).and_then(|object| object.branches.as_ref()) else {
                continue;
            };
            let values = self.values(branches.tag_type);
            let unbranched = values.filter(|value| {
                let mut given = branches.list.iter();
                !given.any(|branch| branch.name == *value && self.has(branch.cond.as_ref()))
            });
            found.extend(unbranched.map(|value| (id, value)));
        }
        found
    }

    /// Returns the enums that a reply or an event can carry.
    #[must_use]
    pub fn sent_by_servers(&self) -> BTreeSet<TypeId> {
        let replies = self
            .schema
            .commands()
            .filter_map(|(_, command)| command.ret);
        let events = self.schema.events().filter_map(|(_, event)| event.arg);
        let mut pending: Vec<TypeId> = replies.chain(events).collect();
        let mut reached = BTreeSet::new();
        while let Some(id) = pending.pop() {
            if !reached.insert(id) {
                continue;
            }
            match &self.schema.ty(id).kind {
                TypeKind::Builtin(_) | TypeKind::Enum(_) => {}
                TypeKind::Array(element) => pending.push(*element),
                TypeKind::Alternate(alternate) => {
                    pending.extend(alternate.branches.iter().map(|branch| branch.ty));
                }
                TypeKind::Object(object) => {
                    pending.extend(object.base);
                    pending.extend(object.members.iter().map(|member| member.ty));
                    let branches = object.branches.iter().flat_map(|branches| &branches.list);
                    pending.extend(branches.map(|branch| branch.ty));
                }
            }
        }
        reached.retain(|id| self.is_enum(*id));
        reached
    }

    /// Returns whether a type is an enum.
    #[must_use]
    pub fn is_enum(&self, ty: TypeId) -> bool {
        matches!(self.schema.ty(ty).kind, TypeKind::Enum(_))
    }

    fn has(&self, cond: Option<&Cond>) -> bool {
        match (&self.config, cond) {
            (Some(defined), Some(cond)) => cond.holds(defined),
            _ => true,
        }
    }

    fn object(&self, id: TypeId) -> Option<&'s Object> {
        match &self.schema.ty(id).kind {
            TypeKind::Object(object) => Some(object),
            _ => None,
        }
    }

    /// Returns an object type's own members, without those of its base.
    fn own_members(&self, object: &'s Object) -> impl Iterator<Item = &'s Member> {
        let members = object.members.iter();
        members.filter(|member| self.has(member.cond.as_ref()))
    }

    /// Returns the values of an enum, and nothing for any other type.
    fn values(&self, id: TypeId) -> impl Iterator<Item = &'s str> {
        let values = match &self.schema.ty(id).kind {
            TypeKind::Enum(enumeration) => &*enumeration.values,
            _ => &[],
        };
        let values = values.iter().filter(|value| self.has(value.cond.as_ref()));
        values.map(|value| value.name.as_str())
    }

    /// Returns the type whose members a union has with a value of its
    /// discriminator.
    fn branch(&self, branches: &'s Branches, value: &str) -> Option<TypeId> {
        let mut list = branches.list.iter();
        list.find(|branch| branch.name == value && self.has(branch.cond.as_ref()))
            .map(|branch| branch.ty)
    }

    /// Returns the branch of an alternate for a JSON type.
    fn alternative(&self, id: TypeId, kind: Kind) -> Option<TypeId> {
        self.alternatives(id)
            .into_iter()
            .find(|ty| self.kind(*ty) == kind)
    }

    fn alternatives(&self, id: TypeId) -> Vec<TypeId> {
        let branches = match &self.schema.ty(id).kind {
            TypeKind::Alternate(alternate) => &*alternate.branches,
            _ => &[],
        };
        let branches = branches
            .iter()
            .filter(|branch| self.has(branch.cond.as_ref()));
        branches.map(|branch| branch.ty).collect()
    }

    /// Returns the JSON type of a type's values.
    fn kind(&self, id: TypeId) -> Kind {
        match &self.schema.ty(id).kind {
            TypeKind::Builtin(Builtin::Str) | TypeKind::Enum(_) => Kind::String,
            TypeKind::Builtin(Builtin::Bool) => Kind::Bool,
            TypeKind::Builtin(Builtin::Null) => Kind::Null,
            TypeKind::Builtin(_) => Kind::Number,
            TypeKind::Array(_) => Kind::Array,
            TypeKind::Object(_) | TypeKind::Alternate(_) => Kind::Object,
        }
    }
}

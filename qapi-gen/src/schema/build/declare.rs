//! The first pass: everything gets its id and its name.
//!
//! In: definitions, in order. Out: what is to be made of them, implicit types
//! included, in the order in which QEMU's generator has them, and who has
//! which name. No name is looked up but to see whether it is taken.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::super::{Builtin, CommandId, Entity, EventId, TypeId, Written};
use super::Slot;
use crate::defs::{Body, Definition, Members, TypeRef};
use crate::diag::{DefinitionKind, Diagnostics, Problem, Site, TypeName};

/// The built-in types and their names.
pub(super) const BUILTINS: [(&str, Builtin); 15] = [
    ("str", Builtin::Str),
    ("number", Builtin::Number),
    ("int", Builtin::Int),
    ("int8", Builtin::Int8),
    ("int16", Builtin::Int16),
    ("int32", Builtin::Int32),
    ("int64", Builtin::Int64),
    ("uint8", Builtin::Uint8),
    ("uint16", Builtin::Uint16),
    ("uint32", Builtin::Uint32),
    ("uint64", Builtin::Uint64),
    ("size", Builtin::Size),
    ("bool", Builtin::Bool),
    ("any", Builtin::Any),
    ("null", Builtin::Null),
];

/// The built-in enum of JSON types.
const QTYPE: &str = "QType";

/// Something that is to be made.
#[derive(Clone, Copy, Debug)]
pub(super) enum Declared<'d, 's> {
    Builtin(&'static str, Builtin),
    QType,
    /// The one object type without members.
    EmptyObject,
    /// An array of the named type.
    Array(&'d str),
    /// The members of a union's base.
    InlineBase(&'d Definition<'s>),
    /// The arguments of a command, the data of an event.
    InlineArguments(&'d Definition<'s>),
    Definition(&'d Definition<'s>),
}

/// Everything that is to be made.
pub(super) struct Declarations<'d, 's> {
    /// With the index of the definition in `written` that it stems from.
    pub(super) slots: Vec<Slot<'d, 's>>,
    /// Indices into `entities` and `slots`.
    pub(super) by_name: HashMap<String, u32>,
    pub(super) written: Vec<Written>,
    pub(super) entities: Vec<Entity>,
    types: usize,
    commands: usize,
    events: usize,
}

/// The name of the arrays of a type.
pub(super) fn array_name(element: &str) -> String {
    format!("{element}List")
}

/// The name of the members that a union's base has in place.
pub(super) fn base_name(union: &str) -> String {
    format!("q_obj_{union}-base")
}

/// The name of the arguments that a command or event has in place.
pub(super) fn arguments_name(owner: &str) -> String {
    format!("q_obj_{owner}-arg")
}

/// The definition as a place.
pub(super) fn site(definition: &Definition<'_>) -> Site {
    Site {
        definition: Some((definition.body.kind(), definition.name.text.as_ref().into())),
        ..Site::line(definition.span)
    }
}

impl<'d, 's> Declarations<'d, 's> {
    /// The built-in types.
    pub(super) fn new() -> Self {
        let mut declarations = Self {
            slots: Vec::new(),
            by_name: HashMap::new(),
            written: Vec::new(),
            entities: Vec::new(),
            types: 0,
            commands: 0,
            events: 0,
        };
        for (name, builtin) in BUILTINS {
            declarations.add_type(name.to_owned(), Declared::Builtin(name, builtin), None);
            declarations.array(name, None);
        }
        declarations.add_type("q_empty".to_owned(), Declared::EmptyObject, None);
        declarations.add_type(QTYPE.to_owned(), Declared::QType, None);
        declarations
    }

    /// How many entities there are so far.
    pub(super) fn count(&self) -> usize {
        self.entities.len()
    }

    /// How many types there are so far.
    pub(super) fn types(&self) -> usize {
        self.types
    }

    /// Adds a definition and what it implies; `None` if its name is taken.
    pub(super) fn define(
        &mut self,
        definition: &'d Definition<'s>,
        diagnostics: &mut Diagnostics,
    ) -> Option<Entity> {
        let name = definition.name.text.as_ref();
        if let Some(&taken) = self.by_name.get(name) {
            let problem = self.redefined(name, taken);
            let site = site(definition).showing(Some(definition.name.span));
            diagnostics.report_at(problem, Some(site));
            return None;
        }
        // Definitions have fewer than 2^32 bytes of source.
        let origin = u32::try_from(self.written.len()).ok();
        self.written.push(Written::new(definition));
        self.imply(definition, origin);
        let declared = Declared::Definition(definition);
        let name = name.to_owned();
        Some(match definition.body.kind() {
            DefinitionKind::Command => {
                let entity = Entity::Command(CommandId::at(self.commands));
                self.commands += 1;
                self.add(name, entity, declared, origin)
            }
            DefinitionKind::Event => {
                let entity = Entity::Event(EventId::at(self.events));
                self.events += 1;
                self.add(name, entity, declared, origin)
            }
            _ => self.add_type(name, declared, origin),
        })
    }

    fn redefined(&self, name: &str, taken: u32) -> Problem {
        let slot = self.slots.get(taken as usize);
        let previous = slot
            .and_then(|(_, origin)| self.written.get(origin.map(|origin| origin as usize)?))
            .map(Written::site);
        let predefined = match slot {
            Some((Declared::Builtin(..), _)) => Some(TypeName::Builtin(name.to_owned())),
            Some((Declared::QType, _)) => {
                Some(TypeName::Defined(DefinitionKind::Enum, name.to_owned()))
            }
            _ => None,
        };
        Problem::Redefined {
            name: name.to_owned(),
            previous,
            predefined,
        }
    }

    /// Adds the types that a definition has without naming them.
    fn imply(&mut self, definition: &'d Definition<'s>, origin: Option<u32>) {
        let name = definition.name.text.as_ref();
        match &definition.body {
            Body::Enum { .. } => {}
            Body::Struct { members, .. } => {
                self.arrays(members.iter().map(|member| &member.ty), origin);
            }
            Body::Union { base, branches, .. } => {
                let inline = Declared::InlineBase(definition);
                self.inline(Some(base), base_name(name), inline, origin);
                self.arrays(branches.iter().map(|branch| &branch.ty), origin);
            }
            Body::Alternate { branches } => {
                self.arrays(branches.iter().map(|branch| &branch.ty), origin);
            }
            Body::Command {
                arguments, returns, ..
            } => {
                let inline = Declared::InlineArguments(definition);
                self.inline(arguments.as_ref(), arguments_name(name), inline, origin);
                self.arrays(returns.iter(), origin);
            }
            Body::Event { arguments, .. } => {
                let inline = Declared::InlineArguments(definition);
                self.inline(arguments.as_ref(), arguments_name(name), inline, origin);
            }
        }
    }

    fn inline(
        &mut self,
        members: Option<&'d Members<'s>>,
        name: String,
        declared: Declared<'d, 's>,
        origin: Option<u32>,
    ) {
        let Some(Members::Inline(members)) = members else {
            return;
        };
        self.arrays(members.iter().map(|member| &member.ty), origin);
        // No members need no type.
        if !members.is_empty() {
            self.add_type(name, declared, origin);
        }
    }

    fn arrays(&mut self, types: impl Iterator<Item = &'d TypeRef<'s>>, origin: Option<u32>) {
        for ty in types {
            if let TypeRef::ArrayOf(element) = ty {
                self.array(&element.text, origin);
            }
        }
    }

    fn array(&mut self, element: &'d str, origin: Option<u32>) {
        if !self.by_name.contains_key(&array_name(element)) {
            self.add_type(array_name(element), Declared::Array(element), origin);
        }
    }

    fn add_type(
        &mut self,
        name: String,
        declared: Declared<'d, 's>,
        origin: Option<u32>,
    ) -> Entity {
        let entity = Entity::Type(TypeId::at(self.types));
        self.types += 1;
        self.add(name, entity, declared, origin)
    }

    fn add(
        &mut self,
        name: String,
        entity: Entity,
        declared: Declared<'d, 's>,
        origin: Option<u32>,
    ) -> Entity {
        if let (Entry::Vacant(entry), Ok(index)) =
            (self.by_name.entry(name), u32::try_from(self.entities.len()))
        {
            entry.insert(index);
        }
        self.entities.push(entity);
        self.slots.push((declared, origin));
        entity
    }
}

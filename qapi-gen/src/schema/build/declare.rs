//! The first pass: everything gets its id and its name.
//!
//! In: definitions, in order. Out: what is to be made of them, implicit types
//! included, in the order in which QEMU's generator has them, and who has
//! which name. No name is looked up but to see whether it is taken.

use std::collections::hash_map::Entry;

use rustc_hash::{FxBuildHasher, FxHashMap as HashMap};

use super::super::{Builtin, CommandId, Entity, EventId, TypeId, Written};
use crate::defs::{Body, Definition, Members, SharedLines, TypeRef};
use crate::diag::{DefinitionKind, Diagnostics, Problem, Site, TypeName};
use crate::source::{Excerpt, SourceMap};

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
#[derive(Clone, Debug)]
pub(super) enum Declared {
    Builtin(Builtin),
    QType,
    /// The one object type without members.
    EmptyObject,
    /// An array of the named type.
    Array(Excerpt),
    /// The members of a union's base.
    InlineBase,
    /// The arguments of a command, the data of an event.
    InlineArguments,
    Definition,
}

/// Something that is to be made, by name.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) name: Excerpt,
    pub(super) declared: Declared,
    /// The definition that it stems from, an index into `written`.
    pub(super) origin: Option<u32>,
}

/// Everything that is to be made.
pub(super) struct Declarations<'s> {
    sources: &'s SourceMap,
    pub(super) slots: Vec<Slot>,
    /// Indices into `entities` and `slots`.
    pub(super) by_name: HashMap<Excerpt, u32>,
    pub(super) written: Vec<Written>,
    pub(super) shared_lines: SharedLines,
    pub(super) entities: Vec<Entity>,
    pub(super) types: usize,
    pub(super) commands: usize,
    pub(super) events: usize,
}

/// The name of the arrays of a type.
pub(super) fn array_name(element: &str) -> String {
    [element, "List"].concat()
}

/// The name of the members that a union's base has in place.
pub(super) fn base_name(union: &str) -> String {
    ["q_obj_", union, "-base"].concat()
}

/// The name of the arguments that a command or event has in place.
pub(super) fn arguments_name(owner: &str) -> String {
    ["q_obj_", owner, "-arg"].concat()
}

/// The definition as a place.
pub(super) fn site(definition: &Definition<'_>, shared_lines: &SharedLines) -> Site {
    let (kind, name) = (definition.body.kind(), &definition.name.text);
    shared_lines.site(definition.span, kind, name)
}

impl<'s> Declarations<'s> {
    /// The built-in types, with room for about as many definitions as given.
    pub(super) fn new(
        definitions: usize,
        sources: &'s SourceMap,
        shared_lines: SharedLines,
    ) -> Self {
        let mut declarations = Self {
            sources,
            slots: Vec::with_capacity(definitions),
            by_name: HashMap::with_capacity_and_hasher(definitions, FxBuildHasher),
            written: Vec::with_capacity(definitions),
            shared_lines,
            entities: Vec::new(),
            types: 0,
            commands: 0,
            events: 0,
        };
        for (name, builtin) in BUILTINS {
            declarations.add_type(name.to_owned().into(), Declared::Builtin(builtin), None);
            declarations.array(name.to_owned().into(), None);
        }
        declarations.add_type("q_empty".to_owned().into(), Declared::EmptyObject, None);
        declarations.add_type(QTYPE.to_owned().into(), Declared::QType, None);
        declarations
    }

    /// Adds a definition and what it implies; false if its name is taken.
    pub(super) fn define(
        &mut self,
        definition: &Definition<'_>,
        diagnostics: &mut Diagnostics,
    ) -> bool {
        let name = definition.name.text.as_ref();
        if let Some(&taken) = self.by_name.get(name) {
            let problem = self.redefined(name, taken);
            let site = site(definition, &self.shared_lines);
            let site = site.showing(Some(definition.name.span));
            diagnostics.report_at(problem, Some(site));
            return false;
        }
        // Definitions have fewer than 2^32 bytes of source.
        let origin = u32::try_from(self.written.len()).ok();
        let name = self.sources.excerpt(definition.span.file, name);
        self.written.push(Written::new(definition, name.clone()));
        self.imply(definition, origin);
        let entity = match definition.body.kind() {
            DefinitionKind::Command => {
                self.commands += 1;
                Entity::Command(CommandId::at(self.commands - 1))
            }
            DefinitionKind::Event => {
                self.events += 1;
                Entity::Event(EventId::at(self.events - 1))
            }
            _ => {
                self.add_type(name, Declared::Definition, origin);
                return true;
            }
        };
        self.add(name, entity, Declared::Definition, origin);
        true
    }

    fn redefined(&self, name: &str, taken: u32) -> Problem {
        let slot = self.slots.get(taken as usize);
        let previous = slot
            .and_then(|slot| self.written.get(slot.origin? as usize))
            .map(|written| written.site(&self.shared_lines));
        let predefined = match slot.map(|slot| &slot.declared) {
            Some(Declared::Builtin(_)) => Some(TypeName::Builtin(name.to_owned())),
            Some(Declared::QType) => Some(TypeName::Defined(DefinitionKind::Enum, name.to_owned())),
            _ => None,
        };
        Problem::Redefined {
            name: name.to_owned(),
            previous,
            predefined,
        }
    }

    /// Adds the types that a definition has without naming them.
    fn imply(&mut self, definition: &Definition<'_>, origin: Option<u32>) {
        let name = definition.name.text.as_ref();
        match &definition.body {
            Body::Enum { .. } => {}
            Body::Struct { members, .. } => {
                self.arrays(members.iter().map(|member| &member.ty), origin);
            }
            Body::Union { base, branches, .. } => {
                let inline = Declared::InlineBase;
                self.inline(Some(base), base_name(name).into(), inline, origin);
                self.arrays(branches.iter().map(|branch| &branch.ty), origin);
            }
            Body::Alternate { branches } => {
                self.arrays(branches.iter().map(|branch| &branch.ty), origin);
            }
            Body::Command {
                arguments, returns, ..
            } => {
                let inline = Declared::InlineArguments;
                self.inline(
                    arguments.as_ref(),
                    arguments_name(name).into(),
                    inline,
                    origin,
                );
                self.arrays(returns.iter(), origin);
            }
            Body::Event { arguments, .. } => {
                let inline = Declared::InlineArguments;
                self.inline(
                    arguments.as_ref(),
                    arguments_name(name).into(),
                    inline,
                    origin,
                );
            }
        }
    }

    fn inline(
        &mut self,
        members: Option<&Members<'_>>,
        name: Excerpt,
        declared: Declared,
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

    fn arrays<'t>(&mut self, types: impl Iterator<Item = &'t TypeRef<'t>>, origin: Option<u32>) {
        for ty in types {
            if let TypeRef::ArrayOf(element) = ty {
                let element = self.sources.excerpt(element.span.file, &element.text);
                self.array(element, origin);
            }
        }
    }

    fn array(&mut self, element: Excerpt, origin: Option<u32>) {
        let name = array_name(&element);
        if !self.by_name.contains_key(name.as_str()) {
            self.add_type(name.into(), Declared::Array(element), origin);
        }
    }

    fn add_type(&mut self, name: Excerpt, declared: Declared, origin: Option<u32>) {
        let entity = Entity::Type(TypeId::at(self.types));
        self.types += 1;
        self.add(name, entity, declared, origin);
    }

    fn add(&mut self, name: Excerpt, entity: Entity, declared: Declared, origin: Option<u32>) {
        let entry = self.by_name.entry(name.clone());
        if let (Entry::Vacant(entry), Ok(index)) = (entry, u32::try_from(self.entities.len())) {
            entry.insert(index);
        }
        self.entities.push(entity);
        self.slots.push(Slot {
            name,
            declared,
            origin,
        });
    }
}

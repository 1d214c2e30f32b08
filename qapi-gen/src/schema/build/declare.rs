//! The first pass: declarations.
//!
//! In: definitions, in order. Out: an id and a name for each definition and
//! each implicit type, in the order of QEMU's generator. Names are looked up
//! only to find those that are defined twice.

use std::collections::hash_map::Entry;

use rustc_hash::{FxBuildHasher, FxHashMap as HashMap};

use crate::defs::{Body, Definition, Members, TypeRef};
use crate::diag::{DefinitionKind, Diagnostics, Problem, QemuAttribution, Site, TypeName};
use crate::schema::provenance::DefinitionHeader;
use crate::schema::{Builtin, CommandId, Entity, EventId, TypeId};
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

/// A declared definition or type.
#[derive(Clone, Debug)]
pub(super) enum Declared {
    Builtin(Builtin),
    QType,
    /// The built-in object type without members.
    EmptyObject,
    /// An array of the named type.
    Array(Excerpt),
    /// The inline base of a union.
    InlineBase,
    /// The inline arguments of a command or data of an event.
    InlineArguments,
    Definition,
}

/// A declaration with its name.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) name: Excerpt,
    pub(super) declared: Declared,
    /// The index in `headers` of the definition that the declaration belongs
    /// to, or `None` for a built-in type.
    pub(super) origin: Option<u32>,
}

/// All declarations.
pub(super) struct Declarations<'s> {
    sources: &'s SourceMap,
    pub(super) slots: Vec<Slot>,
    /// Indices into `entities` and `slots`, which have equal lengths.
    pub(super) by_name: HashMap<Excerpt, u32>,
    pub(super) headers: Vec<DefinitionHeader>,
    pub(super) attribution: QemuAttribution,
    pub(super) entities: Vec<Entity>,
    pub(super) types: usize,
    pub(super) commands: usize,
    pub(super) events: usize,
}

/// Returns the name of the array type of an element type.
pub(super) fn array_name(element: &str) -> String {
    [element, "List"].concat()
}

/// Returns the name of a union's inline base.
pub(super) fn base_name(union: &str) -> String {
    ["q_obj_", union, "-base"].concat()
}

/// Returns the name of the inline arguments of a command or event.
pub(super) fn arguments_name(owner: &str) -> String {
    ["q_obj_", owner, "-arg"].concat()
}

/// Returns the site of a definition.
pub(super) fn site(definition: &Definition<'_>, attribution: &QemuAttribution) -> Site {
    let (kind, name) = (definition.body.kind(), &definition.name.text);
    attribution.site(definition.span, kind, name)
}

impl<'s> Declarations<'s> {
    /// Declares the built-in types, and reserves room for about as many
    /// definitions as given.
    pub(super) fn new(
        definitions: usize,
        sources: &'s SourceMap,
        attribution: QemuAttribution,
    ) -> Self {
        let mut declarations = Self {
            sources,
            slots: Vec::with_capacity(definitions),
            by_name: HashMap::with_capacity_and_hasher(definitions, FxBuildHasher),
            headers: Vec::with_capacity(definitions),
            attribution,
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

    /// Declares a definition and the implicit types that it needs. Reports a
    /// name that is already taken and returns false then.
    pub(super) fn define(
        &mut self,
        definition: &Definition<'_>,
        diagnostics: &mut Diagnostics,
    ) -> bool {
        let name = definition.name.text.as_ref();
        if let Some(&taken) = self.by_name.get(name) {
            let problem = self.redefined(name, taken);
            let site = site(definition, &self.attribution);
            let site = site.showing(Some(definition.name.span));
            diagnostics.report_at(problem, Some(site));
            return false;
        }
        // The index fits, because all files together have fewer than 2^32 bytes.
        let origin = u32::try_from(self.headers.len()).ok();
        let name = self.sources.excerpt(definition.span.file, name);
        self.headers.push(DefinitionHeader {
            kind: definition.body.kind(),
            name: name.clone(),
            span: definition.span,
        });
        self.declare_implicit(definition, origin);
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
            .and_then(|slot| self.headers.get(slot.origin? as usize))
            .map(|header| header.site(&self.attribution));
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

    /// Declares the types that a definition needs without naming them.
    fn declare_implicit(&mut self, definition: &Definition<'_>, origin: Option<u32>) {
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
        // Without members, the built-in empty object is used.
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

//! The second pass: resolution.
//!
//! In: the declarations and the definitions that they belong to. Out: the
//! arenas of the schema. `type_uses.rs` looks up the names.

use std::iter::Peekable;

use super::convert::{self, module_id};
use super::declare::{Declarations, Declared, Slot, base_name};
use super::finish;
use crate::defs::{self, Body, DefItem, Definition, LostDefinitions, Members, Name};
use crate::diag::{DefinitionKind, DefinitionPart, Diagnostics, Key};
use crate::schema::provenance::{DefinitionHeader, Provenance};
use crate::schema::qemu_order::BASE;
use crate::schema::{
    Alternate, Branches, Command, Common, Doc, DocRef, Entity, Enum, Event, FreeFormDoc, Include,
    ModuleId, Object, ObjectOrigin, Schema, Type, TypeId, TypeKind,
};
use crate::source::{Excerpt, SourceMap, Span};
use crate::syntax::DocBlock;

/// Builds everything that is declared, definition by definition. Returns the
/// `include` directives, each with the number of entities, of all modules,
/// before it.
pub(super) fn resolve(
    declarations: Declarations<'_>,
    items: Vec<DefItem<'_>>,
    lost: &LostDefinitions<'_>,
    schema: &mut Schema,
    provenance: &mut Provenance,
    sources: &SourceMap,
    diagnostics: &mut Diagnostics,
) -> Vec<(usize, ModuleId, Include)> {
    let types = declarations.types;
    schema.types.reserve_exact(types + 1);
    schema.commands.reserve_exact(declarations.commands);
    schema.events.reserve_exact(declarations.events);
    schema.by_name = declarations.by_name;
    schema.entities = declarations.entities;
    provenance.type_origins.reserve_exact(types + 1);
    provenance.headers = declarations.headers;
    provenance.attribution = declarations.attribution;
    let mut resolver = Resolver {
        schema,
        provenance,
        sources,
        lost,
        diagnostics,
        slots: declarations.slots.into_iter().peekable(),
        unresolved: TypeId::at(types),
        missing: false,
        entity: Entity::Type(TypeId::at(0)),
        origin: None,
    };
    resolver.predefined();
    let mut includes = Vec::new();
    for item in items {
        match item {
            DefItem::Definition(definition) => resolver.define(*definition),
            DefItem::FreeForm { module, doc } => resolver.free_form(module_id(module), doc),
            DefItem::Include {
                module,
                included,
                span,
            } => {
                let include = Include {
                    module: module_id(included),
                    entities_before: 0,
                    span,
                };
                includes.push((resolver.built_count(), module_id(module), include));
            }
        }
    }
    let missing = resolver.missing;
    if missing {
        provenance.unresolved = Some(TypeId::at(types));
        provenance.type_origins.push(None);
        schema.types.push(Type {
            common: common(String::new().into(), ModuleId::at(0), None),
            kind: TypeKind::Object(object(ObjectOrigin::Empty)),
        });
    }
    finish::arrays(schema);
    finish::discriminators(schema);
    includes
}

fn common(name: Excerpt, module: ModuleId, span: Option<Span>) -> Common {
    Common {
        name,
        module,
        span,
        doc: None,
        cond: None,
        features: Box::default(),
    }
}

fn object(origin: ObjectOrigin) -> Object {
    Object {
        origin,
        base: None,
        members: Box::default(),
        branches: None,
    }
}

/// A builder of what is declared, one declaration after the other.
pub(super) struct Resolver<'a> {
    pub(super) schema: &'a mut Schema,
    pub(super) provenance: &'a mut Provenance,
    pub(super) sources: &'a SourceMap,
    /// The definitions whose uses are not errors, although they are missing.
    pub(super) lost: &'a LostDefinitions<'a>,
    pub(super) diagnostics: &'a mut Diagnostics,
    /// The declarations still to be built, in the order of the definitions.
    slots: Peekable<std::vec::IntoIter<Slot>>,
    /// The substitute for unknown types.
    pub(super) unresolved: TypeId,
    /// True if an unknown type has been found.
    pub(super) missing: bool,
    /// The entity that is being built.
    pub(super) entity: Entity,
    /// The index in `headers` of the definition that the entity belongs to.
    pub(super) origin: Option<u32>,
}

impl Resolver<'_> {
    /// Returns the number of entities built so far.
    fn built_count(&self) -> usize {
        self.schema.entities.len() - self.slots.len()
    }

    /// Builds the types that every schema has.
    fn predefined(&mut self) {
        while let Some(slot) = self.next_slot(None) {
            let kind = match slot.declared {
                Declared::Builtin(builtin) => TypeKind::Builtin(builtin),
                Declared::QType => TypeKind::Enum(Enum {
                    prefix: None,
                    values: convert::json_types(),
                }),
                Declared::Array(element) => {
                    self.array(slot.name, &element);
                    continue;
                }
                // Only the empty object remains, because all other declarations
                // belong to definitions.
                _ => TypeKind::Object(object(ObjectOrigin::Empty)),
            };
            self.add_type(common(slot.name, ModuleId::at(0), None), kind);
        }
    }

    /// Builds a definition, after the implicit types that it needs.
    fn define(&mut self, definition: Definition<'_>) {
        let origin = Some(self.origin.map_or(0, |origin| origin + 1));
        self.origin = origin;
        while let Some(slot) = self.next_slot(origin) {
            match slot.declared {
                Declared::Array(element) => self.array(slot.name, &element),
                Declared::InlineBase | Declared::InlineArguments => {
                    self.inline(slot.name, &definition);
                }
                _ => return self.definition(slot.name, definition),
            }
        }
    }

    /// Adds a free-form documentation block to its module.
    fn free_form(&mut self, module: ModuleId, doc: DocBlock) {
        let docs = &mut self.schema.module_mut(module).docs;
        let index = docs.len();
        docs.push(FreeFormDoc(doc));
        self.schema.docs.push(DocRef::FreeForm(module, index));
    }

    /// Returns the next declaration if it belongs to the definition `origin`.
    fn next_slot(&mut self, origin: Option<u32>) -> Option<Slot> {
        let entity = self.schema.entities.get(self.built_count()).copied();
        let slot = self.slots.next_if(|slot| slot.origin == origin)?;
        self.entity = entity?;
        Some(slot)
    }

    /// Returns the header of the definition that is being built, or `None` for
    /// a built-in type.
    pub(super) fn header(&self) -> Option<&DefinitionHeader> {
        self.provenance.headers.get(self.origin? as usize)
    }

    fn add_type(&mut self, common: Common, kind: TypeKind) {
        self.schema.types.push(Type { common, kind });
        self.provenance.type_origins.push(self.origin);
    }

    /// Builds an array type.
    fn array(&mut self, name: Excerpt, element: &Excerpt) {
        let header = self.header();
        let span = header.map(|header| header.span);
        let kind = header.map_or(DefinitionKind::Struct, |header| {
            self.provenance.attribution.kind(header.span, header.kind)
        });
        let user = || DefinitionPart::Definition(kind);
        let shown = span.and_then(|span| self.sources.place_of(element, span.file));
        let ty = self.look_up(element, shown, user, 0, 0);
        let common = common(name, ModuleId::at(0), span);
        self.add_type(common, TypeKind::Array(ty));
    }

    /// Builds the type of inline members.
    fn inline(&mut self, name: Excerpt, definition: &Definition<'_>) {
        let (members, origin) = match &definition.body {
            Body::Union {
                base: Members::Inline(members),
                ..
            } => (members, ObjectOrigin::InlineBase),
            Body::Command {
                arguments: Some(Members::Inline(members)),
                ..
            }
            | Body::Event {
                arguments: Some(Members::Inline(members)),
                ..
            } => (members, ObjectOrigin::InlineArguments),
            _ => return,
        };
        let module = module_id(definition.module);
        let common = Common {
            cond: definition.cond.clone(),
            ..common(name, module, Some(definition.span))
        };
        let members = self.members(members, origin);
        self.add_type(
            common,
            TypeKind::Object(Object {
                members,
                ..object(origin)
            }),
        );
    }

    /// Builds a definition of any kind.
    fn definition(&mut self, name: Excerpt, definition: Definition<'_>) {
        if definition.doc.is_some() {
            self.schema.docs.push(DocRef::Definition(self.entity));
        }
        let common = Common {
            name,
            module: module_id(definition.module),
            span: Some(definition.span),
            doc: definition.doc.map(Doc::new),
            cond: definition.cond,
            features: convert::features(&definition.features, self.sources),
        };
        let kind = match &definition.body {
            Body::Enum { prefix, values } => TypeKind::Enum(Enum {
                prefix: prefix
                    .as_ref()
                    .map(|prefix| self.sources.excerpt(definition.span.file, prefix)),
                values: convert::values(values, self.sources),
            }),
            Body::Struct { base, members } => TypeKind::Object(Object {
                base: base
                    .as_ref()
                    .map(|base| self.named(base, || DefinitionPart::Base, BASE.0, BASE.1)),
                members: self.members(members, ObjectOrigin::Struct),
                ..object(ObjectOrigin::Struct)
            }),
            Body::Union {
                base,
                discriminator,
                branches,
            } => self.union(&common.name, base, discriminator, branches),
            Body::Alternate { branches } => TypeKind::Alternate(Alternate {
                branches: self.branches(branches, |_| (0, 1)),
            }),
            Body::Command { .. } => return self.command(common, &definition.body),
            Body::Event { .. } => return self.event(common, &definition.body),
        };
        self.add_type(common, kind);
    }

    /// Resolves the body of a union.
    fn union(
        &mut self,
        name: &str,
        base: &Members<'_>,
        discriminator: &Name<'_>,
        branches: &[defs::Branch<'_>],
    ) -> TypeKind {
        let base = match base {
            Members::Of(name) => Some(self.named(name, || DefinitionPart::Base, BASE.0, BASE.1)),
            Members::Inline(_) => self.schema.type_named(&base_name(name)),
        };
        // Each branch has a segment of its own, because QEMU checks a branch's
        // type before the next branch.
        let list = self.branches(branches, |index| (index.saturating_add(1), 1));
        TypeKind::Object(Object {
            base,
            branches: Some(Branches {
                tag: convert::name(discriminator, self.sources),
                // `finish::discriminators` sets the type once all members are
                // known.
                tag_type: self.unresolved,
                list,
            }),
            ..object(ObjectOrigin::Union)
        })
    }

    /// Builds a command.
    fn command(&mut self, common: Common, body: &Body<'_>) {
        let Body::Command {
            arguments,
            returns,
            flags,
        } = body
        else {
            return;
        };
        let arg = self.arguments(arguments.as_ref(), &common.name, DefinitionKind::Command);
        let ret = returns.as_ref().map(|ty| {
            let user = || DefinitionPart::Slot(DefinitionKind::Command, Key::Returns);
            self.used(ty, user, 1, 1)
        });
        self.schema.commands.push(Command {
            common,
            arg,
            ret,
            boxed: flags.boxed,
            gen_code: flags.gen_code,
            success_response: flags.success_response,
            allow_oob: flags.allow_oob,
            allow_preconfig: flags.allow_preconfig,
            coroutine: flags.coroutine,
        });
    }

    /// Builds an event.
    fn event(&mut self, common: Common, body: &Body<'_>) {
        let Body::Event { arguments, boxed } = body else {
            return;
        };
        let arg = self.arguments(arguments.as_ref(), &common.name, DefinitionKind::Event);
        self.schema.events.push(Event {
            common,
            arg,
            boxed: *boxed,
        });
    }
}

//! The second pass: everything is made, and names are looked up.
//!
//! In: the declarations. Out: the arenas of the schema. A name that stands
//! for no type is reported, and a type put in its place that the checks know
//! to leave alone.

use super::super::check::describe;
use super::super::check::step::{ARGUMENTS, BASE, Step};
use super::super::{
    Alternate, Branch, Branches, Command, Common, Entity, Enum, Event, Member, ModuleId, Object,
    ObjectOrigin, Schema, Type, TypeId, TypeKind,
};
use super::declare::{Declarations, Declared, arguments_name, array_name, base_name};
use super::{convert, finish, user_module};
use crate::defs::{self, Body, Definition, Members, Name, TypeRef};
use crate::diag::{DefinitionKind, Diagnostics, Key, Problem, Role};
use crate::rules::Rules;
use crate::source::Span;

/// Makes everything that is declared.
pub(super) fn resolve(
    declarations: Declarations<'_, '_>,
    schema: &mut Schema,
    diagnostics: &mut Diagnostics,
) {
    let types = declarations.types();
    schema.by_name = declarations.by_name;
    schema.entities = declarations.entities;
    schema.written = declarations.written;
    let mut resolver = Resolver {
        schema,
        diagnostics,
        unresolved: TypeId::at(types),
        missing: false,
        entity: Entity::Type(TypeId::at(0)),
        origin: None,
    };
    for (index, (declared, origin)) in declarations.slots.into_iter().enumerate() {
        let Some(&entity) = resolver.schema.entities.get(index) else {
            break;
        };
        resolver.entity = entity;
        resolver.origin = origin;
        resolver.make(declared);
    }
    let missing = resolver.missing;
    finish::arrays(schema);
    if missing {
        schema.unresolved = Some(TypeId::at(types));
        schema.type_origins.push(None);
        schema.types.push(Type {
            common: common(String::new(), ModuleId::at(0), None),
            kind: TypeKind::Object(object(ObjectOrigin::Empty)),
        });
    }
    finish::discriminators(schema);
}

fn common(name: String, module: ModuleId, span: Option<Span>) -> Common {
    Common {
        name,
        module,
        span,
        doc: None,
        cond: None,
        features: Vec::new(),
    }
}

fn object(origin: ObjectOrigin) -> Object {
    Object {
        origin,
        base: None,
        members: Vec::new(),
        branches: None,
    }
}

struct Resolver<'a> {
    schema: &'a mut Schema,
    diagnostics: &'a mut Diagnostics,
    /// What takes the place of types that do not exist.
    unresolved: TypeId,
    /// Whether there is such a type.
    missing: bool,
    /// What is being made.
    entity: Entity,
    /// The definition that it stems from.
    origin: Option<u32>,
}

impl Resolver<'_> {
    fn make(&mut self, declared: Declared<'_, '_>) {
        match declared {
            Declared::Builtin(name, builtin) => {
                self.add_builtin(name, TypeKind::Builtin(builtin));
            }
            Declared::QType => {
                let prefix = (self.schema.rules == Rules::V7_2).then(|| "QTYPE".to_owned());
                let values = convert::json_types();
                self.add_builtin("QType", TypeKind::Enum(Enum { prefix, values }));
            }
            Declared::EmptyObject => {
                self.add_builtin("q_empty", TypeKind::Object(object(ObjectOrigin::Empty)));
            }
            Declared::Array(element) => self.array(element),
            Declared::InlineBase(definition) => {
                if let Body::Union {
                    base: Members::Inline(members),
                    ..
                } = &definition.body
                {
                    let name = base_name(&definition.name.text);
                    self.inline(name, ObjectOrigin::InlineBase, definition, members);
                }
            }
            Declared::InlineArguments(definition) => {
                if let Body::Command {
                    arguments: Some(Members::Inline(members)),
                    ..
                }
                | Body::Event {
                    arguments: Some(Members::Inline(members)),
                    ..
                } = &definition.body
                {
                    let name = arguments_name(&definition.name.text);
                    self.inline(name, ObjectOrigin::InlineArguments, definition, members);
                }
            }
            Declared::Definition(definition) => self.definition(definition),
        }
    }

    fn add_builtin(&mut self, name: &str, kind: TypeKind) {
        self.add_type(common(name.to_owned(), ModuleId::at(0), None), kind);
    }

    fn add_type(&mut self, common: Common, kind: TypeKind) {
        self.schema.types.push(Type { common, kind });
        self.schema.type_origins.push(self.origin);
    }

    fn array(&mut self, element: &str) {
        let written = self
            .origin
            .and_then(|at| self.schema.written.get(at as usize));
        let span = written.map(|written| written.span);
        let user = Role::Definition(written.map_or(DefinitionKind::Struct, |written| written.kind));
        let ty = self.look_up(element, span, user, 0, 0);
        let common = common(array_name(element), ModuleId::at(0), span);
        self.add_type(common, TypeKind::Array(ty));
    }

    fn inline(
        &mut self,
        name: String,
        origin: ObjectOrigin,
        definition: &Definition<'_>,
        members: &[defs::Member<'_>],
    ) {
        let module = user_module(definition.module);
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

    fn definition(&mut self, definition: &Definition<'_>) {
        let module = user_module(definition.module);
        let common = Common {
            cond: definition.cond.clone(),
            features: convert::features(&definition.features),
            ..common(
                definition.name.text.to_string(),
                module,
                Some(definition.span),
            )
        };
        let kind = match &definition.body {
            Body::Enum { prefix, values } => TypeKind::Enum(Enum {
                prefix: prefix.as_ref().map(ToString::to_string),
                values: convert::values(values),
            }),
            Body::Struct { base, members } => TypeKind::Object(Object {
                base: base
                    .as_ref()
                    .map(|base| self.named(base, Role::Base, BASE.0, BASE.1)),
                members: self.members(members, ObjectOrigin::Struct),
                ..object(ObjectOrigin::Struct)
            }),
            Body::Union {
                base,
                discriminator,
                branches,
            } => self.union(definition, base, discriminator, branches),
            Body::Alternate { branches } => TypeKind::Alternate(Alternate {
                branches: self.branches(branches, |_| (0, 1)),
            }),
            Body::Command { .. } => return self.command(common, &definition.body),
            Body::Event { .. } => return self.event(common, &definition.body),
        };
        self.add_type(common, kind);
    }

    fn union(
        &mut self,
        definition: &Definition<'_>,
        base: &Members<'_>,
        discriminator: &Name<'_>,
        branches: &[defs::Branch<'_>],
    ) -> TypeKind {
        let base = match base {
            Members::Of(name) => Some(self.named(name, Role::Base, BASE.0, BASE.1)),
            Members::Inline(_) => self.schema.type_named(&base_name(&definition.name.text)),
        };
        // Branch by branch the checks go into the branches' types, so each
        // has a step of its own.
        let list = self.branches(branches, |index| (index.saturating_add(1), 1));
        TypeKind::Object(Object {
            base,
            branches: Some(Branches {
                tag: discriminator.text.to_string(),
                // Known when all members are.
                tag_type: self.unresolved,
                list,
            }),
            ..object(ObjectOrigin::Union)
        })
    }

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
            let user = Role::Slot(DefinitionKind::Command, Key::Returns);
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

    fn arguments(
        &mut self,
        arguments: Option<&Members<'_>>,
        owner: &str,
        kind: DefinitionKind,
    ) -> Option<TypeId> {
        match arguments? {
            Members::Of(name) => {
                let user = Role::Slot(kind, Key::Data);
                Some(self.named(name, user, ARGUMENTS.0, ARGUMENTS.1))
            }
            Members::Inline(_) => self.schema.type_named(&arguments_name(owner)),
        }
    }

    fn members(&mut self, members: &[defs::Member<'_>], origin: ObjectOrigin) -> Vec<Member> {
        members
            .iter()
            .zip(0u32..)
            .map(|(member, index)| {
                let name = member.name.text.to_string();
                let user = describe::member_role(origin, name.clone(), None);
                Member {
                    ty: self.used(&member.ty, user, 1, index),
                    name,
                    optional: member.optional,
                    span: Some(member.name.span),
                    cond: member.cond.clone(),
                    features: convert::features(&member.features),
                }
            })
            .collect()
    }

    fn branches(
        &mut self,
        branches: &[defs::Branch<'_>],
        step: fn(u32) -> (u32, u32),
    ) -> Vec<Branch> {
        branches
            .iter()
            .zip(0u32..)
            .map(|(branch, index)| {
                let (segment, order) = step(index);
                let name = branch.name.text.to_string();
                Branch {
                    ty: self.used(&branch.ty, Role::Branch(name.clone()), segment, order),
                    name,
                    span: Some(branch.name.span),
                    cond: branch.cond.clone(),
                }
            })
            .collect()
    }

    fn used(&mut self, ty: &TypeRef<'_>, user: Role, segment: u32, order: u32) -> TypeId {
        match ty {
            TypeRef::Named(name) => self.named(name, user, segment, order),
            // It has been declared, so it is there.
            TypeRef::ArrayOf(element) => self
                .schema
                .type_named(&array_name(&element.text))
                .unwrap_or(self.unresolved),
        }
    }

    fn named(&mut self, name: &Name<'_>, user: Role, segment: u32, order: u32) -> TypeId {
        self.look_up(&name.text, Some(name.span), user, segment, order)
    }

    fn look_up(
        &mut self,
        name: &str,
        shown: Option<Span>,
        user: Role,
        segment: u32,
        order: u32,
    ) -> TypeId {
        if let Some(ty) = self.schema.type_named(name) {
            return ty;
        }
        self.missing = true;
        let problem = Problem::UnknownType {
            user,
            name: name.to_owned(),
        };
        let written = self
            .origin
            .and_then(|at| self.schema.written.get(at as usize));
        let site = written.map(|written| written.site().showing(shown));
        let step = Step::new(self.entity, segment, order);
        self.diagnostics.report_ranked(problem, site, step.rank());
        self.unresolved
    }
}

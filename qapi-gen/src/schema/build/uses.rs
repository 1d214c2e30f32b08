//! Members, branches and the types that they use, looked up by name.
//!
//! In: parts of a definition. Out: the same parts of a schema. A name that
//! stands for no type is reported, and a type put in its place that the checks
//! know to leave alone.

use super::super::check::describe;
use super::super::check::step::{ARGUMENTS, Step};
use super::super::{Branch, Entity, Member, ObjectOrigin, TypeId};
use super::convert;
use super::declare::{arguments_name, array_name};
use super::resolve::Resolver;
use super::similar;
use crate::defs::{self, Members, Name, TypeRef};
use crate::diag::{DefinitionKind, Key, Problem, Role};
use crate::source::Span;

impl Resolver<'_> {
    pub(super) fn arguments(
        &mut self,
        arguments: Option<&Members<'_>>,
        owner: &str,
        kind: DefinitionKind,
    ) -> Option<TypeId> {
        match arguments? {
            Members::Of(name) => {
                let user = || Role::Slot(kind, Key::Data);
                Some(self.named(name, user, ARGUMENTS.0, ARGUMENTS.1))
            }
            Members::Inline(_) => self.schema.type_named(&arguments_name(owner)),
        }
    }

    pub(super) fn members(
        &mut self,
        members: &[defs::Member<'_>],
        origin: ObjectOrigin,
    ) -> Box<[Member]> {
        members
            .iter()
            .zip(0u32..)
            .map(|(member, index)| {
                let user = |name| describe::member_role(origin, name, None);
                Member {
                    ty: self.used(&member.ty, || user(member.name.text.to_string()), 1, index),
                    name: convert::name(&member.name, self.sources),
                    optional: member.optional,
                    span: Some(member.name.span),
                    cond: member.cond.clone(),
                    features: convert::features(&member.features, self.sources),
                }
            })
            .collect()
    }

    pub(super) fn branches(
        &mut self,
        branches: &[defs::Branch<'_>],
        step: fn(u32) -> (u32, u32),
    ) -> Box<[Branch]> {
        branches
            .iter()
            .zip(0u32..)
            .map(|(branch, index)| {
                let (segment, order) = step(index);
                let user = || Role::Branch(branch.name.text.to_string(), None);
                Branch {
                    ty: self.used(&branch.ty, user, segment, order),
                    name: convert::name(&branch.name, self.sources),
                    span: Some(branch.name.span),
                    cond: branch.cond.clone(),
                }
            })
            .collect()
    }

    pub(super) fn used(
        &mut self,
        ty: &TypeRef<'_>,
        user: impl FnOnce() -> Role,
        segment: u32,
        order: u32,
    ) -> TypeId {
        match ty {
            TypeRef::Named(name) => self.named(name, user, segment, order),
            // It has been declared, so it is there.
            TypeRef::ArrayOf(element) => self
                .schema
                .type_named(&array_name(&element.text))
                .unwrap_or(self.unresolved),
        }
    }

    pub(super) fn named(
        &mut self,
        name: &Name<'_>,
        user: impl FnOnce() -> Role,
        segment: u32,
        order: u32,
    ) -> TypeId {
        self.look_up(&name.text, Some(name.span), user, segment, order)
    }

    pub(super) fn look_up(
        &mut self,
        name: &str,
        shown: Option<Span>,
        user: impl FnOnce() -> Role,
        segment: u32,
        order: u32,
    ) -> TypeId {
        if let Some(ty) = self.schema.type_named(name) {
            return ty;
        }
        self.missing = true;
        let problem = Problem::UnknownType {
            user: user(),
            name: name.to_owned(),
            similar: self.similar(name),
        };
        let written = self
            .origin
            .and_then(|at| self.schema.written.get(at as usize));
        let site = written.map(|written| written.site(&self.schema.shared_lines).showing(shown));
        let step = Step::new(self.entity, segment, order);
        self.diagnostics.report_ranked(problem, site, step.rank());
        self.unresolved
    }

    /// The type that was perhaps meant.
    fn similar(&mut self, name: &str) -> Option<String> {
        self.suggestions_left = self.suggestions_left.checked_sub(1)?;
        let schema = &*self.schema;
        let names = schema.by_name.iter().filter_map(|(name, &index)| {
            // Types that nobody has written have such names, and no others.
            let is_implicit = name.starts_with("q_") || name.ends_with("List");
            let entity = schema.entities.get(index as usize)?;
            (matches!(entity, Entity::Type(_)) && !is_implicit).then_some(name.as_str())
        });
        similar::similar(name, names).map(str::to_owned)
    }
}

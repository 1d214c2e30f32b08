//! Members and branches, with the types that they use looked up by name.
//!
//! In: parts of a definition. Out: the corresponding parts of a schema. An
//! unknown name is reported and replaced by the type `unresolved`, which the
//! checks skip.

use super::convert;
use super::declare::{arguments_name, array_name};
use super::resolve::Resolver;
use crate::defs::{self, Members, Name, TypeRef};
use crate::diag::{DefinitionKind, DefinitionPart, Key, Problem};
use crate::schema::describe;
use crate::schema::qemu_order::{ARGUMENTS, CheckPoint};
use crate::schema::{Branch, Entity, Member, ObjectOrigin, TypeId};
use crate::source::Span;

impl Resolver<'_> {
    /// Resolves the arguments of a command or the data of an event.
    pub(super) fn arguments(
        &mut self,
        arguments: Option<&Members<'_>>,
        owner: &str,
        kind: DefinitionKind,
    ) -> Option<TypeId> {
        match arguments? {
            Members::Of(name) => {
                let user = || DefinitionPart::Slot(kind, Key::Data);
                Some(self.named(name, user, ARGUMENTS.0, ARGUMENTS.1))
            }
            Members::Inline(_) => self.schema.type_named(&arguments_name(owner)),
        }
    }

    /// Resolves members.
    pub(super) fn members(
        &mut self,
        members: &[defs::Member<'_>],
        origin: ObjectOrigin,
    ) -> Box<[Member]> {
        members
            .iter()
            .zip(0u32..)
            .map(|(member, index)| {
                let user = |name| describe::member_part(origin, name, None);
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

    /// Resolves branches; `point` returns the segment and order of a branch in
    /// QEMU's check.
    pub(super) fn branches(
        &mut self,
        branches: &[defs::Branch<'_>],
        point: fn(u32) -> (u32, u32),
    ) -> Box<[Branch]> {
        branches
            .iter()
            .zip(0u32..)
            .map(|(branch, index)| {
                let (segment, order) = point(index);
                let user = || DefinitionPart::Branch(branch.name.text.to_string(), None);
                Branch {
                    ty: self.used(&branch.ty, user, segment, order),
                    name: convert::name(&branch.name, self.sources),
                    span: Some(branch.name.span),
                    cond: branch.cond.clone(),
                }
            })
            .collect()
    }

    /// Resolves the use of a type.
    pub(super) fn used(
        &mut self,
        ty: &TypeRef<'_>,
        user: impl FnOnce() -> DefinitionPart,
        segment: u32,
        order: u32,
    ) -> TypeId {
        match ty {
            TypeRef::Named(name) => self.named(name, user, segment, order),
            TypeRef::ArrayOf(element) => self.array_of(element),
        }
    }

    /// Returns the array type of an element type.
    #[expect(
        clippy::expect_used,
        reason = "a default would be an unknown type that nobody reports"
    )]
    fn array_of(&self, element: &Name<'_>) -> TypeId {
        self.schema
            .type_named(&array_name(&element.text))
            .expect("the first pass declares every array that is used")
    }

    /// Resolves a type name.
    pub(super) fn named(
        &mut self,
        name: &Name<'_>,
        user: impl FnOnce() -> DefinitionPart,
        segment: u32,
        order: u32,
    ) -> TypeId {
        self.look_up(&name.text, Some(name.span), user, segment, order)
    }

    /// Returns the type of a name. Reports an unknown name, unless its definition
    /// was left out, and returns `unresolved` then.
    pub(super) fn look_up(
        &mut self,
        name: &str,
        shown: Option<Span>,
        user: impl FnOnce() -> DefinitionPart,
        segment: u32,
        order: u32,
    ) -> TypeId {
        if let Some(ty) = self.schema.type_named(name) {
            return ty;
        }
        self.missing = true;
        if self.lost.may_include(name) {
            return self.unresolved;
        }
        let problem = Problem::UnknownType {
            user: user(),
            name: name.to_owned(),
            similar: self.similar(name),
        };
        let attribution = &self.provenance.attribution;
        let site = self.header().map(|header| header.site(attribution));
        let site = site.map(|site| site.showing(shown));
        let point = CheckPoint::new(self.entity, segment, order);
        self.diagnostics.report_ranked(problem, site, point.rank());
        self.unresolved
    }

    /// Returns the name of the type that was probably meant.
    fn similar(&mut self, name: &str) -> Option<String> {
        let schema = &*self.schema;
        let names = schema.by_name.iter().filter_map(|(name, &index)| {
            // Only implicit types have names that begin with `q_` or end with
            // `List`.
            let is_implicit = name.starts_with("q_") || name.ends_with("List");
            let entity = schema.entities.get(index as usize)?;
            (matches!(entity, Entity::Type(_)) && !is_implicit).then_some(name.as_str())
        });
        self.diagnostics.similar(name, names)
    }
}

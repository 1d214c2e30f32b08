//! Plans enums, structs and unions. Branches and alternates are planned in
//! `branches.rs`.
//!
//! In: a type of the schema. Out: its plan. ARCHITECTURE.md describes what the
//! Rust types look like.

use proc_macro2::{Ident, TokenStream};
use quote::format_ident;

use super::items::{EnumPlan, FieldPlan, Head, StructPlan, TypePlan, UnionField, UnionPlan};
use super::planner::Planner;
use crate::backend::rust::name;
use crate::backend::rust::paths::Place;
use crate::schema::{
    Doc, Entity, Enum, EnumValue, Member, ModuleId, Object, ObjectOrigin, TypeId, TypeKind,
};

impl<'s> Planner<'_, 's> {
    /// Plans a type. Returns `None` if no Rust type is generated for it.
    pub(super) fn ty(&self, id: TypeId, module: ModuleId) -> Option<TypePlan> {
        if !self.is_generated(id) {
            return None;
        }
        let ty = self.schema.ty(id);
        match &ty.kind {
            TypeKind::Builtin(_) | TypeKind::Array(_) => None,
            TypeKind::Enum(enumeration) => self
                .enumeration(id, ty.common.doc.as_ref(), enumeration)
                .map(TypePlan::Enum),
            TypeKind::Object(object) => self.object(id, object, module),
            TypeKind::Alternate(alternate) => self
                .alternate(id, &ty.common, alternate, module)
                .map(TypePlan::Alternate),
        }
    }

    /// Returns the name of the variant for values that the schema does not list,
    /// or `None` if the enumeration is closed. The name is not always `Unknown`,
    /// because a value may have that name.
    fn unknown_variant(&self, id: TypeId) -> Option<Ident> {
        let ty = self.schema.ty(id);
        let TypeKind::Enum(enumeration) = &ty.kind else {
            return None;
        };
        let is_free = |ident: &Ident| {
            enumeration
                .values
                .iter()
                .all(|value| name::camel(&value.name) != *ident)
        };
        if !self.graph.is_open(id) {
            return None;
        }
        let numbered = (2_u32..).map(|number| format!("unknown-{number}"));
        let candidates = ["unknown", "unknown-value", "not-in-schema"].map(str::to_owned);
        let candidates = candidates.into_iter().chain(numbered);
        candidates.map(|name| name::camel(&name)).find(is_free)
    }

    /// Plans an enumeration.
    fn enumeration(
        &self,
        id: TypeId,
        doc: Option<&'s Doc>,
        enumeration: &'s Enum,
    ) -> Option<EnumPlan> {
        let mut values = Vec::with_capacity(enumeration.values.len());
        values.extend(
            enumeration
                .values
                .iter()
                .filter_map(|value| self.value(id, value, doc)),
        );
        let unknown = self.unknown_variant(id);
        let copy = unknown.is_none().then_some("Copy");
        let derives: Vec<&str> = ["PartialOrd", "Ord"].into_iter().chain(copy).collect();
        Some(EnumPlan {
            head: self.head(Entity::Type(id), self.graph.is_exact(id), &derives)?,
            values,
            unknown,
        })
    }

    /// Plans the properties of a value of an enumeration, which is the variant of
    /// a type: the enumeration itself, or a union.
    pub(super) fn value(
        &self,
        id: TypeId,
        value: &'s EnumValue,
        doc: Option<&'s Doc>,
    ) -> Option<Head> {
        self.part(
            Entity::Type(id),
            name::camel(&value.name),
            &value.name,
            value.cond.as_ref(),
            &value.features,
            doc,
        )
    }

    /// Plans a struct or a union.
    fn object(&self, id: TypeId, object: &'s Object, module: ModuleId) -> Option<TypePlan> {
        let place = Place::Module(module);
        let Some(branches) = &object.branches else {
            let fields = self.fields(id, None, place);
            let default: &[&str] = match fields.iter().all(|field| field.optional) {
                true => &["Default"],
                false => &[],
            };
            let head = self.head(Entity::Type(id), self.graph.is_exact(id), default)?;
            return Some(TypePlan::Struct(StructPlan { head, fields }));
        };
        let field = |(member, doc): (&'s Member, Option<&'s Doc>)| {
            Some(if member.name == branches.tag {
                UnionField::Tag(self.member(id, member, doc)?)
            } else {
                UnionField::Plain(self.field(id, member, doc, place)?)
            })
        };
        let head = self.head(Entity::Type(id), self.graph.is_exact(id), &[])?;
        Some(TypePlan::Union(UnionPlan {
            branch_ident: format_ident!("{}Branch", head.ident),
            head,
            fields: self
                .members(id, None)
                .into_iter()
                .filter_map(field)
                .collect(),
            tag_ty: self.names.ty(branches.tag_type, place),
            unknown: self.unknown_variant(branches.tag_type),
            branches: self.branches(id, branches, place),
        }))
    }

    /// Returns whether a type is the empty object that replaces a missing type.
    pub(super) fn is_empty(&self, id: TypeId) -> bool {
        match &self.schema.ty(id).kind {
            TypeKind::Object(object) => object.origin == ObjectOrigin::Empty,
            _ => false,
        }
    }

    /// Plans the fields for all members of an object type, those of its base
    /// first. Members of a type without documentation are described by `owner`.
    pub(super) fn fields(
        &self,
        id: TypeId,
        owner: Option<&'s Doc>,
        place: Place,
    ) -> Vec<FieldPlan> {
        let members = self.members(id, owner);
        // Reserve the exact capacity, because a field is large and a growing
        // vector allocates twice what it needs.
        let mut fields = Vec::with_capacity(members.len());
        let planned = members.into_iter();
        fields.extend(planned.filter_map(|(member, doc)| self.field(id, member, doc, place)));
        fields
    }

    /// Plans the field for a member. Returns `None` if the configuration leaves
    /// it out.
    fn field(
        &self,
        holder: TypeId,
        member: &'s Member,
        doc: Option<&'s Doc>,
        place: Place,
    ) -> Option<FieldPlan> {
        let ty = self.boxed_if_recursive(holder, member.ty, place);
        Some(FieldPlan {
            head: self.member(holder, member, doc)?,
            ty: if member.optional {
                self.names.option(ty)
            } else {
                ty
            },
            optional: member.optional,
        })
    }

    /// Plans the properties of a member of an object type.
    fn member(&self, holder: TypeId, member: &'s Member, doc: Option<&'s Doc>) -> Option<Head> {
        self.part(
            Entity::Type(holder),
            name::snake(&member.name),
            &member.name,
            member.cond.as_ref(),
            &member.features,
            doc,
        )
    }

    /// Returns the Rust type of a member, in a box if the type of the member
    /// contains the type that has it.
    pub(super) fn boxed_if_recursive(
        &self,
        holder: TypeId,
        held: TypeId,
        place: Place,
    ) -> TokenStream {
        let ty = self.names.ty(held, place);
        if self.graph.is_recursive(holder, held) {
            self.names.boxed(ty)
        } else {
            ty
        }
    }

    /// Returns all members of an object type, those of its base first, each with
    /// the documentation block that describes it.
    pub(super) fn members(
        &self,
        id: TypeId,
        owner: Option<&'s Doc>,
    ) -> Vec<(&'s Member, Option<&'s Doc>)> {
        let mut chain = Vec::new();
        let mut next = Some(id);
        while let Some(id) = next {
            let ty = self.schema.ty(id);
            let TypeKind::Object(object) = &ty.kind else {
                break;
            };
            chain.push((object, ty.common.doc.as_ref()));
            next = object.base;
        }
        // The members of an inline base are described by the union, and inline
        // arguments by their command.
        let outermost = chain.first().and_then(|(_, doc)| *doc).or(owner);
        chain
            .into_iter()
            .rev()
            .flat_map(|(object, doc)| {
                object
                    .members
                    .iter()
                    .map(move |member| (member, doc.or(outermost)))
            })
            .collect()
    }
}

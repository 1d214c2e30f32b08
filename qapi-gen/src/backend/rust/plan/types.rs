//! Planning of types: enums, structs, unions, alternates. What unions and
//! alternates choose from is in `branches.rs`.
//!
//! In: one type of the schema. Out: its plan. The shapes are described in the
//! crate's documentation, under "What Rust looks like".

use proc_macro2::{Ident, TokenStream};
use quote::format_ident;

use super::features::FeaturesPlan;
use super::{Planner, TypePlan};
use crate::backend::rust::cfg::Presence;
use crate::backend::rust::name;
use crate::backend::rust::paths::Place;
use crate::backend::rust::placeholder::TextRef;
use crate::schema::{
    Common, Doc, Entity, Enum, Member, ModuleId, Object, ObjectOrigin, TypeId, TypeKind,
};
use crate::source::Span;

/// What every planned type has.
pub(crate) struct Head {
    pub(crate) ident: Ident,
    /// The name in the schema.
    pub(crate) wire: String,
    pub(crate) cfg: Presence,
    pub(crate) docs: Option<TextRef>,
    pub(crate) features: FeaturesPlan,
    /// The attribute that derives the traits.
    pub(crate) derives: TokenStream,
    /// What the caller adds.
    pub(crate) attributes: TokenStream,
    pub(crate) span: Option<Span>,
}

/// An enumeration.
pub(crate) struct EnumPlan {
    pub(crate) head: Head,
    pub(crate) values: Vec<ValuePlan>,
    /// The variant that keeps values which the schema does not list.
    pub(crate) unknown: Option<Ident>,
}

/// A value of an enumeration.
pub(crate) struct ValuePlan {
    pub(crate) ident: Ident,
    pub(crate) wire: String,
    pub(crate) cfg: Presence,
    pub(crate) docs: Option<TextRef>,
    pub(crate) features: FeaturesPlan,
    pub(crate) attributes: TokenStream,
}

/// A struct.
pub(crate) struct StructPlan {
    pub(crate) head: Head,
    pub(crate) fields: Vec<FieldPlan>,
}

/// A member that becomes a field.
pub(crate) struct FieldPlan {
    pub(crate) ident: Ident,
    pub(crate) wire: String,
    /// The field's type, with its box and its option.
    pub(crate) ty: TokenStream,
    pub(crate) optional: bool,
    pub(crate) cfg: Presence,
    pub(crate) docs: Option<TextRef>,
    pub(crate) features: FeaturesPlan,
    pub(crate) attributes: TokenStream,
}

/// A union: a struct whose discriminator is an enum that holds the branches.
pub(crate) struct UnionPlan {
    pub(crate) head: Head,
    /// The base's members in schema order, the discriminator in its place.
    pub(crate) fields: Vec<UnionField>,
    /// The name of the enum that holds the branches.
    pub(crate) branch_ident: Ident,
    /// The discriminator's type.
    pub(crate) tag_ty: TokenStream,
    /// The discriminator's variant for values that the schema does not list;
    /// the branch enum has one of the same name.
    pub(crate) unknown: Option<Ident>,
    pub(crate) branches: Vec<BranchPlan>,
}

/// A field of a union's struct.
pub(crate) enum UnionField {
    Plain(FieldPlan),
    /// The discriminator, which the language lets have no condition.
    Tag {
        ident: Ident,
        wire: String,
        docs: Option<TextRef>,
        features: FeaturesPlan,
        attributes: TokenStream,
    },
}

/// A value of a union's discriminator. One that has a branch in some
/// configurations only is there twice, never both at once.
pub(crate) struct BranchPlan {
    pub(crate) ident: Ident,
    pub(crate) wire: String,
    /// What it carries; `None`: nothing.
    pub(crate) ty: Option<TokenStream>,
    pub(crate) cfg: Presence,
    pub(crate) docs: Option<TextRef>,
    pub(crate) features: FeaturesPlan,
    pub(crate) attributes: TokenStream,
}

/// An alternate.
pub(crate) struct AlternatePlan {
    pub(crate) head: Head,
    pub(crate) branches: Vec<AlternateBranchPlan>,
}

/// A branch of an alternate.
pub(crate) struct AlternateBranchPlan {
    pub(crate) ident: Ident,
    pub(crate) wire: String,
    pub(crate) ty: TokenStream,
    /// Its JSON type, as a variant of `qapi_wire::Kind`.
    pub(crate) kind: Ident,
    pub(crate) cfg: Presence,
    pub(crate) docs: Option<TextRef>,
    pub(crate) attributes: TokenStream,
}

impl<'s> Planner<'_, 's> {
    /// Plans a named type; built-in, array and implicit types have none.
    pub(super) fn ty(&self, id: TypeId, module: ModuleId) -> Option<TypePlan> {
        if !self.is_generated(id) {
            return None;
        }
        let ty = self.schema.ty(id);
        match &ty.kind {
            TypeKind::Builtin(_) | TypeKind::Array(_) => None,
            TypeKind::Enum(enumeration) => self
                .enumeration(id, &ty.common, enumeration)
                .map(TypePlan::Enum),
            TypeKind::Object(object) => self.object(id, &ty.common, object, module),
            TypeKind::Alternate(alternate) => self
                .alternate(id, &ty.common, alternate, module)
                .map(TypePlan::Alternate),
        }
    }

    /// What every type has; `None`: the configuration leaves it out.
    pub(super) fn head(
        &self,
        id: TypeId,
        common: &'s Common,
        further_derives: &[&str],
    ) -> Option<Head> {
        let entity = Entity::Type(id);
        Some(Head {
            ident: name::camel(&common.name),
            wire: common.name.to_string(),
            cfg: self
                .conditions
                .presence(common.cond.as_ref())
                .unless_never()?,
            docs: self.docs(common),
            features: self.features(&common.features, common.doc.as_ref()),
            derives: self.derives(entity, self.graph.is_exact(id), further_derives),
            attributes: self.additions.attributes(entity),
            span: common.span,
        })
    }

    /// The name of an enumeration's variant for values that the schema does
    /// not list; `None` if it is closed. A value may be called `unknown`.
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

    fn enumeration(
        &self,
        id: TypeId,
        common: &'s Common,
        enumeration: &'s Enum,
    ) -> Option<EnumPlan> {
        let doc = common.doc.as_ref();
        let mut values = Vec::with_capacity(enumeration.values.len());
        values.extend(enumeration.values.iter().filter_map(|value| {
            Some(ValuePlan {
                ident: name::camel(&value.name),
                wire: value.name.to_string(),
                cfg: self
                    .conditions
                    .presence(value.cond.as_ref())
                    .unless_never()?,
                docs: self.member_docs(doc, &value.name, &value.features),
                features: self.features(&value.features, doc),
                attributes: self.additions.member(Entity::Type(id), &value.name),
            })
        }));
        let unknown = self.unknown_variant(id);
        let copy = unknown.is_none().then_some("Copy");
        let derives: Vec<&str> = ["PartialOrd", "Ord"].into_iter().chain(copy).collect();
        Some(EnumPlan {
            head: self.head(id, common, &derives)?,
            values,
            unknown,
        })
    }

    fn object(
        &self,
        id: TypeId,
        common: &'s Common,
        object: &'s Object,
        module: ModuleId,
    ) -> Option<TypePlan> {
        let place = Place::Module(module);
        let Some(branches) = &object.branches else {
            let fields = self.fields(id, None, place);
            let default: &[&str] = match fields.iter().all(|field| field.optional) {
                true => &["Default"],
                false => &[],
            };
            let head = self.head(id, common, default)?;
            return Some(TypePlan::Struct(StructPlan { head, fields }));
        };
        let field = |(member, doc): (&'s Member, Option<&'s Doc>)| {
            Some(if member.name == branches.tag {
                UnionField::Tag {
                    ident: name::snake(&member.name),
                    wire: member.name.to_string(),
                    docs: self.member_docs(doc, &member.name, &member.features),
                    features: self.features(&member.features, doc),
                    attributes: self.additions.member(Entity::Type(id), &member.name),
                }
            } else {
                UnionField::Plain(self.field(id, member, doc, place)?)
            })
        };
        let head = self.head(id, common, &[])?;
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

    /// Whether it is the object type without members that stands for none.
    pub(super) fn is_empty(&self, id: TypeId) -> bool {
        match &self.schema.ty(id).kind {
            TypeKind::Object(object) => object.origin == ObjectOrigin::Empty,
            _ => false,
        }
    }

    /// The fields for all members of an object type, its base's first. What
    /// has no documentation of its own has that of `owner`.
    pub(super) fn fields(
        &self,
        id: TypeId,
        owner: Option<&'s Doc>,
        place: Place,
    ) -> Vec<FieldPlan> {
        let members = self.members(id, owner);
        // A field is large: room is made for those that there can be.
        let mut fields = Vec::with_capacity(members.len());
        let planned = members.into_iter();
        fields.extend(planned.filter_map(|(member, doc)| self.field(id, member, doc, place)));
        fields
    }

    /// The field for a member; `None`: the configuration leaves it out.
    fn field(
        &self,
        holder: TypeId,
        member: &'s Member,
        doc: Option<&'s Doc>,
        place: Place,
    ) -> Option<FieldPlan> {
        let ty = self.boxed_if_recursive(holder, member.ty, place);
        Some(FieldPlan {
            ident: name::snake(&member.name),
            wire: member.name.to_string(),
            ty: if member.optional {
                self.names.option(ty)
            } else {
                ty
            },
            optional: member.optional,
            cfg: self
                .conditions
                .presence(member.cond.as_ref())
                .unless_never()?,
            docs: self.member_docs(doc, &member.name, &member.features),
            features: self.features(&member.features, doc),
            attributes: self.additions.member(Entity::Type(holder), &member.name),
        })
    }

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

    /// All members of an object type, its base's first, each with the
    /// documentation block that describes it.
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
        // An inline base has no documentation of its own: the union has. Nor
        // have arguments: the command has.
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

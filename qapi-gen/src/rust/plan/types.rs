//! Planning of types: enums, structs, unions, alternates.
//!
//! In: one type of the schema. Out: its plan. The shapes are described in the
//! crate's documentation, under "What Rust looks like".

use proc_macro2::{Ident, Span as TokenSpan, TokenStream};
use quote::format_ident;

use super::{Planner, TypePlan, is_deprecated};
use crate::rust::doc::DocRef;
use crate::rust::name;
use crate::rust::paths::Place;
use crate::schema::{
    Alternate, Branches, Builtin, Common, Doc, Enum, Member, ModuleId, Object, ObjectOrigin,
    TypeId, TypeKind,
};
use crate::source::Span;

/// What every planned type has.
pub(crate) struct Head {
    pub(crate) ident: Ident,
    /// The name in the schema.
    pub(crate) wire: String,
    pub(crate) docs: DocRef,
    pub(crate) deprecated: bool,
    /// Whether it can be compared exactly and hashed.
    pub(crate) exact: bool,
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
    pub(crate) docs: DocRef,
    pub(crate) deprecated: bool,
}

/// A struct.
pub(crate) struct StructPlan {
    pub(crate) head: Head,
    pub(crate) fields: Vec<FieldPlan>,
    /// Whether every member may be absent.
    pub(crate) default: bool,
}

/// A member that becomes a field.
pub(crate) struct FieldPlan {
    pub(crate) ident: Ident,
    pub(crate) wire: String,
    /// The field's type, with its box and its option.
    pub(crate) ty: TokenStream,
    pub(crate) optional: bool,
    pub(crate) docs: DocRef,
    pub(crate) deprecated: bool,
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
    Tag {
        ident: Ident,
        wire: String,
        docs: DocRef,
    },
}

/// A value of a union's discriminator.
pub(crate) struct BranchPlan {
    pub(crate) ident: Ident,
    pub(crate) wire: String,
    /// What it carries; `None`: nothing.
    pub(crate) ty: Option<TokenStream>,
    pub(crate) docs: DocRef,
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
    pub(crate) docs: DocRef,
}

impl Planner<'_> {
    /// Plans a named type; built-in, array and implicit types have none.
    pub(super) fn ty(&self, id: TypeId, module: ModuleId) -> Option<TypePlan> {
        let ty = self.schema.ty(id);
        if !self.includes(&ty.common) {
            return None;
        }
        match &ty.kind {
            TypeKind::Builtin(_) | TypeKind::Array(_) => None,
            TypeKind::Enum(_) if ty.common.name == "QType" && !self.is_used(id) => None,
            TypeKind::Enum(enumeration) => Some(TypePlan::Enum(self.enumeration(
                id,
                &ty.common,
                enumeration,
            ))),
            TypeKind::Object(object) => match object.origin {
                ObjectOrigin::Struct | ObjectOrigin::Union => {
                    Some(self.object(id, &ty.common, object, module))
                }
                ObjectOrigin::InlineBase | ObjectOrigin::InlineArguments | ObjectOrigin::Empty => {
                    None
                }
            },
            TypeKind::Alternate(alternate) => Some(TypePlan::Alternate(
                self.alternate(id, &ty.common, alternate, module),
            )),
        }
    }

    /// Whether any member or branch has this type.
    fn is_used(&self, id: TypeId) -> bool {
        self.schema.types().any(|(_, ty)| match &ty.kind {
            TypeKind::Object(object) => object.members.iter().any(|member| member.ty == id),
            TypeKind::Array(element) => *element == id,
            _ => false,
        })
    }

    fn head(&self, id: TypeId, common: &Common) -> Head {
        Head {
            ident: name::camel(&common.name),
            wire: common.name.clone(),
            docs: self.docs(common),
            deprecated: is_deprecated(&common.features),
            exact: self.graph.is_exact(id),
            span: common.span,
        }
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
        let mut candidates = ["unknown", "unknown-value", "not-in-schema"]
            .into_iter()
            .map(name::camel);
        candidates.find(is_free).filter(|_| self.graph.is_open(id))
    }

    fn enumeration(&self, id: TypeId, common: &Common, enumeration: &Enum) -> EnumPlan {
        let doc = common.doc.as_ref();
        let values = enumeration
            .values
            .iter()
            .filter(|value| self.includes_part(value.cond.as_ref()))
            .map(|value| ValuePlan {
                ident: name::camel(&value.name),
                wire: value.name.clone(),
                docs: self.member_docs(doc, &value.name, &value.features),
                deprecated: is_deprecated(&value.features),
            })
            .collect();
        EnumPlan {
            head: self.head(id, common),
            values,
            unknown: self.unknown_variant(id),
        }
    }

    fn object(&self, id: TypeId, common: &Common, object: &Object, module: ModuleId) -> TypePlan {
        let head = self.head(id, common);
        let place = Place::Module(module);
        let Some(branches) = &object.branches else {
            let fields = self.fields(id, place);
            let default = fields.iter().all(|field| field.optional);
            return TypePlan::Struct(StructPlan {
                head,
                fields,
                default,
            });
        };
        let fields = self
            .members(id)
            .into_iter()
            .map(|(member, doc)| {
                if member.name == branches.tag {
                    UnionField::Tag {
                        ident: name::snake(&member.name),
                        wire: member.name.clone(),
                        docs: self.member_docs(doc, &member.name, &member.features),
                    }
                } else {
                    UnionField::Plain(self.field(id, member, doc, place))
                }
            })
            .collect();
        TypePlan::Union(UnionPlan {
            branch_ident: format_ident!("{}Branch", head.ident),
            head,
            fields,
            tag_ty: self.names.ty(branches.tag_type, place),
            unknown: self.unknown_variant(branches.tag_type),
            branches: self.branches(id, branches, place),
        })
    }

    /// One for every value of the discriminator, with or without a branch.
    fn branches(&self, id: TypeId, branches: &Branches, place: Place) -> Vec<BranchPlan> {
        let tag = self.schema.ty(branches.tag_type);
        let TypeKind::Enum(enumeration) = &tag.kind else {
            return Vec::new();
        };
        let values = enumeration.values.iter();
        values
            .filter(|value| self.includes_part(value.cond.as_ref()))
            .map(|value| {
                let branch = branches.list.iter().find(|branch| {
                    branch.name == value.name
                        && self.includes_part(branch.cond.as_ref())
                        && !self.is_empty(branch.ty)
                });
                BranchPlan {
                    ident: name::camel(&value.name),
                    wire: value.name.clone(),
                    ty: branch.map(|branch| self.boxed_if_recursive(id, branch.ty, place)),
                    docs: self.member_docs(tag.common.doc.as_ref(), &value.name, &value.features),
                }
            })
            .collect()
    }

    fn alternate(
        &self,
        id: TypeId,
        common: &Common,
        alternate: &Alternate,
        module: ModuleId,
    ) -> AlternatePlan {
        let branches = alternate
            .branches
            .iter()
            .filter(|branch| self.includes_part(branch.cond.as_ref()))
            .map(|branch| AlternateBranchPlan {
                ident: name::camel(&branch.name),
                wire: branch.name.clone(),
                ty: self.boxed_if_recursive(id, branch.ty, Place::Module(module)),
                kind: Ident::new(self.json_kind(branch.ty), TokenSpan::call_site()),
                docs: self.member_docs(common.doc.as_ref(), &branch.name, &[]),
            })
            .collect();
        AlternatePlan {
            head: self.head(id, common),
            branches,
        }
    }

    /// The JSON type that values of the type have, as `qapi_wire::Kind` names
    /// it.
    fn json_kind(&self, id: TypeId) -> &'static str {
        match &self.schema.ty(id).kind {
            TypeKind::Builtin(Builtin::Str) | TypeKind::Enum(_) => "String",
            TypeKind::Builtin(Builtin::Bool) => "Bool",
            TypeKind::Builtin(Builtin::Null) => "Null",
            TypeKind::Builtin(_) => "Number",
            TypeKind::Array(_) => "Array",
            TypeKind::Object(_) | TypeKind::Alternate(_) => "Object",
        }
    }

    /// Whether it is the object type without members that stands for none.
    pub(super) fn is_empty(&self, id: TypeId) -> bool {
        match &self.schema.ty(id).kind {
            TypeKind::Object(object) => object.origin == ObjectOrigin::Empty,
            _ => false,
        }
    }

    /// The fields for all members of an object type, its base's first.
    pub(super) fn fields(&self, id: TypeId, place: Place) -> Vec<FieldPlan> {
        self.members(id)
            .into_iter()
            .map(|(member, doc)| self.field(id, member, doc, place))
            .collect()
    }

    fn field(&self, holder: TypeId, member: &Member, doc: Option<&Doc>, place: Place) -> FieldPlan {
        let ty = self.boxed_if_recursive(holder, member.ty, place);
        FieldPlan {
            ident: name::snake(&member.name),
            wire: member.name.clone(),
            ty: if member.optional {
                self.names.option(&ty)
            } else {
                ty
            },
            optional: member.optional,
            docs: self.member_docs(doc, &member.name, &member.features),
            deprecated: is_deprecated(&member.features),
        }
    }

    fn boxed_if_recursive(&self, holder: TypeId, held: TypeId, place: Place) -> TokenStream {
        let ty = self.names.ty(held, place);
        if self.graph.needs_box(holder, held) {
            self.names.boxed(&ty)
        } else {
            ty
        }
    }

    /// All members of an object type, its base's first, each with the
    /// documentation block that describes it.
    fn members(&self, id: TypeId) -> Vec<(&Member, Option<&Doc>)> {
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
        // An inline base has no documentation of its own: the union has.
        let outermost = chain.first().and_then(|(_, doc)| *doc);
        chain
            .into_iter()
            .rev()
            .flat_map(|(object, doc)| {
                object
                    .members
                    .iter()
                    .map(move |member| (member, doc.or(outermost)))
            })
            .filter(|(member, _)| self.includes_part(member.cond.as_ref()))
            .collect()
    }
}

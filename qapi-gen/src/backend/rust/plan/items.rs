//! The data of a plan.
//!
//! In: the decisions of the planner. Out: the names, types, attributes and
//! documentation of every Rust item. `emit/` reads this and decides nothing.

use std::collections::BTreeMap;

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use crate::analysis::schema_info::Info;
use crate::backend::rust::cfg::Presence;
use crate::backend::rust::options::Layout;
use crate::backend::rust::placeholder::Placeholder;
use crate::backend::rust::ty::Prelude;
use crate::schema::ModuleId;
use crate::source::Span;

/// The plan of everything that concerns all modules.
pub(crate) struct Plan<'s> {
    /// The modules that have items, in schema order.
    pub(crate) modules: Vec<ModuleOutline>,
    /// The features of definitions and members, by path.
    pub(crate) features: FeatureTable,
    /// The schema as data, or `None` if the caller does not want it.
    pub(crate) introspection: Option<Vec<Info<'s, Presence>>>,
    pub(crate) layout: Layout,
    /// `true` if items have the schema's documentation.
    pub(crate) docs: bool,
}

/// The plan of a module, which is one schema file.
pub(crate) struct ModulePlan {
    pub(crate) id: ModuleId,
    /// The schema file, as the schema names it.
    pub(crate) file: String,
    pub(crate) ident: Ident,
    pub(crate) prelude: Prelude,
    pub(crate) types: Vec<TypePlan>,
    pub(crate) commands: Vec<CommandPlan>,
    pub(crate) events: Vec<EventPlan>,
}

/// The plan of a generated type.
pub(crate) enum TypePlan {
    Enum(EnumPlan),
    Struct(StructPlan),
    Union(UnionPlan),
    Alternate(AlternatePlan),
}

/// The parts of a module that the other modules must know.
pub(crate) struct ModuleOutline {
    pub(crate) id: ModuleId,
    /// The schema file, as the schema names it.
    pub(crate) file: String,
    pub(crate) ident: Ident,
    /// The path of the module, as seen from the root.
    pub(crate) path: TokenStream,
    /// Whether the code is in another crate, so that it is not generated here.
    pub(crate) external: bool,
    pub(crate) commands: Vec<EntityOutline>,
    pub(crate) events: Vec<EntityOutline>,
}

/// The parts of a command or an event that the root must know.
pub(crate) struct EntityOutline {
    pub(crate) wire: String,
    pub(crate) span: Option<Span>,
    pub(crate) cfg: Presence,
    /// The name of the struct in module `commands` or `events`, and of an event
    /// in the enum of all events.
    pub(crate) ident: Ident,
}

/// The properties that definitions share with their members, values and branches.
#[derive(Clone)]
pub(crate) struct Head {
    pub(crate) ident: Ident,
    /// The name in the schema.
    pub(crate) wire: String,
    pub(crate) cfg: Presence,
    pub(crate) docs: Option<Placeholder>,
    pub(crate) features: FeaturesPlan,
    /// The attribute that derives traits, or nothing for a part of a definition.
    pub(crate) derives: TokenStream,
    /// The attributes that the caller adds.
    pub(crate) attributes: TokenStream,
    /// The place of a definition. Messages show no place of a part.
    pub(crate) span: Option<Span>,
}

/// An enumeration.
pub(crate) struct EnumPlan {
    pub(crate) head: Head,
    pub(crate) values: Vec<Head>,
    /// The variant for values that the schema does not list, if the enumeration
    /// is open.
    pub(crate) unknown: Option<Ident>,
}

/// A struct.
pub(crate) struct StructPlan {
    pub(crate) head: Head,
    pub(crate) fields: Vec<FieldPlan>,
}

/// A member that becomes a field.
pub(crate) struct FieldPlan {
    pub(crate) head: Head,
    /// The type of the field, including its box and its option.
    pub(crate) ty: TokenStream,
    pub(crate) optional: bool,
}

/// A union: a struct whose discriminator is an enum that holds the branches.
pub(crate) struct UnionPlan {
    pub(crate) head: Head,
    /// The members of the base in schema order, including the discriminator.
    pub(crate) fields: Vec<UnionField>,
    /// The name of the enum that holds the branches.
    pub(crate) branch_ident: Ident,
    /// The type of the discriminator.
    pub(crate) tag_ty: TokenStream,
    /// The discriminator's variant for values that the schema does not list, if
    /// there is one. The branch enum has a variant of the same name.
    pub(crate) unknown: Option<Ident>,
    pub(crate) branches: Vec<BranchPlan>,
}

/// A field of a union's struct.
pub(crate) enum UnionField {
    Plain(FieldPlan),
    /// The discriminator, on which the schema language allows no condition.
    Tag(Head),
}

/// A value of a union's discriminator. A value that has a branch in some
/// configurations only has two plans, of which each configuration has one.
pub(crate) struct BranchPlan {
    pub(crate) head: Head,
    /// The type of the branch, or `None` if the value has no branch.
    pub(crate) ty: Option<TokenStream>,
}

/// An alternate.
pub(crate) struct AlternatePlan {
    pub(crate) head: Head,
    pub(crate) branches: Vec<AlternateBranchPlan>,
}

/// A branch of an alternate.
pub(crate) struct AlternateBranchPlan {
    pub(crate) head: Head,
    pub(crate) ty: TokenStream,
    /// The JSON type of the branch, as a variant of `qapi_wire::Kind`.
    pub(crate) kind: Ident,
}

/// A command.
pub(crate) struct CommandPlan {
    /// The properties of the request, a struct in module `commands`.
    pub(crate) head: Head,
    /// The name of the handler.
    pub(crate) method: Ident,
    pub(crate) arguments: Arguments,
    /// The type of the reply as seen from the module, or `None` for the empty
    /// object.
    pub(crate) reply: Option<TokenStream>,
    /// The type of the reply as seen from module `commands`.
    pub(crate) reply_in_request: Option<TokenStream>,
    pub(crate) handler: Handler,
    pub(crate) allow_oob: bool,
    pub(crate) allow_preconfig: bool,
    pub(crate) success_response: bool,
    pub(crate) coroutine: bool,
}

/// The way in which a handler takes arguments and returns a reply.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handler {
    /// Typed arguments, a typed reply.
    Typed,
    /// Typed arguments; the handler writes the reply into the output.
    Direct,
    /// The arguments' tree, the reply's tree: `'gen': false`.
    Raw,
}

/// An event.
pub(crate) struct EventPlan {
    /// The properties of the struct in module `events`.
    pub(crate) head: Head,
    pub(crate) data: Arguments,
}

/// The arguments of a command, or the data of an event.
pub(crate) enum Arguments {
    /// No arguments, or no data.
    None,
    /// Members that the schema lists in place. They become the fields of the
    /// request or the event.
    Inline { fields: Vec<FieldPlan> },
    /// A type of the schema. The request or the event is a struct with one field
    /// of this type.
    Named {
        /// The type as seen from the module.
        ty: TokenStream,
        /// The type as seen from module `commands` or `events`.
        inner: TokenStream,
    },
}

/// The features of a definition or of a member.
#[derive(Clone)]
pub(crate) struct FeaturesPlan {
    /// In schema order.
    pub(crate) list: Vec<FeaturePlan>,
    /// The schema's documentation of the feature `deprecated`, if there is any.
    pub(crate) note: Option<String>,
}

/// A feature.
#[derive(Clone)]
pub(crate) struct FeaturePlan {
    pub(crate) name: String,
    pub(crate) cfg: Presence,
}

/// The presence and the features of everything that has features, by path.
pub(crate) type FeatureTable = BTreeMap<String, (Presence, Vec<FeaturePlan>)>;

impl TypePlan {
    /// Returns the properties that all types have.
    pub(crate) fn head(&self) -> &Head {
        match self {
            Self::Enum(plan) => &plan.head,
            Self::Struct(plan) => &plan.head,
            Self::Union(plan) => &plan.head,
            Self::Alternate(plan) => &plan.head,
        }
    }

    /// Returns the properties of the members, values or branches.
    pub(super) fn parts(&self) -> Vec<&Head> {
        match self {
            Self::Enum(plan) => plan.values.iter().collect(),
            Self::Struct(plan) => plan.fields.iter().map(|field| &field.head).collect(),
            Self::Union(plan) => {
                let heads = plan.fields.iter().map(|field| match field {
                    UnionField::Plain(field) => &field.head,
                    UnionField::Tag(head) => head,
                });
                heads.collect()
            }
            Self::Alternate(plan) => plan.branches.iter().map(|branch| &branch.head).collect(),
        }
    }
}

impl Arguments {
    /// Returns the properties of the members that are listed in place.
    pub(super) fn parts(&self) -> Vec<&Head> {
        match self {
            Self::Inline { fields } => fields.iter().map(|field| &field.head).collect(),
            Self::None | Self::Named { .. } => Vec::new(),
        }
    }
}

impl Plan<'_> {
    /// Returns the modules that are generated.
    pub(crate) fn own_modules(&self) -> impl Iterator<Item = &ModuleOutline> {
        self.modules.iter().filter(|module| !module.external)
    }

    /// Returns the modules whose code is in another crate.
    pub(crate) fn external_modules(&self) -> impl Iterator<Item = &ModuleOutline> {
        self.modules.iter().filter(|module| module.external)
    }
}

impl ModulePlan {
    /// Returns whether the module has no items.
    pub(super) fn is_empty(&self) -> bool {
        self.types.is_empty() && self.commands.is_empty() && self.events.is_empty()
    }
}

impl CommandPlan {
    /// Returns the type of the request as seen from the module.
    pub(crate) fn request_path(&self) -> TokenStream {
        let request = &self.head.ident;
        quote!(commands::#request)
    }
}

impl FeaturesPlan {
    /// Returns the configurations with the feature `deprecated`, or `None` if no
    /// configuration has it.
    pub(crate) fn deprecated(&self) -> Option<&Presence> {
        self.when("deprecated")
    }

    /// Returns the configurations with the feature `unstable`, or `None` if no
    /// configuration has it.
    pub(crate) fn unstable(&self) -> Option<&Presence> {
        self.when("unstable")
    }

    fn when(&self, name: &str) -> Option<&Presence> {
        let feature = self.list.iter().find(|feature| feature.name == name)?;
        Some(&feature.cfg)
    }
}

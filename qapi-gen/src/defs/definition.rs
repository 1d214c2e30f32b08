//! Typed definitions, still with unresolved names.
//!
//! In: the parts that the other files of this folder read. Out: data for
//! `schema/build/`. Nothing is checked here.

use std::borrow::Cow;

use crate::cond::Cond;
use crate::diag::DefinitionKind;
use crate::load::ModuleIndex;
use crate::source::Span;
use crate::syntax::DocBlock;

/// A definition.
#[derive(Debug)]
pub(crate) struct Definition<'s> {
    pub(crate) module: ModuleIndex,
    pub(crate) name: Name<'s>,
    pub(crate) span: Span,
    pub(crate) doc: Option<DocBlock>,
    pub(crate) cond: Option<Cond>,
    pub(crate) features: Box<[Feature<'s>]>,
    pub(crate) body: Body<'s>,
}

/// A name and its place.
#[derive(Clone, Debug)]
pub(crate) struct Name<'s> {
    pub(crate) text: Cow<'s, str>,
    pub(crate) span: Span,
}

/// A feature.
#[derive(Debug)]
pub(crate) struct Feature<'s> {
    pub(crate) name: Name<'s>,
    pub(crate) cond: Option<Cond>,
}

/// The keys that only one kind of definition has.
#[derive(Debug)]
pub(crate) enum Body<'s> {
    Enum {
        prefix: Option<Cow<'s, str>>,
        values: Box<[Value<'s>]>,
    },
    Struct {
        base: Option<Name<'s>>,
        members: Box<[Member<'s>]>,
    },
    Union {
        base: Members<'s>,
        discriminator: Name<'s>,
        branches: Box<[Branch<'s>]>,
    },
    Alternate {
        branches: Box<[Branch<'s>]>,
    },
    Command {
        arguments: Option<Members<'s>>,
        returns: Option<TypeRef<'s>>,
        flags: Flags,
    },
    Event {
        arguments: Option<Members<'s>>,
        boxed: bool,
    },
}

impl Body<'_> {
    /// Returns the kind of definition.
    pub(crate) fn kind(&self) -> DefinitionKind {
        match self {
            Self::Enum { .. } => DefinitionKind::Enum,
            Self::Struct { .. } => DefinitionKind::Struct,
            Self::Union { .. } => DefinitionKind::Union,
            Self::Alternate { .. } => DefinitionKind::Alternate,
            Self::Command { .. } => DefinitionKind::Command,
            Self::Event { .. } => DefinitionKind::Event,
        }
    }
}

/// The flags of a command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flags {
    pub(crate) boxed: bool,
    pub(crate) gen_code: bool,
    pub(crate) success_response: bool,
    pub(crate) allow_oob: bool,
    pub(crate) allow_preconfig: bool,
    pub(crate) coroutine: bool,
}

/// A value of an enum.
#[derive(Debug)]
pub(crate) struct Value<'s> {
    pub(crate) name: Name<'s>,
    pub(crate) cond: Option<Cond>,
    pub(crate) features: Box<[Feature<'s>]>,
}

/// Members, either inline or those of a named type.
#[derive(Debug)]
pub(crate) enum Members<'s> {
    Of(Name<'s>),
    Inline(Box<[Member<'s>]>),
}

/// A member.
#[derive(Debug)]
pub(crate) struct Member<'s> {
    /// The name, without the `*` of an optional member.
    pub(crate) name: Name<'s>,
    pub(crate) optional: bool,
    pub(crate) ty: TypeRef<'s>,
    pub(crate) cond: Option<Cond>,
    pub(crate) features: Box<[Feature<'s>]>,
}

/// A branch of a union or an alternate.
#[derive(Debug)]
pub(crate) struct Branch<'s> {
    pub(crate) name: Name<'s>,
    pub(crate) ty: TypeRef<'s>,
    pub(crate) cond: Option<Cond>,
}

/// A use of a type.
#[derive(Clone, Debug)]
pub(crate) enum TypeRef<'s> {
    Named(Name<'s>),
    ArrayOf(Name<'s>),
}

/// An item of a schema, with its expression turned into a definition.
#[derive(Debug)]
pub(crate) enum DefItem<'s> {
    Definition(Box<Definition<'s>>),
    FreeForm {
        module: ModuleIndex,
        doc: DocBlock,
    },
    Include {
        module: ModuleIndex,
        included: ModuleIndex,
        span: Span,
    },
}

//! The intermediate representation: what a schema *is*, every name resolved.
//!
//! In: definitions from `defs/`. Out: a [`Schema`], which the passes in
//! `check/` read, and a [`CheckedSchema`] if they find no error, which the back
//! ends read. Back ends and the wording of messages are not known here.
//!
//! Definitions are in arenas and refer to each other by id. All containers
//! keep schema order, so that the same input always gives the same output.

use rustc_hash::FxHashMap as HashMap;

use crate::rules::Rules;
use crate::source::{Excerpt, Span};

mod access;
pub(crate) mod build;
pub(crate) mod check;
mod describe;
mod doc;
mod doc_targets;
mod provenance;
mod qemu_order;
mod union_cases;

pub use crate::cond::{Cond, CondKind};
pub use crate::syntax::DocText;
pub use check::CheckedSchema;
pub use doc::{Doc, DocArg, DocSection, FreeFormDoc};
pub use union_cases::UnionCase;

/// The features that types must not have.
pub(crate) const SPECIAL_FEATURES: [&str; 2] = ["deprecated", "unstable"];

/// The depth to which objects may contain each other as bases and branches.
/// QEMU's generator, which follows them by recursion, fails at about this.
pub(crate) const CONTAINMENT_DEPTH_MAX: usize = 1000;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(crate) u32);
    )*};
}

ids! {
    /// A [`Module`] of a [`Schema`].
    ModuleId,
    /// A [`Type`] of a [`Schema`].
    TypeId,
    /// A [`Command`] of a [`Schema`].
    CommandId,
    /// An [`Event`] of a [`Schema`].
    EventId,
}

/// One definition, of whichever kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Entity {
    /// A type, built-in, named or implicit.
    Type(TypeId),
    /// A command.
    Command(CommandId),
    /// An event.
    Event(EventId),
}

/// A schema file, or the place of the built-in types.
#[derive(Clone, Debug)]
pub struct Module {
    /// The file's path relative to the main schema's folder, as QEMU names
    /// modules (`stats.json`, `../x.json`), or `./builtin`.
    pub name: String,
    /// What the file defines, implicit types included, in schema order.
    pub entities: Vec<Entity>,
    /// The free-form documentation blocks, in order.
    pub docs: Vec<FreeFormDoc>,
    /// The `include` directives, in order, repeated ones as well.
    pub includes: Vec<Include>,
}

/// An `include` directive.
#[derive(Clone, Copy, Debug)]
pub struct Include {
    /// The module that it names.
    pub module: ModuleId,
    /// How many of the including module's entities stand before it.
    pub entities_before: usize,
    /// Where it stands.
    pub span: Span,
}

/// A documentation block, in [`Schema::docs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocRef {
    /// The block of a definition.
    Definition(Entity),
    /// A free-form block: the index into its module's.
    FreeForm(ModuleId, usize),
}

/// What every definition has, whatever its kind.
#[derive(Clone, Debug)]
pub struct Common {
    /// The name in the schema; implicit types have the names that QEMU gives
    /// them (`q_obj_query-x-arg`, `intList`).
    pub name: Excerpt,
    /// The module that defines it.
    pub module: ModuleId,
    /// Where it is defined; `None` for built-in types.
    pub span: Option<Span>,
    /// Its documentation block.
    pub doc: Option<Doc>,
    /// The condition under which it exists.
    pub cond: Option<Cond>,
    /// Its features, in order.
    pub features: Box<[Feature]>,
}

/// A type.
#[derive(Clone, Debug)]
pub struct Type {
    /// Name, place, documentation, condition, features.
    pub common: Common,
    /// What kind of type it is.
    pub kind: TypeKind,
}

/// The kinds of types.
#[derive(Clone, Debug)]
pub enum TypeKind {
    /// A built-in type.
    Builtin(Builtin),
    /// An enumeration; `QType` is the one that is built in.
    Enum(Enum),
    /// An array of the given element type.
    Array(TypeId),
    /// A struct, a union, or an implicit object type.
    Object(Object),
    /// An alternate: one of several types, told apart by the JSON type.
    Alternate(Alternate),
}

/// The built-in types of the schema language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Builtin {
    /// `str`, a JSON string.
    Str,
    /// `number`, any JSON number, a double in memory.
    Number,
    /// `int`, the same as `int64`.
    Int,
    /// `int8`.
    Int8,
    /// `int16`.
    Int16,
    /// `int32`.
    Int32,
    /// `int64`.
    Int64,
    /// `uint8`.
    Uint8,
    /// `uint16`.
    Uint16,
    /// `uint32`.
    Uint32,
    /// `uint64`.
    Uint64,
    /// `size`, a `uint64` that counts bytes.
    Size,
    /// `bool`.
    Bool,
    /// `any`, whatever JSON value.
    Any,
    /// `null`, the JSON null.
    Null,
}

/// An enumeration type.
#[derive(Clone, Debug)]
pub struct Enum {
    /// The prefix that the C generator uses, if one is given.
    pub prefix: Option<Excerpt>,
    /// Its values, in order; there may be none.
    pub values: Box<[EnumValue]>,
}

/// A value of an enumeration.
#[derive(Clone, Debug)]
pub struct EnumValue {
    /// The name on the wire.
    pub name: Excerpt,
    /// Where it is defined; `None` in built-in types.
    pub span: Option<Span>,
    /// The condition under which it exists.
    pub cond: Option<Cond>,
    /// Its features.
    pub features: Box<[Feature]>,
}

/// A struct, a union, or an implicit object type.
#[derive(Clone, Debug)]
pub struct Object {
    /// Which of these it is.
    pub origin: ObjectOrigin,
    /// The type whose members come first.
    pub base: Option<TypeId>,
    /// The members it adds to its base, in order.
    pub members: Box<[Member]>,
    /// The branches, if it is a union.
    pub branches: Option<Branches>,
}

/// How an object type came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectOrigin {
    /// `'struct'` in the schema.
    Struct,
    /// `'union'` in the schema.
    Union,
    /// Members written in place: a union's base (`q_obj_X-base`).
    InlineBase,
    /// Members written in place: the arguments of a command or the data of an
    /// event (`q_obj_X-arg`).
    InlineArguments,
    /// The one object type without members, `q_empty`.
    Empty,
}

/// A member of an object.
#[derive(Clone, Debug)]
pub struct Member {
    /// The name on the wire, without the `*` of an optional one.
    pub name: Excerpt,
    /// Its type.
    pub ty: TypeId,
    /// Whether it may be absent.
    pub optional: bool,
    /// Where it is defined.
    pub span: Option<Span>,
    /// The condition under which it exists.
    pub cond: Option<Cond>,
    /// Its features.
    pub features: Box<[Feature]>,
}

/// The branches of a union.
#[derive(Clone, Debug)]
pub struct Branches {
    /// The name of the member that chooses: the discriminator. It is one of
    /// the base's members.
    pub tag: Excerpt,
    /// The discriminator's type, an enumeration.
    pub tag_type: TypeId,
    /// The branches that the schema gives, in schema order. A value of the
    /// discriminator that has none stands for the empty object.
    pub list: Box<[Branch]>,
}

/// A branch of a union or an alternate.
#[derive(Clone, Debug)]
pub struct Branch {
    /// In a union the value of the discriminator; in an alternate a name that
    /// never shows on the wire.
    pub name: Excerpt,
    /// Its type; an object type in a union.
    pub ty: TypeId,
    /// Where it is defined.
    pub span: Option<Span>,
    /// The condition under which it exists.
    pub cond: Option<Cond>,
}

/// An alternate type.
#[derive(Clone, Debug)]
pub struct Alternate {
    /// The branches, in order; no two have the same JSON type.
    pub branches: Box<[Branch]>,
}

/// A command.
#[derive(Clone, Debug)]
pub struct Command {
    /// Name, place, documentation, condition, features.
    pub common: Common,
    /// The type of its arguments, an object type; `None`: none.
    pub arg: Option<TypeId>,
    /// The type of its reply; `None`: the empty object.
    pub ret: Option<TypeId>,
    /// Whether the arguments are handed over as one value.
    pub boxed: bool,
    /// Whether marshalling code is generated (`'gen'`, default true).
    pub gen_code: bool,
    /// Whether success is answered (`'success-response'`, default true).
    pub success_response: bool,
    /// Whether it may be executed out of band.
    pub allow_oob: bool,
    /// Whether it may be executed before the machine is set up.
    pub allow_preconfig: bool,
    /// Whether its handler runs as a coroutine.
    pub coroutine: bool,
}

/// An event.
#[derive(Clone, Debug)]
pub struct Event {
    /// Name, place, documentation, condition, features.
    pub common: Common,
    /// The type of its data; `None`: none.
    pub arg: Option<TypeId>,
    /// Whether the data are handed over as one value.
    pub boxed: bool,
}

/// A special feature or any other; its name is free.
#[derive(Clone, Debug)]
pub struct Feature {
    /// Its name.
    pub name: Excerpt,
    /// Where it is defined.
    pub span: Option<Span>,
    /// The condition under which it exists.
    pub cond: Option<Cond>,
}

/// A schema whose names are all resolved.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    pub(crate) modules: Vec<Module>,
    pub(crate) types: Vec<Type>,
    pub(crate) commands: Vec<Command>,
    pub(crate) events: Vec<Event>,
    pub(crate) entities: Vec<Entity>,
    /// Indices into `entities`.
    pub(crate) by_name: HashMap<Excerpt, u32>,
    /// All documentation blocks in the order in which they were read.
    pub(crate) docs: Vec<DocRef>,
    /// The release whose rules the schema follows.
    pub(crate) rules: Rules,
}

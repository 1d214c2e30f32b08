//! The intermediate representation: what a schema *is*, every name resolved.
//!
//! In: definitions from `defs/`. Out: a [`Schema`], which the passes in
//! `check/` read, and a [`CheckedSchema`] if they find no error, which the back
//! ends read. Back ends and the wording of messages are not known here.
//!
//! Definitions are in arenas and refer to each other by id. All containers
//! keep schema order, so that the same input always gives the same output.

use rustc_hash::FxHashMap as HashMap;

use crate::pragmas::Pragmas;
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
pub(crate) use crate::syntax::SectionKind;
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

/// A definition of any kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Entity {
    /// A type, built-in, named or implicit.
    Type(TypeId),
    /// A command.
    Command(CommandId),
    /// An event.
    Event(EventId),
}

/// A schema file, or the module of the built-in types.
#[derive(Clone, Debug)]
pub struct Module {
    /// The file's path relative to the main schema's folder, as QEMU names
    /// modules (`stats.json`, `../x.json`), or `./builtin`.
    pub name: String,
    /// The definitions of the file in schema order, implicit types included.
    pub entities: Vec<Entity>,
    /// The free-form documentation blocks in order.
    pub docs: Vec<FreeFormDoc>,
    /// The `include` directives in order, repeated ones included.
    pub includes: Vec<Include>,
}

/// An `include` directive.
#[derive(Clone, Copy, Debug)]
pub struct Include {
    /// The module that the directive names.
    pub module: ModuleId,
    /// The number of the including module's entities before the directive.
    pub entities_before: usize,
    /// The span of the directive.
    pub span: Span,
}

/// A documentation block, in [`Schema::docs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocRef {
    /// The block of a definition.
    Definition(Entity),
    /// A free-form block, by its index in [`Module::docs`].
    FreeForm(ModuleId, usize),
}

/// The properties that all kinds of definitions have.
#[derive(Clone, Debug)]
pub struct Common {
    /// The name in the schema; implicit types have the names that QEMU gives
    /// them (`q_obj_query-x-arg`, `intList`).
    pub name: Excerpt,
    /// The module that contains the definition.
    pub module: ModuleId,
    /// The span of the definition, or `None` for a built-in type.
    pub span: Option<Span>,
    /// The documentation block.
    pub doc: Option<Doc>,
    /// The condition under which the item exists.
    pub cond: Option<Cond>,
    /// The features in order.
    pub features: Box<[Feature]>,
}

/// A type.
#[derive(Clone, Debug)]
pub struct Type {
    /// Name, place, documentation, condition, features.
    pub common: Common,
    /// The kind of type.
    pub kind: TypeKind,
}

/// A kind of type.
#[derive(Clone, Debug)]
pub enum TypeKind {
    /// A built-in type.
    Builtin(Builtin),
    /// An enumeration. `QType` is built in.
    Enum(Enum),
    /// An array of the given element type.
    Array(TypeId),
    /// A struct, a union, or an implicit object type.
    Object(Object),
    /// An alternate: one of several types, which differ in their JSON type.
    Alternate(Alternate),
}

/// A built-in type of the schema language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Builtin {
    /// `str`, a JSON string.
    Str,
    /// `number`, any JSON number; a double in memory.
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
    /// `any`, any JSON value.
    Any,
    /// `null`, the JSON null.
    Null,
}

/// An enumeration type.
#[derive(Clone, Debug)]
pub struct Enum {
    /// The prefix of the C constants, if the schema gives one.
    pub prefix: Option<Excerpt>,
    /// The values in order, possibly none.
    pub values: Box<[EnumValue]>,
}

/// A value of an enumeration.
#[derive(Clone, Debug)]
pub struct EnumValue {
    /// The name on the wire.
    pub name: Excerpt,
    /// The span of the name, or `None` in a built-in type.
    pub span: Option<Span>,
    /// The condition under which the item exists.
    pub cond: Option<Cond>,
    /// The features in order.
    pub features: Box<[Feature]>,
}

/// A struct, a union, or an implicit object type.
#[derive(Clone, Debug)]
pub struct Object {
    /// The part of the schema that the type comes from.
    pub origin: ObjectOrigin,
    /// The base type, whose members precede the type's own.
    pub base: Option<TypeId>,
    /// The type's own members in order, without those of the base.
    pub members: Box<[Member]>,
    /// The branches, if the type is a union.
    pub branches: Option<Branches>,
}

/// The part of a schema that an object type comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectOrigin {
    /// `'struct'` in the schema.
    Struct,
    /// `'union'` in the schema.
    Union,
    /// The inline members of a union's base (`q_obj_X-base`).
    InlineBase,
    /// The inline arguments of a command or data of an event (`q_obj_X-arg`).
    InlineArguments,
    /// The built-in object type without members, `q_empty`.
    Empty,
}

/// A member of an object.
#[derive(Clone, Debug)]
pub struct Member {
    /// The name on the wire, without the `*` of an optional member.
    pub name: Excerpt,
    /// The type of the member.
    pub ty: TypeId,
    /// True if the member may be absent.
    pub optional: bool,
    /// The span of the name.
    pub span: Option<Span>,
    /// The condition under which the item exists.
    pub cond: Option<Cond>,
    /// The features in order.
    pub features: Box<[Feature]>,
}

/// The branches of a union.
#[derive(Clone, Debug)]
pub struct Branches {
    /// The name of the discriminator, the member of the base that selects the
    /// branch.
    pub tag: Excerpt,
    /// The type of the discriminator, an enumeration.
    pub tag_type: TypeId,
    /// The branches that the schema lists, in schema order. A value of the
    /// discriminator without a branch selects the empty object.
    pub list: Box<[Branch]>,
}

/// A branch of a union or an alternate.
#[derive(Clone, Debug)]
pub struct Branch {
    /// In a union, the value of the discriminator; in an alternate, a name that
    /// does not appear on the wire.
    pub name: Excerpt,
    /// The type of the branch, which is an object type in a union.
    pub ty: TypeId,
    /// The span of the name.
    pub span: Option<Span>,
    /// The condition under which the item exists.
    pub cond: Option<Cond>,
}

/// An alternate type.
#[derive(Clone, Debug)]
pub struct Alternate {
    /// The branches in order. No two have the same JSON type.
    pub branches: Box<[Branch]>,
}

/// A command.
#[derive(Clone, Debug)]
pub struct Command {
    /// Name, place, documentation, condition, features.
    pub common: Common,
    /// The type of the arguments, an object type, or `None` if the command has no
    /// arguments.
    pub arg: Option<TypeId>,
    /// The type of the reply, or `None` if the reply is the empty object.
    pub ret: Option<TypeId>,
    /// True if the C handler gets the arguments as one structure.
    pub boxed: bool,
    /// True if QEMU generates marshalling code (`'gen'`, default true).
    pub gen_code: bool,
    /// True if success has a reply (`'success-response'`, default true).
    pub success_response: bool,
    /// True if the command may be executed out of band.
    pub allow_oob: bool,
    /// True if the command may be executed before the machine is set up.
    pub allow_preconfig: bool,
    /// True if the handler runs as a coroutine.
    pub coroutine: bool,
}

/// An event.
#[derive(Clone, Debug)]
pub struct Event {
    /// Name, place, documentation, condition, features.
    pub common: Common,
    /// The type of the data, or `None` if the event has no data.
    pub arg: Option<TypeId>,
    /// True if C code passes the data as one structure.
    pub boxed: bool,
}

/// A feature. Some names, such as `deprecated`, have a special meaning.
#[derive(Clone, Debug)]
pub struct Feature {
    /// The name.
    pub name: Excerpt,
    /// The span of the name.
    pub span: Option<Span>,
    /// The condition under which the item exists.
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
    /// The settings that the schema makes for itself.
    pub(crate) pragmas: Pragmas,
}

//! The table that generated code fills: a schema's commands, events and types.
//!
//! In: constants. Out: the same by name. The types are made for tables of
//! thousands of entries: as literals they are short and cost the compiler
//! little.

/// The description of a command, an event or a type.
///
/// The name of a type is not part of the interface. It is a number, unless the
/// type is built in; the name of an array type is that of its elements' type in
/// brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchemaInfo {
    /// The name of the entity. No two entities have the same name.
    pub name: &'static str,
    /// The kind of the entity, with the properties of this kind.
    pub meta: Meta,
    /// The features of the entity, in schema order.
    pub features: &'static [&'static str],
}

/// The kind of an entity, with the properties of this kind. Types are named as
/// in [`SchemaInfo::name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meta {
    /// A built-in type.
    Builtin {
        /// The JSON type of its values.
        json_type: &'static str,
    },
    /// An enumeration.
    Enum {
        /// The enumeration's name in the schema; `None` unless values can be
        /// registered at run time.
        open: Option<&'static str>,
        /// The values, in schema order.
        members: &'static [EnumMember],
    },
    /// An array.
    Array {
        /// The type of the elements.
        element_type: &'static str,
    },
    /// An object type; with a tag, a union.
    Object {
        /// The members that do not depend on the tag, those of the base first.
        members: &'static [Member],
        /// The name of the member that chooses the variant.
        tag: Option<&'static str>,
        /// The members that each value of the tag adds.
        variants: &'static [Variant],
    },
    /// An alternate.
    Alternate {
        /// The types of its branches.
        members: &'static [&'static str],
    },
    /// A command.
    Command {
        /// The object type of its arguments.
        arg_type: &'static str,
        /// The type of its reply.
        ret_type: &'static str,
        /// `true` if the command can be executed out of band.
        allow_oob: bool,
    },
    /// An event.
    Event {
        /// The object type of its data.
        arg_type: &'static str,
    },
}

/// A value of an enumeration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnumMember {
    /// The name of a value without features.
    Plain(&'static str),
    /// The name of a value, and its features in schema order.
    Featured(&'static str, &'static [&'static str]),
}

/// A member of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// The name and the type of a mandatory member.
    Required(&'static str, &'static str),
    /// The name and the type of an optional member.
    Optional(&'static str, &'static str),
    /// A member, and its features in schema order.
    Featured(&'static Member, &'static [&'static str]),
}

/// A value of a union's tag, and the object type whose members come with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant(
    /// The value of the tag.
    pub &'static str,
    /// The object type that has the members.
    pub &'static str,
);

/// Returns the entry called `name`; `None` if no entry has the name.
///
/// ```
/// use qapi_wire::introspect::{Meta, SchemaInfo, find};
///
/// static SCHEMA: &[SchemaInfo] = &[SchemaInfo {
///     name: "STOP",
///     meta: Meta::Event { arg_type: "0" },
///     features: &[],
/// }];
/// assert!(find(SCHEMA, "STOP").is_some());
/// assert!(find(SCHEMA, "RESUME").is_none());
/// ```
#[must_use]
pub fn find(schema: &'static [SchemaInfo], name: &str) -> Option<&'static SchemaInfo> {
    schema.iter().find(|info| info.name == name)
}

impl Meta {
    /// Returns the name of the kind on the wire.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Builtin { .. } => "builtin",
            Self::Enum { .. } => "enum",
            Self::Array { .. } => "array",
            Self::Object { .. } => "object",
            Self::Alternate { .. } => "alternate",
            Self::Command { .. } => "command",
            Self::Event { .. } => "event",
        }
    }
}

impl EnumMember {
    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Plain(name) | Self::Featured(name, _) => name,
        }
    }

    /// Returns the features, in schema order.
    #[must_use]
    pub fn features(&self) -> &'static [&'static str] {
        match self {
            Self::Plain(_) => &[],
            Self::Featured(_, features) => features,
        }
    }
}

impl Member {
    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Required(name, _) | Self::Optional(name, _) => name,
            Self::Featured(member, _) => member.name(),
        }
    }

    /// Returns the type.
    #[must_use]
    pub fn ty(&self) -> &'static str {
        match self {
            Self::Required(_, ty) | Self::Optional(_, ty) => ty,
            Self::Featured(member, _) => member.ty(),
        }
    }

    /// Returns whether the member is optional.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        match self {
            Self::Required(..) => false,
            Self::Optional(..) => true,
            Self::Featured(member, _) => member.is_optional(),
        }
    }

    /// Returns the features, in schema order.
    #[must_use]
    pub fn features(&self) -> &'static [&'static str] {
        match self {
            Self::Required(..) | Self::Optional(..) => &[],
            Self::Featured(_, features) => features,
        }
    }
}

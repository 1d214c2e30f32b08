//! The table that generated code fills: a schema's commands, events and types.
//!
//! In: constants. Out: the same by name. The types are made for tables of
//! thousands of entries: as literals they are short and cost the compiler
//! little.

/// What a server tells of a command, an event, or a type.
///
/// The name of a type is no part of the interface: it is a number, unless the
/// type is built in, and an array's is that of its elements in brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchemaInfo {
    /// The name. Commands and events have names of their own, which no type
    /// has.
    pub name: &'static str,
    /// What it is.
    pub meta: Meta,
    /// Its features, in schema order.
    pub features: &'static [&'static str],
}

/// What a [`SchemaInfo`] tells of. Types are named as in
/// [`SchemaInfo::name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meta {
    /// A built-in type.
    Builtin {
        /// The JSON type of its values.
        json_type: &'static str,
    },
    /// An enumeration.
    Enum {
        /// Its name in the schema, if values can be registered at run time.
        open: Option<&'static str>,
        /// Its values, in schema order.
        members: &'static [EnumMember],
    },
    /// An array.
    Array {
        /// The elements' type.
        element_type: &'static str,
    },
    /// An object, a union if it has a tag.
    Object {
        /// The members, those of the base first.
        members: &'static [Member],
        /// The member that chooses the variant.
        tag: Option<&'static str>,
        /// What each value of the tag adds.
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
        /// Whether it may be executed out of band.
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
    /// Its name.
    Plain(&'static str),
    /// Its name, and its features in schema order.
    Featured(&'static str, &'static [&'static str]),
}

/// A member of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// The name and the type of one that is always there.
    Required(&'static str, &'static str),
    /// The name and the type of one that may be absent.
    Optional(&'static str, &'static str),
    /// Either, and its features in schema order.
    Featured(&'static Member, &'static [&'static str]),
}

/// A value of a union's tag, and the object type whose members come with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant(
    /// The value.
    pub &'static str,
    /// The type.
    pub &'static str,
);

/// The entry of a command, an event or a type.
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
    /// What clients call it.
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
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Plain(name) | Self::Featured(name, _) => name,
        }
    }

    /// Its features, in schema order.
    #[must_use]
    pub fn features(&self) -> &'static [&'static str] {
        match self {
            Self::Plain(_) => &[],
            Self::Featured(_, features) => features,
        }
    }
}

impl Member {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Required(name, _) | Self::Optional(name, _) => name,
            Self::Featured(member, _) => member.name(),
        }
    }

    /// Its type.
    #[must_use]
    pub fn ty(&self) -> &'static str {
        match self {
            Self::Required(_, ty) | Self::Optional(_, ty) => ty,
            Self::Featured(member, _) => member.ty(),
        }
    }

    /// Whether it may be absent.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        match self {
            Self::Required(..) => false,
            Self::Optional(..) => true,
            Self::Featured(member, _) => member.is_optional(),
        }
    }

    /// Its features, in schema order.
    #[must_use]
    pub fn features(&self) -> &'static [&'static str] {
        match self {
            Self::Required(..) | Self::Optional(..) => &[],
            Self::Featured(_, features) => features,
        }
    }
}

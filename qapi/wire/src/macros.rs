//! The traits that all generated types of a kind have in the same words.
//!
//! In: a type's name, and a table of what differs from type to type: its
//! members or values. Out: its implementations. An entry of a table may have
//! attributes: `#[cfg(...)]`.

/// Implements [`DecodeMembers`](crate::DecodeMembers),
/// [`EncodeMembers`](crate::EncodeMembers), and what follows from them, for a
/// struct whose fields are given in schema order.
///
/// ```
/// # #[derive(Debug, PartialEq)]
/// struct Point {
///     x: i64,
///     label: Option<String>,
/// }
///
/// qapi_wire::object!(Point {
///     x: required("x"),
///     label: optional("label"),
/// });
/// # let point: Point = qapi_wire::from_json(b"{'x': 1}", &qapi_wire::Context::strict()).unwrap();
/// # assert_eq!(point, Point { x: 1, label: None });
/// # assert_eq!(qapi_wire::to_json(&point), r#"{"x": 1}"#);
/// ```
///
/// `object!(Type)` is for a type that has the two traits already: it
/// implements [`Decode`](crate::Decode), [`Encode`](crate::Encode) and serde's
/// traits.
#[macro_export]
macro_rules! object {
    ($type:ident) => {
        impl $crate::Decode for $type {
            fn decode(value: $crate::Node<'_>, at: $crate::ValuePath<'_>) -> $crate::Result<Self> {
                $crate::decode_object(value, at)
            }
        }

        impl $crate::Encode for $type {
            fn encode(&self, out: &mut $crate::Writer<'_>) {
                out.members(self);
            }
        }

        $crate::impl_serde!($type);
    };
    ($type:ident {}) => {
        impl $crate::DecodeMembers for $type {
            fn decode_members(_: &mut $crate::Members<'_>) -> $crate::Result<Self> {
                Ok(Self {})
            }
        }

        impl $crate::EncodeMembers for $type {
            fn encode_members(&self, _: &mut $crate::ObjectWriter<'_, '_>) {}
        }

        $crate::object!($type);
    };
    ($type:ident { $(
        $(#[$when:meta])* $field:ident: $kind:ident($name:literal $(, $special:expr)?),
    )* }) => {
        impl $crate::DecodeMembers for $type {
            fn decode_members(members: &mut $crate::Members<'_>) -> $crate::Result<Self> {
                Ok(Self { $($(#[$when])* $field: members.$kind($name $(, $special)?)?,)* })
            }
        }

        impl $crate::EncodeMembers for $type {
            fn encode_members(&self, out: &mut $crate::ObjectWriter<'_, '_>) {
                $($(#[$when])* out.$kind($crate::name!($name) $(, $special)?, &self.$field);)*
            }
        }

        $crate::object!($type);
    };
}

/// A member's [`Name`](crate::Name), which costs least to write: it is checked
/// when it is compiled, and stands in the program with what is around it.
///
/// ```
/// let mut text = Vec::new();
/// let mut out = qapi_wire::Writer::new(&mut text);
/// let mut object = out.object();
/// object.required(qapi_wire::name!("vcpu"), &7);
/// object.end();
/// assert_eq!(text, br#"{"vcpu": 7}"#);
/// ```
#[macro_export]
macro_rules! name {
    ($name:literal) => {
        const {
            $crate::Name::new(
                $name,
                ::core::concat!("{\"", $name, "\": "),
                ::core::concat!(", \"", $name, "\": "),
            )
        }
    };
}

/// Implements what every enumeration has: its tables `NAMES` and `ALL`, `name`
/// and `index`, `FromStr`, `Display`, [`Decode`](crate::Decode),
/// [`Encode`](crate::Encode) and serde's traits.
///
/// ```
/// # #[derive(Clone, Copy, Debug, PartialEq)]
/// enum Color {
///     Red,
///     DarkGreen,
/// }
///
/// qapi_wire::enumeration!(Color {
///     Red: "red",
///     DarkGreen: "dark-green",
/// });
/// # assert_eq!("dark-green".parse(), Ok(Color::DarkGreen));
/// # assert_eq!(Color::NAMES, ["red", "dark-green"]);
/// ```
///
/// A value with special features has them behind its name, as in
/// `Red: "red" as SpecialFeatures::DEPRECATED`; so has a member of an
/// [`object!`](crate::object), `optional_special("x", SpecialFeatures::UNSTABLE)`.
///
/// See [`open_enumeration!`](crate::open_enumeration) for one that also has
/// values which the schema does not list.
#[macro_export]
macro_rules! enumeration {
    ($type:ident { $($(#[$when:meta])* $value:ident: $name:literal $(as $special:expr)?,)* }) => {
        $crate::enumeration!(@tables $type { $($(#[$when])* $value: $name,)* });

        impl $type {
            /// The name on the wire.
            #[must_use]
            pub fn name(&self) -> &'static str {
                // A reference is not known to refer to nothing, if there are
                // no values.
                match *self {
                    $($(#[$when])* Self::$value => $name,)*
                }
            }

            /// The place in [`Self::ALL`].
            #[must_use]
            pub fn index(&self) -> usize {
                Self::ALL.iter().take_while(|listed| *listed != self).count()
            }
        }

        impl ::core::str::FromStr for $type {
            type Err = $crate::UnknownValue;

            fn from_str(name: &str) -> ::core::result::Result<Self, Self::Err> {
                let listed = $crate::find_by_name(Self::NAMES, Self::ALL, name);
                listed.ok_or_else(|| $crate::UnknownValue::new(name))
            }
        }

        impl $crate::Decode for $type {
            fn decode(value: $crate::Node<'_>, at: $crate::ValuePath<'_>) -> $crate::Result<Self> {
                $crate::decode_enumeration(value, at, &[$($(($name, $special),)?)*])
            }
        }

        $crate::enumeration!(@text $type);
    };
    (@tables $type:ident { $($(#[$when:meta])* $value:ident: $name:literal,)* }) => {
        impl $type {
            /// The names on the wire, in schema order.
            pub const NAMES: &'static [&'static str] = &[$($(#[$when])* $name,)*];

            /// The values, in schema order.
            pub const ALL: &'static [Self] = &[$($(#[$when])* Self::$value,)*];
        }
    };
    (@text $type:ident) => {
        impl ::core::fmt::Display for $type {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.pad(self.name())
            }
        }

        impl $crate::Encode for $type {
            fn encode(&self, out: &mut $crate::Writer<'_>) {
                out.string(self.name());
            }
        }

        $crate::impl_serde!($type);
    };
}

/// The same as [`enumeration!`](crate::enumeration) for an enumeration with a
/// variant that keeps values which the schema does not list, and holds their
/// names: given first, with the enumeration's name in the schema.
///
/// ```
/// # #[derive(Clone, Debug, PartialEq)]
/// enum Color {
///     Red,
///     Unknown(Box<str>),
/// }
///
/// qapi_wire::open_enumeration!("Color", Unknown, Color {
///     Red: "red",
/// });
/// # assert_eq!("teal".parse(), Ok(Color::Unknown("teal".into())));
/// ```
#[macro_export]
macro_rules! open_enumeration {
    (
        $wire_name:literal, $unknown:ident,
        $type:ident { $($(#[$when:meta])* $value:ident: $name:literal $(as $special:expr)?,)* }
    ) => {
        $crate::enumeration!(@tables $type { $($(#[$when])* $value: $name,)* });

        impl $type {
            /// The name on the wire.
            #[must_use]
            pub fn name(&self) -> &str {
                match self {
                    $($(#[$when])* Self::$value => $name,)*
                    Self::$unknown(name) => name,
                }
            }

            /// The place in [`Self::ALL`]; `None` if the schema does not list
            /// the value.
            #[must_use]
            pub fn index(&self) -> ::core::option::Option<usize> {
                Self::ALL.iter().position(|listed| listed == self)
            }
        }

        impl ::core::str::FromStr for $type {
            type Err = ::core::convert::Infallible;

            fn from_str(name: &str) -> ::core::result::Result<Self, Self::Err> {
                let listed = $crate::find_by_name(Self::NAMES, Self::ALL, name);
                Ok(listed.unwrap_or_else(|| Self::$unknown(name.into())))
            }
        }

        impl $crate::Decode for $type {
            fn decode(value: $crate::Node<'_>, at: $crate::ValuePath<'_>) -> $crate::Result<Self> {
                let listed = |name: &str| $crate::find_by_name(Self::NAMES, Self::ALL, name);
                let unknown = |name: &str| Self::$unknown(name.into());
                let special = &[$($(($name, $special),)?)*];
                $crate::decode_open_enumeration(value, at, $wire_name, listed, unknown, special)
            }
        }

        $crate::enumeration!(@text $type);
    };
}

/// Implements serde's traits for a type that has [`Decode`](crate::Decode) and
/// [`Encode`](crate::Encode).
#[macro_export]
macro_rules! impl_serde {
    ($type:ident) => {
        impl $crate::serde::Serialize for $type {
            fn serialize<S: $crate::serde::Serializer>(
                &self,
                to: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                $crate::serde::serialize(self, to)
            }
        }

        impl<'de> $crate::serde::Deserialize<'de> for $type {
            fn deserialize<D: $crate::serde::Deserializer<'de>>(
                from: D,
            ) -> ::core::result::Result<Self, D::Error> {
                $crate::serde::deserialize(from)
            }
        }
    };
}

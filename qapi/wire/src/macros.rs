//! Macros that implement the traits of generated types.
//!
//! In: the name of a type, and a table of its members or values. Out: the
//! implementations, which differ between types only in this table. An entry of a
//! table may have attributes, for example `#[cfg(...)]`.

/// Implements [`DecodeMembers`](crate::DecodeMembers) and
/// [`EncodeMembers`](crate::EncodeMembers) for a struct whose fields are given in
/// schema order, and from them [`Decode`](crate::Decode),
/// [`Encode`](crate::Encode) and serde's traits.
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
/// The example expands to
///
/// ```ignore
/// impl DecodeMembers for Point {
///     fn decode_members(members: &mut Members<'_>) -> Result<Self> {
///         Ok(Self { x: members.required("x")?, label: members.optional("label")? })
///     }
/// }
/// impl EncodeMembers for Point {
///     fn encode_members(&self, out: &mut ObjectWriter<'_, '_>) {
///         out.required(name!("x"), &self.x);
///         out.optional(name!("label"), &self.label);
///     }
/// }
/// object!(Point);
/// ```
///
/// and `object!(Point)`, which is also for types that implement these two traits
/// themselves, to
///
/// ```ignore
/// impl Decode for Point {
///     fn decode(value: Node<'_>, at: ValuePath<'_>) -> Result<Self> {
///         decode_object(value, at)
///     }
/// }
/// impl Encode for Point {
///     fn encode(&self, out: &mut Writer<'_>) { out.members(self); }
/// }
/// impl_serde!(Point);
/// ```
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

/// Makes a member's [`Name`](crate::Name), the fastest to write: it is checked at
/// compile time, and the program contains it together with its punctuation.
///
/// ```
/// let mut text = Vec::new();
/// let mut out = qapi_wire::Writer::new(&mut text);
/// let mut object = out.object();
/// object.required(qapi_wire::name!("vcpu"), &7);
/// object.end();
/// assert_eq!(text, br#"{"vcpu": 7}"#);
/// ```
///
/// `name!("vcpu")` expands to
///
/// ```ignore
/// const { Name::new("vcpu", "{\"vcpu\": ", ", \"vcpu\": ") }
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

/// Implements the tables `NAMES` and `ALL`, the methods `name` and `index`,
/// `FromStr`, `Display`, [`Decode`](crate::Decode), [`Encode`](crate::Encode) and
/// serde's traits for an enumeration.
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
/// The example expands to
///
/// ```ignore
/// impl Color {
///     pub const NAMES: &'static [&'static str] = &["red", "dark-green"];
///     pub const ALL: &'static [Self] = &[Self::Red, Self::DarkGreen];
///     pub fn name(&self) -> &'static str {
///         match *self { Self::Red => "red", Self::DarkGreen => "dark-green" }
///     }
///     pub fn index(&self) -> usize { /* the position in ALL */ }
/// }
/// impl FromStr for Color { /* find_by_name(Self::NAMES, Self::ALL, name) */ }
/// impl Decode for Color { /* decode_enumeration(value, at, &[]) */ }
/// // and Display, Encode and serde's traits, which write the name
/// ```
///
/// A value with special features has them after its name, as in
/// `Red: "red" as SpecialFeatures::DEPRECATED`; a member of an
/// [`object!`](crate::object) has them in its parentheses, as in
/// `optional_special("x", SpecialFeatures::UNSTABLE)`.
///
/// See [`open_enumeration!`](crate::open_enumeration) for an enumeration with
/// values that the schema does not list.
#[macro_export]
macro_rules! enumeration {
    ($type:ident { $($(#[$when:meta])* $value:ident: $name:literal $(as $special:expr)?,)* }) => {
        $crate::enumeration!(@tables $type { $($(#[$when])* $value: $name,)* });

        impl $type {
            /// Returns the name on the wire.
            #[must_use]
            pub fn name(&self) -> &'static str {
                // Match on *self: for an enum without values, `match self {}`
                // does not compile, because &Self is not known to be uninhabited.
                match *self {
                    $($(#[$when])* Self::$value => $name,)*
                }
            }

            /// Returns the position in [`Self::ALL`].
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

/// Implements the same as [`enumeration!`](crate::enumeration) for an enumeration
/// with a variant for values that the schema does not list. The first two
/// arguments are the enumeration's name in the schema and this variant, which
/// keeps the name of the value.
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
///
/// The example expands to
///
/// ```ignore
/// impl Color {
///     pub const NAMES: &'static [&'static str] = &["red"];
///     pub const ALL: &'static [Self] = &[Self::Red];
///     pub fn name(&self) -> &str {
///         match self { Self::Red => "red", Self::Unknown(name) => name }
///     }
///     pub fn index(&self) -> Option<usize> { /* the position in ALL */ }
/// }
/// impl From<&str> for Color { /* else Self::Unknown(name.into()) */ }
/// impl From<String> for Color { /* the same */ }
/// impl From<&Color> for Color { /* a clone */ }
/// impl FromStr for Color { /* never fails */ }
/// impl Decode for Color { /* decode_open_enumeration(value, at, "Color", ..) */ }
/// // and Display, Encode and serde's traits, which write the name
/// ```
#[macro_export]
macro_rules! open_enumeration {
    (
        $wire_name:literal, $unknown:ident,
        $type:ident { $($(#[$when:meta])* $value:ident: $name:literal $(as $special:expr)?,)* }
    ) => {
        $crate::enumeration!(@tables $type { $($(#[$when])* $value: $name,)* });

        impl $type {
            /// Returns the name on the wire.
            #[must_use]
            pub fn name(&self) -> &str {
                match self {
                    $($(#[$when])* Self::$value => $name,)*
                    Self::$unknown(name) => name,
                }
            }

            /// Returns the position in [`Self::ALL`]; `None` if the schema does
            /// not list the value.
            #[must_use]
            pub fn index(&self) -> ::core::option::Option<usize> {
                Self::ALL.iter().position(|listed| listed == self)
            }
        }

        impl ::core::convert::From<&str> for $type {
            fn from(name: &str) -> Self {
                let listed = $crate::find_by_name(Self::NAMES, Self::ALL, name);
                listed.unwrap_or_else(|| Self::$unknown(name.into()))
            }
        }

        impl ::core::convert::From<::std::string::String> for $type {
            fn from(name: ::std::string::String) -> Self {
                Self::from(name.as_str())
            }
        }

        impl ::core::convert::From<&$type> for $type {
            fn from(value: &$type) -> Self {
                value.clone()
            }
        }

        impl ::core::str::FromStr for $type {
            type Err = ::core::convert::Infallible;

            fn from_str(name: &str) -> ::core::result::Result<Self, Self::Err> {
                Ok(Self::from(name))
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
/// [`Encode`](crate::Encode), if feature `serde` is on.
///
/// `impl_serde!(Point)` expands to
///
/// ```ignore
/// impl Serialize for Point {
///     fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
///         serde::serialize(self, to)
///     }
/// }
/// impl<'de> Deserialize<'de> for Point {
///     fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
///         serde::deserialize(from)
///     }
/// }
/// ```
#[cfg(feature = "serde")]
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

/// Expands to nothing, because feature `serde` is off.
#[cfg(not(feature = "serde"))]
#[macro_export]
macro_rules! impl_serde {
    ($type:ident) => {};
}

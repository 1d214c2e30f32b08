//! The traits that all generated types of a kind have in the same words.
//!
//! In: a type's name. Out: its implementations. What differs from type to type
//! is written out by the generator; what does not is here, once.

/// Implements [`Decode`](crate::Decode), [`Encode`](crate::Encode) and serde's
/// traits for a type that has `DecodeMembers` and `EncodeMembers`; for one
/// without members, `object!(Type {})`, these too.
#[macro_export]
macro_rules! object {
    ($type:ident) => {
        impl $crate::Decode for $type {
            fn decode(value: $crate::Value, at: $crate::At<'_>) -> $crate::Result<Self> {
                $crate::decode_object(value, at)
            }
        }

        impl $crate::Encode for $type {
            fn encode(&self, out: &mut $crate::Writer<'_>) {
                out.members(self);
            }
        }

        $crate::serde!($type);
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
}

/// Implements what every enumeration has, given its tables `NAMES` and `ALL`:
/// `name` and `index`, `FromStr`, `Display`, [`Decode`](crate::Decode),
/// [`Encode`](crate::Encode) and serde's traits.
///
/// `enumeration!(Type)` is closed, `enumeration!(Type {})` has no values.
/// `enumeration!(Type, "type", Unknown)` is open: it is called `type` in the
/// schema, and the variant `Unknown` holds the name of what the schema does
/// not list.
#[macro_export]
macro_rules! enumeration {
    ($type:ident) => {
        impl $type {
            /// The name on the wire.
            #[must_use]
            pub fn name(&self) -> &'static str {
                // The tables have the variants' order.
                Self::NAMES.get(self.index()).copied().unwrap_or_default()
            }

            /// The place in [`Self::ALL`].
            #[must_use]
            pub fn index(&self) -> usize {
                *self as usize
            }
        }

        $crate::enumeration!(@closed $type);
    };
    ($type:ident {}) => {
        impl $type {
            /// The name on the wire.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match *self {}
            }

            /// The place in [`Self::ALL`].
            #[must_use]
            pub fn index(&self) -> usize {
                match *self {}
            }
        }

        $crate::enumeration!(@closed $type);
    };
    (@closed $type:ident) => {
        impl ::core::str::FromStr for $type {
            type Err = $crate::UnknownValue;

            fn from_str(name: &str) -> ::core::result::Result<Self, Self::Err> {
                let listed = $crate::listed(Self::NAMES, Self::ALL, name);
                listed.ok_or_else(|| $crate::UnknownValue::new(name))
            }
        }

        impl $crate::Decode for $type {
            fn decode(value: $crate::Value, at: $crate::At<'_>) -> $crate::Result<Self> {
                $crate::decode_enumeration(value, at)
            }
        }

        $crate::enumeration!(@text $type);
    };
    ($type:ident, $wire_name:literal, $unknown:ident) => {
        impl $type {
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
                let listed = $crate::listed(Self::NAMES, Self::ALL, name);
                Ok(listed.unwrap_or_else(|| Self::$unknown(name.into())))
            }
        }

        impl $crate::Decode for $type {
            fn decode(value: $crate::Value, at: $crate::At<'_>) -> $crate::Result<Self> {
                $crate::decode_open_enumeration(value, at, $wire_name, Self::NAMES)
            }
        }

        $crate::enumeration!(@text $type);
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

        $crate::serde!($type);
    };
}

/// Implements serde's traits for a type that has [`Decode`](crate::Decode) and
/// [`Encode`](crate::Encode).
#[macro_export]
macro_rules! serde {
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

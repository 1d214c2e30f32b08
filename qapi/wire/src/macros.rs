//! The traits that all generated types of a kind have in the same words.
//!
//! In: a type's name. Out: its implementations. What differs from type to type
//! is written out by the generator; what does not is here, once.

/// Implements [`Decode`](crate::Decode), [`Encode`](crate::Encode) and serde's
/// traits for a type that has `DecodeMembers`, `EncodeMembers` and
/// `SerializeMembers`.
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

        impl $crate::serde::Serialize for $type {
            fn serialize<S: $crate::serde::Serializer>(
                &self,
                to: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                $crate::serde::serialize(self, to)
            }
        }

        $crate::deserialize!($type);
    };
}

/// Implements `Display`, [`Encode`](crate::Encode) and serde's traits for an
/// enumeration that has `name` and [`Decode`](crate::Decode).
#[macro_export]
macro_rules! enumeration {
    ($type:ident) => {
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

        impl $crate::serde::Serialize for $type {
            fn serialize<S: $crate::serde::Serializer>(
                &self,
                to: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                to.serialize_str(self.name())
            }
        }

        $crate::deserialize!($type);
    };
}

/// Implements serde's `Deserialize` for a type that has
/// [`Decode`](crate::Decode).
#[macro_export]
macro_rules! deserialize {
    ($type:ident) => {
        impl<'de> $crate::serde::Deserialize<'de> for $type {
            fn deserialize<D: $crate::serde::Deserializer<'de>>(
                from: D,
            ) -> ::core::result::Result<Self, D::Error> {
                $crate::serde::deserialize(from)
            }
        }
    };
}

//! Enums of problems that know the names of their variants.
//!
//! In: the declaration of an enum. Out: the enum, the name of each variant,
//! which programs get as a code, and the list of all names for tests.

/// Declares an enum of problems together with the names of its variants, so
/// that the list of names is complete. A test requires a case for each.
macro_rules! problem_kinds {
    (
        $(#[$attribute:meta])*
        pub enum $problems:ident {
            $(
                $(#[$variant:meta])*
                $name:ident $(( $($tuple:tt)* ))? $({ $($fields:tt)* })?,
            )*
        }
    ) => {
        $(#[$attribute])*
        pub enum $problems {
            $( $(#[$variant])* $name $(( $($tuple)* ))? $({ $($fields)* })?, )*
        }

        impl $problems {
            /// The names of all variants.
            pub const KINDS: &'static [&'static str] = &[$(stringify!($name)),*];

            /// Returns the name of the variant, which is one of [`Self::KINDS`].
            fn variant_name(&self) -> &'static str {
                match self {
                    $( Self::$name { .. } => stringify!($name), )*
                }
            }
        }
    };
}

pub(crate) use problem_kinds;

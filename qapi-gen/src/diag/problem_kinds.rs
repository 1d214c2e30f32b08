//! Enums of problems that know their messages and the names of their variants.
//!
//! In: a table of variants and messages. Out: the enum, the message of each
//! problem, the name of each variant, which programs get as a code, and the list
//! of all names for tests.

/// Declares an enum of problems. The message of a variant follows `=>`: a format
/// string, which may name the variant's fields, and its further arguments. The
/// table lists every variant, so that none lacks a message or a name, and a test
/// requires a case for each.
macro_rules! problem_kinds {
    (
        $(#[$attribute:meta])*
        pub enum $problems:ident {
            $(
                $(#[$variant:meta])*
                $name:ident
                    $(( $item:ident: $item_type:ty ))?
                    $({ $($field:ident: $field_type:ty),* $(,)? })?
                    => $message:literal $(, $argument:expr)*;
            )*
        }
    ) => {
        $(#[$attribute])*
        pub enum $problems {
            $( $(#[$variant])* $name $(( $item_type ))? $({ $($field: $field_type),* })?, )*
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

        impl std::fmt::Display for $problems {
            #[allow(unused_variables, reason = "a message need not name every field")]
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $(
                        Self::$name $(( $item ))? $({ $($field),* })? => {
                            write!(f, $message $(, $argument)*)
                        }
                    )*
                }
            }
        }
    };
}

pub(crate) use problem_kinds;

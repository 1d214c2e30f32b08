//! Kinds of things that have a stable code and an explanation.
//!
//! In: a table. Out: an enumeration, whose documentation, names and explanations are
//! the table.

/// Declares an enumeration of codes.
macro_rules! coded {
    ($(#[$doc:meta])* $kind:ident { $($code:ident $name:literal $reason:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $kind {$(
            #[doc = concat!("`", $name, "`: ", $reason)]
            $code,
        )*}

        impl $kind {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$code),*];

            /// Returns the code as users write it, which is stable.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {$(Self::$code => $name,)*}
            }

            /// Returns the explanation.
            #[must_use]
            pub fn reason(self) -> &'static str {
                match self {$(Self::$code => $reason,)*}
            }
        }

        impl std::fmt::Display for $kind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

pub(crate) use coded;

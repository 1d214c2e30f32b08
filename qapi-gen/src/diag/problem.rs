//! Everything that can be wrong with a schema.
//!
//! In: what the stages find. Out: one enum, in the order of the stages. The
//! words are in `wording/`, so that this stays a list.

use super::definition_kind::DefinitionKind;
use super::definition_part::{DefinitionPart, Owner, TypeName};
use super::message_subject::{Key, MessageSubject};
use super::site::Site;

/// Declares the enum together with the list of its variants, so that none can
/// be left out there: the tests ask for a case for each.
macro_rules! problems {
    (
        $(#[$attribute:meta])*
        pub enum Problem {
            $(
                $(#[$variant:meta])*
                $name:ident $(( $($tuple:tt)* ))? $({ $($fields:tt)* })?,
            )*
        }
    ) => {
        $(#[$attribute])*
        pub enum Problem {
            $( $(#[$variant])* $name $(( $($tuple)* ))? $({ $($fields)* })?, )*
        }

        impl Problem {
            /// The names of all kinds of problems.
            pub const KINDS: &'static [&'static str] = &[$(stringify!($name)),*];

            /// The name of the kind, one of [`Self::KINDS`].
            #[must_use]
            pub fn kind(&self) -> &'static str {
                match self {
                    $( Self::$name { .. } => stringify!($name), )*
                }
            }
        }
    };
}

problems! {
    /// Something that is wrong with a schema.
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[non_exhaustive]
    #[expect(
        missing_docs,
        reason = "the fields are what the message of a variant names"
    )]
    pub enum Problem {
        // Reading files.
        /// The main schema cannot be read.
        SchemaUnreadable { path: String, reason: String },
        /// A file to be included cannot be read.
        IncludeUnreadable { path: String, reason: String },
        /// A file is not UTF-8.
        NotUtf8,
        /// A file includes itself, maybe by way of others.
        InclusionLoop { include: String },

        // Tokens.
        /// A string that does not end on its line.
        UnterminatedString,
        /// A backslash before anything but a backslash.
        UnknownEscape(char),
        /// A character in a string that is not printable ASCII.
        FunnyCharacter,
        /// Something that is no token.
        Stray(String),

        // Expressions.
        /// Some other token was expected.
        Expected(Expected),
        /// A key that the object already has.
        DuplicateKey { key: String, previous: Site },
        /// Objects and arrays within each other, too many.
        NestedTooDeeply { limit: usize },
        /// A top-level expression that is not an object.
        TopLevelNotObject,

        // Directives.
        /// A directive with further keys.
        InvalidDirective(&'static str),
        /// A directive whose value has the wrong type.
        DirectiveValue {
            directive: &'static str,
            expected: &'static str,
        },
        /// A pragma that does not exist.
        UnknownPragma(String),
        /// A pragma that takes a boolean.
        PragmaNotBoolean(&'static str),
        /// A pragma that takes a list of strings.
        PragmaNotStrings(&'static str),

        // Documentation comments.
        /// Text after the first `##`.
        DocJunkAtStart,
        /// Text after the last `##`.
        DocJunkAtEnd,
        /// A block without a last `##`.
        DocUnterminated,
        /// A line that does not begin with `# `.
        DocMissingSpace,
        /// A line that is too long.
        DocLineTooLong,
        /// A heading in the documentation of a definition.
        DocHeadingInDefinition,
        /// A heading that is not its block's first line.
        DocHeadingNotFirst,
        /// A sentence that begins after a single space.
        DocSingleSpace,
        /// The line that names the definition lacks its colon.
        DocSymbolColon,
        /// The line that names the definition names none.
        DocSymbolMissing,
        /// A second `Features:`.
        DocDuplicateFeatures,
        /// A `Features:` without features.
        DocFeaturesExpected,
        /// A member described after a section.
        DocDescriptionAfterSection(String),
        /// A member described in a block that belongs to no definition.
        DocDescriptionInFreeForm(String),
        /// A section that must be written as reStructuredText.
        DocObsoleteSection { tag: String, advice: MarkupAdvice },
        /// A line that is indented less than the section's first.
        DocDeIndent { expected: usize },
        /// A description of nothing.
        DocEmptyName,
        /// A second description.
        DocDuplicateName(String),
        /// A second section of a kind that may stand once.
        DocDuplicateSection(&'static str),
        /// A section without text.
        DocEmptySection(&'static str),
        /// A block about a definition that does not follow.
        DocWithoutDefinition(String),
        /// A definition after a free-form block.
        DocWithoutSymbol,
        /// A definition after the block of another.
        DocForOther(String),
        /// A definition without documentation in a schema that requires it.
        DocMissing,
        /// `Returns` where nothing is returned.
        DocReturnsNothing,
        /// A section that only commands have.
        DocOnlyForCommands(&'static str),

        // Documentation comments by the rules of QEMU 7.2, where it has other
        // words for a problem.
        /// A section without text; it has a tag or describes what is named.
        OldDocEmptySection(String),
        /// A member described after a section, which may have a tag.
        OldDocCannotFollow {
            name: String,
            section: Option<&'static str>,
        },
        /// `Returns:` where there is no command.
        OldDocReturns,

        // Single definitions.
        /// Not exactly one of the keys that make a definition.
        NotOneDefinition,
        /// A name that is not a string.
        NameNotString(MessageSubject),
        /// A name that is no name.
        NameInvalid(MessageSubject),
        /// A name that violates the conventions of its kind.
        NameUpper(MessageSubject),
        /// See [`Problem::NameUpper`].
        NameLower(MessageSubject),
        /// See [`Problem::NameUpper`].
        NameCamel(MessageSubject),
        /// A type whose name looks like an array's.
        NameList(DefinitionKind),
        /// A name that the C generator needs.
        NameReserved(MessageSubject),
        /// Keys that must be there.
        KeysMissing { of: MessageSubject, keys: Vec<String> },
        /// Keys that may not be there.
        KeysUnknown {
            of: MessageSubject,
            keys: Vec<String>,
            valid: Vec<&'static str>,
        },
        /// A flag that can only be `true`, or only `false`.
        FlagValue { flag: &'static str, only: bool },
        /// Flags that exclude each other.
        FlagsIncompatible,
        /// A condition that is no configuration symbol.
        ConditionSymbol { of: MessageSubject, symbol: String },
        /// A condition that is neither string nor object.
        ConditionType(MessageSubject),
        /// A condition with several operators.
        ConditionKeys(MessageSubject),
        /// Operands that are not in an array.
        ConditionOperands { of: MessageSubject, operator: &'static str },
        /// An operator without operands.
        ConditionEmpty(MessageSubject),
        /// A value that must be an array.
        NotArray(Key),
        /// A value that must be an object.
        NotObject(Key),
        /// A value that must be a string.
        NotString(Key),
        /// A value that must not be empty.
        Empty(Key),
        /// A value that must be an object or a type name.
        NotObjectOrType(MessageSubject),
        /// A value that must be a type name.
        NotType(MessageSubject),
        /// A value that must be a type name or an array of one.
        NotTypeOrArray(MessageSubject),
        /// A value that must be no array, in the words of QEMU 7.2.
        OldArray(MessageSubject),
        /// An array that does not have exactly one type name.
        ArrayType(MessageSubject),
        /// `boxed` without `data`.
        BoxedWithoutData,

        // All definitions together.
        /// A name that is defined twice.
        Redefined {
            name: String,
            previous: Option<Site>,
            predefined: Option<TypeName>,
        },
        /// A type that does not exist.
        UnknownType { user: DefinitionPart, name: String, similar: Option<String> },
        /// An array whose elements are arrays.
        ArrayOfArrays { element: TypeName },
        /// Two names that are the same in C.
        Collision { what: DefinitionPart, with: DefinitionPart },
        /// A special feature on a type.
        SpecialFeature(String),
        /// A base that is not a struct.
        BaseNotStruct(TypeName),
        /// A type that contains itself without an array in between.
        ContainsItself(String),
        /// Types that contain each other, too many.
        ContainsTooDeeply { name: String, limit: usize },
        /// A discriminator that the base lacks.
        DiscriminatorMissing(String),
        /// A discriminator that is no enum, optional, or conditional.
        DiscriminatorKind {
            name: String,
            base: Option<String>,
            must: &'static str,
        },
        /// A union over an enum without values.
        NoBranches,
        /// A branch that is no value of the discriminator.
        BranchNotValue { branch: String, of: TypeName },
        /// A type that cannot be used for the purpose.
        CannotUse { user: DefinitionPart, ty: TypeName },
        /// Branches of an alternate with the same JSON type.
        Indistinct { branch: DefinitionPart, other: String },
        /// A type that cannot be the arguments or the reply.
        CannotTake {
            kind: DefinitionKind,
            key: Key,
            ty: TypeName,
        },
        /// A type that needs `boxed`.
        NeedsBoxed { kind: DefinitionKind, ty: TypeName },
        /// Conditional members that need `boxed`.
        ConditionalNeedsBoxed(DefinitionKind),
        /// A member or feature that the documentation leaves out.
        Undocumented(DefinitionPart),
        /// Members or features that only the documentation has.
        DocumentedMissing { features: bool, names: Vec<String> },
        /// More features than QEMU's bit set holds.
        TooManyFeatures { limit: usize },

        // The Rust back end.
        /// Two names that are the same in Rust.
        RustNameClash {
            name: String,
            other: String,
            ident: String,
            previous: Option<Site>,
        },
        /// Types that hold each other more deeply than rustc goes.
        NestedTypes { name: String, depth: usize, limit: usize },
        /// Another crate is said to have a module that the schema has not.
        ExternModuleUnknown(String),
        /// A module of another crate is said to be at what is no path, or not
        /// the same path everywhere.
        ExternPath { module: String, path: String },
        /// An option names what the schema does not have.
        OptionUnknown { option: &'static str, name: String, what: &'static str },
        /// An option's text is not what it has to be.
        OptionSyntax { option: &'static str, text: String, what: &'static str, reason: String },
        /// An option that does nothing to what it names.
        OptionIdle { option: &'static str, name: String, why: String },
        /// What is to be generated is to be left out.
        OnlyAndExcept(String),
        /// Symbols of a configuration that no condition mentions.
        ConfigUnused(Vec<String>),
        /// Two configuration symbols that are the same Cargo feature.
        FeatureClash { symbols: [String; 2], feature: String },
        /// A Rust type for what chooses a union's branch.
        ReplacedDiscriminator { ty: String, union: String },
    }
}

impl Problem {
    /// Whether it is only about how documentation is written and how complete
    /// it is. Style differs from release to release of QEMU, and a schema can
    /// be compiled whatever it is. Documentation that contradicts its
    /// definition is no question of style.
    #[must_use]
    pub fn is_style(&self) -> bool {
        match self {
            // These are no names, so some other text is meant.
            Self::DocumentedMissing { names, .. } => {
                names.iter().all(|name| name.contains(char::is_whitespace))
            }
            Self::DocLineTooLong
            | Self::DocSingleSpace
            | Self::DocHeadingInDefinition
            | Self::DocHeadingNotFirst
            | Self::DocDuplicateFeatures
            | Self::DocFeaturesExpected
            | Self::DocDescriptionAfterSection(_)
            | Self::DocDescriptionInFreeForm(_)
            | Self::DocObsoleteSection { .. }
            | Self::DocDeIndent { .. }
            | Self::DocDuplicateSection(_)
            | Self::DocEmptySection(_)
            | Self::DocMissing
            | Self::DocReturnsNothing
            | Self::DocOnlyForCommands(_)
            | Self::OldDocEmptySection(_)
            | Self::OldDocCannotFollow { .. }
            | Self::OldDocReturns
            | Self::Undocumented(_) => true,
            _ => false,
        }
    }
}

impl Problem {
    /// Whether the schema and the options can be used all the same, whatever
    /// they are to be used for.
    ///
    /// Several schemas share one configuration, so that a symbol is unused in
    /// one of them is no error; and rustc's limit is one that a crate can set.
    #[must_use]
    pub fn is_harmless(&self) -> bool {
        matches!(self, Self::ConfigUnused(_) | Self::NestedTypes { .. })
    }
}

/// The tokens that were expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// What an object begins with.
    KeyOrBrace,
    /// Between a key and its value.
    Colon,
    /// After a value in an object.
    CommaOrBrace,
    /// A key, after a comma.
    Key,
    /// What an array begins with.
    ValueOrBracket,
    /// After a value in an array.
    CommaOrBracket,
    /// A value.
    Value,
}

/// What to write instead of an obsolete documentation section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkupAdvice {
    /// A note.
    Note,
    /// An example.
    Example,
}

impl Problem {
    /// Sets the definition that has the parts which the problem names, unless
    /// it is already set.
    pub(super) fn set_owner(&mut self, owner: &Owner) {
        match self {
            Self::UnknownType { user: part, .. }
            | Self::CannotUse { user: part, .. }
            | Self::Indistinct { branch: part, .. } => part.set_owner(owner),
            Self::Collision { what, with } => {
                what.set_owner(owner);
                with.set_owner(owner);
            }
            _ => {}
        }
    }
}

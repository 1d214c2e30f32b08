//! The list of all problems.
//!
//! In: what the stages find. Out: one enum, in the order of the stages. The
//! words are in `wording/`.

use super::backend_problem::BackendProblem;
use super::definition_kind::DefinitionKind;
use super::definition_part::{DefinitionPart, Owner, TypeName};
use super::message_subject::{Key, MessageSubject};
use super::problem_kinds::problem_kinds;
use super::site::Site;

problem_kinds! {
    /// A problem with a schema or with the options of a back end.
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
        /// A file that includes itself, directly or through other files.
        InclusionLoop { include: String },

        // Tokens.
        /// A string that does not end on its line.
        UnterminatedString,
        /// A backslash before anything but a backslash.
        UnknownEscape(char),
        /// A character in a string that is not printable ASCII.
        FunnyCharacter,
        /// Text that is not a token.
        Stray(String),

        // Expressions.
        /// A token where another one is expected.
        Expected(Expected),
        /// A key that occurs twice in an object.
        DuplicateKey { key: String, previous: Site },
        /// Objects and arrays nested too deeply.
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
        /// The line that names the definition does not end with a colon.
        DocSymbolColon,
        /// The line that should name the definition contains no name.
        DocSymbolMissing,
        /// A second `Features:`.
        DocDuplicateFeatures,
        /// A `Features:` without features.
        DocFeaturesExpected,
        /// A description of a member after a section.
        DocDescriptionAfterSection(String),
        /// A description of a member in a block without a definition.
        DocDescriptionInFreeForm(String),
        /// A section that newer releases write as reStructuredText.
        DocObsoleteSection { tag: String, advice: MarkupAdvice },
        /// A line with less indentation than the first line of its section.
        DocDeIndent { expected: usize },
        /// A description without a name.
        DocEmptyName,
        /// A second description of the same member or feature.
        DocDuplicateName(String),
        /// A second section of a kind that a block may contain only once.
        DocDuplicateSection(&'static str),
        /// A section without text.
        DocEmptySection(&'static str),
        /// A block for a definition that does not follow.
        DocWithoutDefinition(String),
        /// A definition after a free-form block.
        DocWithoutSymbol,
        /// A definition after the block of another definition.
        DocForOther(String),
        /// A definition without documentation in a schema that requires it.
        DocMissing,
        /// `Returns` for a command that returns nothing.
        DocReturnsNothing,
        /// A section that is allowed only for commands.
        DocOnlyForCommands(&'static str),

        // Documentation comments by the rules of QEMU 7.2, where its messages
        // differ.
        /// A section without text. It has this tag, or describes what has this
        /// name.
        OldDocEmptySection(String),
        /// A description of a member after a section, which may have a tag.
        OldDocCannotFollow {
            name: String,
            section: Option<&'static str>,
        },
        /// `Returns:` for a definition that is not a command.
        OldDocReturns,

        // Single definitions.
        /// An expression that does not have exactly one of the keys that
        /// introduce definitions.
        NotOneDefinition,
        /// A name that is not a string.
        NameNotString(MessageSubject),
        /// A name that is not valid.
        NameInvalid(MessageSubject),
        /// A name that is not spelled as names of events must be.
        NameUpper(MessageSubject),
        /// A name that is not spelled as names of commands, members, values and
        /// features must be.
        NameLower(MessageSubject),
        /// A name that is not spelled as names of types must be.
        NameCamel(MessageSubject),
        /// A type with a name like that of an array.
        NameList(DefinitionKind),
        /// A name that QEMU's C generator reserves.
        NameReserved(MessageSubject),
        /// Required keys that are missing.
        KeysMissing { of: MessageSubject, keys: Vec<String> },
        /// Keys that are not allowed.
        KeysUnknown {
            of: MessageSubject,
            keys: Vec<String>,
            valid: Vec<&'static str>,
        },
        /// A flag with another value than the only one allowed.
        FlagValue { flag: &'static str, only: bool },
        /// Flags that exclude each other.
        FlagsIncompatible,
        /// A condition that is not a valid configuration symbol.
        ConditionSymbol { of: MessageSubject, symbol: String },
        /// A condition that is neither a string nor an object.
        ConditionType(MessageSubject),
        /// A condition with several operators.
        ConditionKeys(MessageSubject),
        /// Operands that are not an array.
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
        /// A value that must not be an array, in QEMU 7.2's words.
        OldArray(MessageSubject),
        /// An array that does not contain exactly one type name.
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
        /// Two names with the same C identifier.
        Collision { what: DefinitionPart, with: DefinitionPart },
        /// A special feature of a type.
        SpecialFeature(String),
        /// A base that is not a struct.
        BaseNotStruct(TypeName),
        /// A type that contains itself, without an array in between.
        ContainsItself(String),
        /// Types that contain each other too deeply.
        ContainsTooDeeply { name: String, limit: usize },
        /// A discriminator that is not a member of the base.
        DiscriminatorMissing(String),
        /// A discriminator that is optional, conditional, or not an enum.
        DiscriminatorKind {
            name: String,
            base: Option<String>,
            must: &'static str,
        },
        /// A union over an enum without values.
        NoBranches,
        /// A branch whose name is not a value of the discriminator.
        BranchNotValue { branch: String, of: TypeName },
        /// A type that a part of a definition cannot have.
        CannotUse { user: DefinitionPart, ty: TypeName },
        /// Branches of an alternate with the same JSON type.
        Indistinct { branch: DefinitionPart, other: String },
        /// A type that cannot be used for arguments or replies.
        CannotTake {
            kind: DefinitionKind,
            key: Key,
            ty: TypeName,
        },
        /// A type that requires `boxed`.
        NeedsBoxed { kind: DefinitionKind, ty: TypeName },
        /// Conditional members that require `boxed`.
        ConditionalNeedsBoxed(DefinitionKind),
        /// A member or feature that the documentation does not describe.
        Undocumented(DefinitionPart),
        /// Described members or features that do not exist.
        DocumentedMissing { features: bool, names: Vec<String> },
        /// More features than QEMU's bit set can hold.
        TooManyFeatures { limit: usize },

        /// A problem that a back end found.
        Backend(Box<BackendProblem>),
    }
}

impl From<BackendProblem> for Problem {
    fn from(problem: BackendProblem) -> Self {
        Self::Backend(Box::new(problem))
    }
}

impl Problem {
    /// Returns the kind of problem: the name of the variant, or the back end's
    /// name of the kind.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Backend(problem) => problem.kind,
            _ => self.variant_name(),
        }
    }

    /// Returns whether the problem is only about the form or completeness of
    /// documentation. Such rules differ between releases of QEMU, and do not
    /// prevent compiling a schema. Documentation that contradicts its
    /// definition is not a problem of style.
    #[must_use]
    pub fn is_style(&self) -> bool {
        match self {
            // A text with white space is not a name, so the author did not mean
            // a description.
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
    /// Returns whether the schema can be used in spite of the problem, whatever
    /// the caller wants to do with the schema.
    #[must_use]
    pub fn is_harmless(&self) -> bool {
        matches!(self, Self::Backend(problem) if problem.is_harmless)
    }
}

/// The tokens that are expected at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The tokens at the start of an object.
    KeyOrBrace,
    /// The token after a key.
    Colon,
    /// The tokens after a value in an object.
    CommaOrBrace,
    /// The token after a comma in an object.
    Key,
    /// The tokens at the start of an array.
    ValueOrBracket,
    /// The tokens after a value in an array.
    CommaOrBracket,
    /// The tokens with which a value begins.
    Value,
}

/// The markup to use instead of an obsolete section of documentation.
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

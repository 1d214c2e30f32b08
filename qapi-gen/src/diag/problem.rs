//! The list of all problems.
//!
//! In: what the stages find. Out: one enum, in the order of the stages, with
//! the message of each problem. Where QEMU's generator has a message, the words
//! are exactly QEMU's, mistakes included. Places are not known here.

use std::fmt;

use super::backend_problem::BackendProblem;
use super::definition_kind::DefinitionKind;
use super::definition_part::{DefinitionPart, Owner, TypeName};
use super::message_subject::{Key, MessageSubject};
use super::problem_kinds::problem_kinds;
use super::quoted::{Quoted, plural};
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
        SchemaUnreadable { path: String, reason: String } =>
            "can't read schema file '{path}': {reason}";
        /// A file to be included cannot be read.
        IncludeUnreadable { path: String, reason: String } =>
            "can't read include file '{path}': {reason}";
        /// A file is not UTF-8.
        NotUtf8 => "file is not UTF-8 from here on";
        /// A file that includes itself, directly or through other files.
        InclusionLoop { include: String } => "inclusion loop for {include}";

        // Tokens.
        /// A string that does not end on its line.
        UnterminatedString => "missing terminating \"'\"";
        /// A backslash before anything but a backslash.
        UnknownEscape(character: char) => "unknown escape \\{character}";
        /// A character in a string that is not printable ASCII.
        FunnyCharacter => "funny character in string";
        /// Text that is not a token.
        Stray(text: String) => "stray '{text}'";

        // Expressions.
        /// A token where another one is expected.
        Expected(expected: Expected) => "{expected}";
        /// A key that occurs twice in an object.
        DuplicateKey { key: String, previous: Site } => "duplicate key '{key}'";
        /// Objects and arrays nested too deeply.
        NestedTooDeeply { limit: usize } => "objects and arrays nest more than {limit} levels deep";
        /// A top-level expression that is not an object.
        TopLevelNotObject => "top-level expression must be an object";

        // Directives.
        /// A directive with further keys.
        InvalidDirective(directive: &'static str) => "invalid '{directive}' directive";
        /// A directive whose value has the wrong type.
        DirectiveValue { directive: &'static str, expected: &'static str } =>
            "value of '{directive}' must be {expected}";
        /// A pragma that does not exist.
        UnknownPragma(name: String) => "unknown pragma '{name}'";
        /// A pragma that takes a boolean.
        PragmaNotBoolean(name: &'static str) => "pragma '{name}' must be boolean";
        /// A pragma that takes a list of strings.
        PragmaNotStrings(name: &'static str) => "pragma {name} must be a list of strings";

        // Documentation comments.
        /// Text after the first `##`.
        DocJunkAtStart => "junk after '##' at start of documentation comment";
        /// Text after the last `##`.
        DocJunkAtEnd => "junk after '##' at end of documentation comment";
        /// A block without a last `##`.
        DocUnterminated => "documentation comment must end with '##'";
        /// A line that does not begin with `# `.
        DocMissingSpace => "missing space after #";
        /// A line that is too long.
        DocLineTooLong => "documentation line longer than 70 characters";
        /// A heading in the documentation of a definition.
        DocHeadingInDefinition => "unexpected '=' markup in definition documentation";
        /// A heading that is not its block's first line.
        DocHeadingNotFirst => "'=' heading must come first in a comment block";
        /// A sentence that begins after a single space.
        DocSingleSpace =>
            "Use two spaces between sentences\n\
             If this not the end of a sentence, please report a bug.";
        /// The line that names the definition does not end with a colon.
        DocSymbolColon => "line should end with ':'";
        /// The line that should name the definition contains no name.
        DocSymbolMissing => "name required after '@'";
        /// A second `Features:`.
        DocDuplicateFeatures => "duplicated 'Features:' line";
        /// A `Features:` without features.
        DocFeaturesExpected => "feature descriptions expected";
        /// A description of a member after a section.
        DocDescriptionAfterSection(name: String) => "description of '@{name}:' follows a section";
        /// A description of a member in a block without a definition.
        DocDescriptionInFreeForm(name: String) =>
            "'@{name}:' not allowed in free-form documentation";
        /// A section that newer releases write as reStructuredText.
        DocObsoleteSection { tag: String, advice: MarkupAdvice } =>
            "The '{tag}' section is no longer supported. Please use {advice} instead.";
        /// A line with less indentation than the first line of its section.
        DocDeIndent { expected: usize } =>
            "unexpected de-indent (expected at least {expected} spaces)";
        /// A description without a name.
        DocEmptyName => "invalid parameter name";
        /// A second description of the same member or feature.
        DocDuplicateName(name: String) => "'{name}' parameter name duplicated";
        /// A second section of a kind that a block may contain only once.
        DocDuplicateSection(tag: &'static str) => "duplicated '{tag}' section";
        /// A section without text.
        DocEmptySection(title: String) => "text required after '{title}:'";
        /// A block for a definition that does not follow.
        DocWithoutDefinition(name: String) =>
            "documentation for '{name}' is not followed by the definition";
        /// A definition after a free-form block.
        DocWithoutSymbol => "definition documentation required";
        /// A definition after the block of another definition.
        DocForOther(name: String) => "documentation comment is for '{name}'";
        /// A definition without documentation in a schema that requires it.
        DocMissing => "documentation comment required";
        /// `Returns` for a command that returns nothing.
        DocReturnsNothing => "'Returns' section, but command doesn't return anything";
        /// A section that is allowed only for commands.
        DocOnlyForCommands(tag: &'static str) => "'{tag}' section is only valid for commands";

        // Documentation comments by the rules of QEMU 7.2, where its messages
        // differ.
        /// A section without text. It has this tag, or describes what has this
        /// name.
        OldDocEmptySection(name: String) => "empty doc section '{name}'";
        /// A description of a member after a section, which may have a tag.
        OldDocCannotFollow { name: String, section: Option<&'static str> } =>
            "'@{name}:' can't follow '{}' section", section.unwrap_or("None");
        /// `Returns:` for a definition that is not a command.
        OldDocReturns => "'Returns:' is only valid for commands";

        // Single definitions.
        /// An expression that does not have exactly one of the keys that
        /// introduce definitions.
        NotOneDefinition { keys: Vec<String> } =>
            "expression must have exactly one key \
             'enum', 'struct', 'union', 'alternate', 'command', 'event'";
        /// A name that is not a string.
        NameNotString(of: MessageSubject) => "{of} requires a string name";
        /// A name that is not valid.
        NameInvalid(of: MessageSubject) => "{of} has an invalid name";
        /// A name that is not spelled as names of events must be.
        NameUpper(of: MessageSubject) => "name of {of} must not use lowercase or '-'";
        /// A name that is not spelled as names of commands, members, values and
        /// features must be.
        NameLower(of: MessageSubject) => "name of {of} must not use uppercase or '_'";
        /// A name that is not spelled as names of types must be.
        NameCamel(of: MessageSubject) => "name of {of} must use CamelCase";
        /// A type with a name like that of an array.
        NameList(kind: DefinitionKind) => "{kind} name should not end in 'List'";
        /// A name that QEMU's C generator reserves.
        NameReserved(of: MessageSubject) => "{of} uses reserved name";
        /// Required keys that are missing.
        KeysMissing { of: MessageSubject, keys: Vec<String>, unknown: Vec<String> } =>
            "{of} misses key{} {}", plural(keys), Quoted(keys);
        /// Keys that are not allowed.
        KeysUnknown { of: MessageSubject, keys: Vec<String>, valid: Vec<&'static str> } =>
            "{of} has unknown key{} {}\nValid keys are {}.",
            plural(keys), Quoted(keys), Quoted(valid);
        /// A flag with another value than the only one allowed.
        FlagValue { flag: &'static str, only: bool } => "flag '{flag}' may only use {only} value";
        /// Flags that exclude each other.
        FlagsIncompatible => "flags 'allow-oob' and 'coroutine' are incompatible";
        /// A condition that is not a valid configuration symbol.
        ConditionSymbol { of: MessageSubject, symbol: String } =>
            "'if' condition '{symbol}' of {of} is not a valid identifier";
        /// A condition that is neither a string nor an object.
        ConditionType(of: MessageSubject) => "'if' condition of {of} must be a string or an object";
        /// A condition with several operators.
        ConditionKeys(of: MessageSubject) => "'if' condition of {of} has conflicting keys";
        /// Operands that are not an array.
        ConditionOperands { of: MessageSubject, operator: &'static str } =>
            "'{operator}' condition of {of} must be an array";
        /// An operator without operands.
        ConditionEmpty(of: MessageSubject) => "'if' condition [] of {of} is useless";
        /// A value that must be an array.
        NotArray(key: Key) => "{key} must be an array";
        /// A value that must be an object.
        NotObject(key: Key) => "{key} must be an object";
        /// A value that must be a string.
        NotString(key: Key) => "{key} must be a string";
        /// A value that must not be empty.
        Empty(key: Key) => "{key} must not be empty";
        /// A value that must be an object or a type name.
        NotObjectOrType(of: MessageSubject) => "{of} should be an object or type name";
        /// A value that must be a type name.
        NotType(of: MessageSubject) => "{of} should be a type name";
        /// A value that must be a type name or an array of one.
        NotTypeOrArray(of: MessageSubject) => "{of} should be a type name or array";
        /// A value that must not be an array, in QEMU 7.2's words.
        OldArray(of: MessageSubject) => "{of} cannot be an array";
        /// An array that does not contain exactly one type name.
        ArrayType(of: MessageSubject) => "{of}: array type must contain single type name";
        /// `boxed` without `data`.
        BoxedWithoutData => "'boxed': true requires 'data'";

        // All definitions together.
        /// A name that is defined twice.
        Redefined { name: String, previous: Option<Site>, predefined: Option<TypeName> } =>
            "{} is already defined",
            match predefined {
                Some(ty) => ty.to_string(),
                None => format!("'{name}'"),
            };
        /// A type that does not exist.
        UnknownType { user: DefinitionPart, name: String, similar: Option<String> } =>
            "{user} uses unknown type '{name}'";
        /// An array whose elements are arrays.
        ArrayOfArrays { element: TypeName } => "array cannot have elements of {element}";
        /// Two names with the same C identifier.
        Collision { what: DefinitionPart, with: DefinitionPart } => "{what} collides with {with}";
        /// A special feature of a type.
        SpecialFeature(name: String) => "feature '{name}' is not supported for types";
        /// A base that is not a struct.
        BaseNotStruct(ty: TypeName) => "'base' requires a struct type, {ty} isn't";
        /// A type that contains itself, without an array in between.
        ContainsItself(name: String) => "object {name} contains itself";
        /// Types that contain each other too deeply.
        ContainsTooDeeply { name: String, limit: usize } =>
            "object {name} contains others more than {limit} levels deep";
        /// A discriminator that is not a member of the base.
        DiscriminatorMissing { name: String, similar: Option<String> } =>
            "discriminator '{name}' is not a member of 'base'";
        /// A discriminator that is optional, conditional, or not an enum.
        DiscriminatorKind { name: String, base: Option<String>, must: &'static str } =>
            "discriminator member '{name}' of {} must {must}",
            match base {
                Some(base) => format!("base type '{base}'"),
                None => "'base'".to_owned(),
            };
        /// A union over an enum without values.
        NoBranches => "union has no branches";
        /// A branch whose name is not a value of the discriminator.
        BranchNotValue { branch: String, of: TypeName, similar: Option<String> } =>
            "branch '{branch}' is not a value of {of}";
        /// A type that a part of a definition cannot have.
        CannotUse { user: DefinitionPart, ty: TypeName } => "{user} cannot use {ty}";
        /// Branches of an alternate with the same JSON type.
        Indistinct { branch: DefinitionPart, other: String } =>
            "{branch} can't be distinguished from '{other}'";
        /// A type that cannot be used for arguments or replies.
        CannotTake { kind: DefinitionKind, key: Key, ty: TypeName } =>
            "{kind}'s {key} cannot take {ty}";
        /// A type that requires `boxed`.
        NeedsBoxed { kind: DefinitionKind, ty: TypeName } =>
            "{kind}'s 'data' can take {ty} only with 'boxed': true";
        /// Conditional members that require `boxed`.
        ConditionalNeedsBoxed(kind: DefinitionKind) =>
            "conditional {kind} arguments require 'boxed': true";
        /// A member or feature that the documentation does not describe.
        Undocumented(part: DefinitionPart) => "{part} lacks documentation";
        /// Described members or features that do not exist.
        DocumentedMissing { features: bool, names: Vec<String>, similar: Option<String> } =>
            "documented {}{} {} {} not exist",
            if *features { "feature" } else { "member" },
            plural(names),
            Quoted(names),
            if names.len() > 1 { "do" } else { "does" };
        /// More features than QEMU's bit set can hold.
        TooManyFeatures { limit: usize } => "Maximum of {limit} schema features is permitted";

        /// A problem that a back end found.
        Backend(problem: Box<BackendProblem>) => "{}", problem.message;
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

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeyOrBrace => "expected string or '}'",
            Self::Colon => "expected ':'",
            Self::CommaOrBrace => "expected ',' or '}'",
            Self::Key => "expected string",
            Self::ValueOrBracket => "expected '{', '[', ']', string, or boolean",
            Self::CommaOrBracket => "expected ',' or ']'",
            Self::Value => "expected '{', '[', string, or boolean",
        })
    }
}

impl fmt::Display for MarkupAdvice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => {
                "rST's '.. note::' or '.. admonition:: notes' directives, \
                 or another suitable admonition"
            }
            Self::Example => "the '.. qmp-example::' directive, or other suitable markup",
        })
    }
}

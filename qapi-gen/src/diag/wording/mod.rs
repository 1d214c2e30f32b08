//! The words of every message.
//!
//! In: a problem. Out: English. Where QEMU's generator has a message for the
//! problem, the words are exactly QEMU's, mistakes included. Places are not
//! known here.

use std::fmt::{self, Display as _};

mod quoted;

use super::definition_part::{DefinitionPart, Owner, TypeName};
use super::problem::{Expected, MarkupAdvice, Problem};
pub(crate) use quoted::{Quoted, plural};

/// The words for the other place of [`Problem::Redefined`].
pub(super) const PREVIOUS_DEFINITION: &str = "previous definition";
/// The words for the other place of [`Problem::DuplicateKey`].
pub(super) const PREVIOUS_KEY: &str = "the same key before";

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // There is one function for each stage, which passes problems of other
        // stages on to the next function.
        reading(self, f)
    }
}

fn reading(problem: &Problem, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use Problem as P;
    match problem {
        P::SchemaUnreadable { path, reason } => {
            write!(f, "can't read schema file '{path}': {reason}")
        }
        P::IncludeUnreadable { path, reason } => {
            write!(f, "can't read include file '{path}': {reason}")
        }
        P::NotUtf8 => f.write_str("file is not UTF-8 from here on"),
        P::InclusionLoop { include } => write!(f, "inclusion loop for {include}"),
        P::UnterminatedString => f.write_str("missing terminating \"'\""),
        P::UnknownEscape(c) => write!(f, "unknown escape \\{c}"),
        P::FunnyCharacter => f.write_str("funny character in string"),
        P::Stray(text) => write!(f, "stray '{text}'"),
        P::Expected(expected) => expected.fmt(f),
        P::DuplicateKey { key, .. } => write!(f, "duplicate key '{key}'"),
        P::NestedTooDeeply { limit } => {
            write!(f, "objects and arrays nest more than {limit} levels deep")
        }
        P::TopLevelNotObject => f.write_str("top-level expression must be an object"),
        P::InvalidDirective(directive) => write!(f, "invalid '{directive}' directive"),
        P::DirectiveValue {
            directive,
            expected,
        } => {
            write!(f, "value of '{directive}' must be {expected}")
        }
        P::UnknownPragma(name) => write!(f, "unknown pragma '{name}'"),
        P::PragmaNotBoolean(name) => write!(f, "pragma '{name}' must be boolean"),
        P::PragmaNotStrings(name) => write!(f, "pragma {name} must be a list of strings"),
        _ => comments(problem, f),
    }
}

fn comments(problem: &Problem, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use Problem as P;
    match problem {
        P::DocJunkAtStart => f.write_str("junk after '##' at start of documentation comment"),
        P::DocJunkAtEnd => f.write_str("junk after '##' at end of documentation comment"),
        P::DocUnterminated => f.write_str("documentation comment must end with '##'"),
        P::DocMissingSpace => f.write_str("missing space after #"),
        P::DocLineTooLong => f.write_str("documentation line longer than 70 characters"),
        P::DocHeadingInDefinition => {
            f.write_str("unexpected '=' markup in definition documentation")
        }
        P::DocHeadingNotFirst => f.write_str("'=' heading must come first in a comment block"),
        P::DocSingleSpace => f.write_str(
            "Use two spaces between sentences\n\
             If this not the end of a sentence, please report a bug.",
        ),
        P::DocSymbolColon => f.write_str("line should end with ':'"),
        P::DocSymbolMissing => f.write_str("name required after '@'"),
        P::DocDuplicateFeatures => f.write_str("duplicated 'Features:' line"),
        P::DocFeaturesExpected => f.write_str("feature descriptions expected"),
        P::DocDescriptionAfterSection(name) => {
            write!(f, "description of '@{name}:' follows a section")
        }
        P::DocDescriptionInFreeForm(name) => {
            write!(f, "'@{name}:' not allowed in free-form documentation")
        }
        P::DocObsoleteSection { tag, advice } => {
            write!(
                f,
                "The '{tag}' section is no longer supported. Please use {advice} instead."
            )
        }
        P::DocDeIndent { expected } => {
            write!(
                f,
                "unexpected de-indent (expected at least {expected} spaces)"
            )
        }
        P::DocEmptyName => f.write_str("invalid parameter name"),
        P::DocDuplicateName(name) => write!(f, "'{name}' parameter name duplicated"),
        P::DocDuplicateSection(tag) => write!(f, "duplicated '{tag}' section"),
        P::DocEmptySection(tag) => write!(f, "text required after '{tag}:'"),
        P::DocWithoutDefinition(name) => {
            write!(
                f,
                "documentation for '{name}' is not followed by the definition"
            )
        }
        P::DocWithoutSymbol => f.write_str("definition documentation required"),
        P::DocForOther(name) => write!(f, "documentation comment is for '{name}'"),
        P::DocMissing => f.write_str("documentation comment required"),
        P::DocReturnsNothing => {
            f.write_str("'Returns' section, but command doesn't return anything")
        }
        P::DocOnlyForCommands(tag) => write!(f, "'{tag}' section is only valid for commands"),
        P::OldDocEmptySection(name) => write!(f, "empty doc section '{name}'"),
        P::OldDocCannotFollow { name, section } => {
            let section = section.unwrap_or("None");
            write!(f, "'@{name}:' can't follow '{section}' section")
        }
        P::OldDocReturns => f.write_str("'Returns:' is only valid for commands"),
        _ => definitions(problem, f),
    }
}

fn definitions(problem: &Problem, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use Problem as P;
    match problem {
        P::NotOneDefinition => f.write_str(
            "expression must have exactly one key \
             'enum', 'struct', 'union', 'alternate', 'command', 'event'",
        ),
        P::NameNotString(of) => write!(f, "{of} requires a string name"),
        P::NameInvalid(of) => write!(f, "{of} has an invalid name"),
        P::NameUpper(of) => write!(f, "name of {of} must not use lowercase or '-'"),
        P::NameLower(of) => write!(f, "name of {of} must not use uppercase or '_'"),
        P::NameCamel(of) => write!(f, "name of {of} must use CamelCase"),
        P::NameList(kind) => write!(f, "{kind} name should not end in 'List'"),
        P::NameReserved(of) => write!(f, "{of} uses reserved name"),
        P::KeysMissing { of, keys } => {
            write!(f, "{of} misses key{} {}", plural(keys), Quoted(keys))
        }
        P::KeysUnknown { of, keys, valid } => {
            writeln!(f, "{of} has unknown key{} {}", plural(keys), Quoted(keys))?;
            write!(f, "Valid keys are {}.", Quoted(valid))
        }
        P::FlagValue { flag, only } => write!(f, "flag '{flag}' may only use {only} value"),
        P::FlagsIncompatible => f.write_str("flags 'allow-oob' and 'coroutine' are incompatible"),
        P::NotArray(key) => write!(f, "{key} must be an array"),
        P::NotObject(key) => write!(f, "{key} must be an object"),
        P::NotString(key) => write!(f, "{key} must be a string"),
        P::Empty(key) => write!(f, "{key} must not be empty"),
        P::NotObjectOrType(of) => write!(f, "{of} should be an object or type name"),
        P::NotType(of) => write!(f, "{of} should be a type name"),
        P::NotTypeOrArray(of) => write!(f, "{of} should be a type name or array"),
        P::OldArray(of) => write!(f, "{of} cannot be an array"),
        P::ArrayType(of) => write!(f, "{of}: array type must contain single type name"),
        P::BoxedWithoutData => f.write_str("'boxed': true requires 'data'"),
        _ => conditions(problem, f),
    }
}

fn conditions(problem: &Problem, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use Problem as P;
    match problem {
        P::ConditionSymbol { of, symbol } => {
            write!(
                f,
                "'if' condition '{symbol}' of {of} is not a valid identifier"
            )
        }
        P::ConditionType(of) => write!(f, "'if' condition of {of} must be a string or an object"),
        P::ConditionKeys(of) => write!(f, "'if' condition of {of} has conflicting keys"),
        P::ConditionOperands { of, operator } => {
            write!(f, "'{operator}' condition of {of} must be an array")
        }
        P::ConditionEmpty(of) => write!(f, "'if' condition [] of {of} is useless"),
        _ => types(problem, f),
    }
}

fn types(problem: &Problem, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use Problem as P;
    match problem {
        P::Redefined {
            predefined: Some(ty),
            ..
        } => write!(f, "{ty} is already defined"),
        P::Redefined { name, .. } => write!(f, "'{name}' is already defined"),
        P::UnknownType { user, name, .. } => write!(f, "{user} uses unknown type '{name}'"),
        P::ArrayOfArrays { element } => write!(f, "array cannot have elements of {element}"),
        P::Collision { what, with } => write!(f, "{what} collides with {with}"),
        P::SpecialFeature(name) => write!(f, "feature '{name}' is not supported for types"),
        P::BaseNotStruct(ty) => write!(f, "'base' requires a struct type, {ty} isn't"),
        P::ContainsItself(name) => write!(f, "object {name} contains itself"),
        P::ContainsTooDeeply { name, limit } => {
            write!(
                f,
                "object {name} contains others more than {limit} levels deep"
            )
        }
        P::DiscriminatorMissing(name) => {
            write!(f, "discriminator '{name}' is not a member of 'base'")
        }
        P::DiscriminatorKind {
            name,
            base: None,
            must,
        } => {
            write!(f, "discriminator member '{name}' of 'base' must {must}")
        }
        P::DiscriminatorKind {
            name,
            base: Some(base),
            must,
        } => {
            write!(
                f,
                "discriminator member '{name}' of base type '{base}' must {must}"
            )
        }
        P::NoBranches => f.write_str("union has no branches"),
        P::BranchNotValue { branch, of } => write!(f, "branch '{branch}' is not a value of {of}"),
        P::CannotUse { user, ty } => write!(f, "{user} cannot use {ty}"),
        P::Indistinct { branch, other } => {
            write!(f, "{branch} can't be distinguished from '{other}'")
        }
        _ => interfaces(problem, f),
    }
}

fn interfaces(problem: &Problem, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use Problem as P;
    match problem {
        P::CannotTake { kind, key, ty } => write!(f, "{kind}'s {key} cannot take {ty}"),
        P::NeedsBoxed { kind, ty } => {
            write!(f, "{kind}'s 'data' can take {ty} only with 'boxed': true")
        }
        P::ConditionalNeedsBoxed(kind) => {
            write!(f, "conditional {kind} arguments require 'boxed': true")
        }
        P::Undocumented(role) => write!(f, "{role} lacks documentation"),
        P::DocumentedMissing { features, names } => {
            let what = if *features { "feature" } else { "member" };
            let verb = if names.len() > 1 { "do" } else { "does" };
            write!(
                f,
                "documented {what}{} {} {verb} not exist",
                plural(names),
                Quoted(names)
            )
        }
        P::TooManyFeatures { limit } => {
            write!(f, "Maximum of {limit} schema features is permitted")
        }
        P::Backend(problem) => f.write_str(&problem.message),
        // The functions of the other stages have handled all other problems.
        _ => Ok(()),
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

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Builtin(name) => write!(f, "built-in type '{name}'"),
            Self::Array(element) => write!(f, "array type ['{element}']"),
            Self::Defined(kind, name) => write!(f, "{kind} type '{name}'"),
        }
    }
}

impl fmt::Display for DefinitionPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut part = |role: &str, name: &str, owner: &Option<Owner>| {
            write!(f, "{role} '{name}'")?;
            match owner {
                Some(Owner { kind, name }) => write!(f, " of {kind} '{name}'"),
                None => Ok(()),
            }
        };
        match self {
            Self::Member(name, owner) => part("member", name, owner),
            Self::BaseMember(name, owner) => part("base member", name, owner),
            Self::Parameter(name, owner) => part("parameter", name, owner),
            Self::Branch(name, owner) => part("branch", name, owner),
            Self::Value(name, owner) => part("value", name, owner),
            Self::Feature(name, owner) => part("feature", name, owner),
            Self::Definition(kind) => kind.fmt(f),
            Self::Base => f.write_str("'base'"),
            Self::Slot(kind, key) => write!(f, "{kind}'s {key}"),
        }
    }
}

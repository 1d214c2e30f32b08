//! The rules that a schema must follow.
//!
//! In: the release and the style that a user chooses. Out: the facts that
//! differ between releases of QEMU. What a rule checks is not known here, and
//! no other file compares releases.

use std::ops::RangeInclusive;

use crate::diag::Style;

/// A release of QEMU that changed the rules of schemas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Rules {
    /// QEMU 7.2: indentation divides documentation into sections, notes and
    /// examples are sections, and members need not be described.
    V7_2,
    /// QEMU 10.0: documentation has no headings within definitions, and lines
    /// may be formatted freely.
    V10_0,
    /// QEMU 10.2: lines of documentation have at most 70 characters, and two
    /// spaces separate sentences.
    #[default]
    V10_2,
}

impl Rules {
    /// Returns whether a fact is true of this release.
    pub(crate) fn have(self, fact: Fact) -> bool {
        fact.releases().contains(&self)
    }
}

/// A statement about QEMU's generator that is true of some releases only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    // Which rules there are.
    /// The pragma `documentation-exceptions` exists.
    DocumentationExceptions,
    /// A schema has at most 64 different features.
    LimitedFeatures,
    /// A branch of a union may be a union.
    UnionBranches,
    /// Conditional arguments require `'boxed': true`.
    ConditionalArgumentsBoxed,
    /// Documentation must describe every member.
    MembersDescribed,
    /// Sections `Returns` and `Errors` are checked against the definition; 7.2
    /// allows `Returns` for all commands, and knows no `Errors`.
    ReplySectionsChecked,
    /// A heading must be the first line of a free-form block.
    HeadingsRestricted,
    /// Documentation lines are limited in length, and sentences are two spaces
    /// apart.
    LinesFormatted,

    // How documentation is read.
    /// A section of documentation continues until something else begins, and
    /// its lines are indented as far as the text of its first line.
    SectionsByTag,

    // When a problem is found.
    /// A command's arguments are checked where the command is; in 7.2 they are
    /// checked where their type is defined.
    ArgumentsCheckedFirst,
    /// A struct's members that are not an object are found only after all
    /// definitions.
    StructDataCheckedLate,
    /// Described members that do not exist are found only after all
    /// definitions. In 7.2 the message names the start of the block, and in
    /// later releases the first such description.
    DescriptionsCheckedLate,

    // How messages are worded.
    /// A stray token is quoted up to its first double quote.
    StrayEndsAtQuote,
    /// Messages name the command or event that has a parameter.
    ParametersHaveOwners,
    /// Messages about types differ for arrays.
    ArraysHaveOwnMessages,

    // How a schema is dumped.
    /// The built-in enum `QType` has a prefix for C.
    QTypeHasPrefix,
    /// Each heading in free-form documentation begins another block.
    HeadingsBeginBlocks,
    /// A section without a tag is called `None`, and `TODO` is not respelled.
    TagsVerbatim,
    /// The text of a section is stored without its first line's indentation.
    SectionTextTrimmed,
}

impl Fact {
    /// Returns the releases of which the fact is true.
    fn releases(self) -> RangeInclusive<Rules> {
        match self {
            Self::StrayEndsAtQuote
            | Self::SectionsByTag
            | Self::StructDataCheckedLate
            | Self::ArraysHaveOwnMessages
            | Self::QTypeHasPrefix
            | Self::HeadingsBeginBlocks
            | Self::TagsVerbatim
            | Self::SectionTextTrimmed => Rules::V7_2..=Rules::V7_2,
            Self::DocumentationExceptions
            | Self::LimitedFeatures
            | Self::UnionBranches
            | Self::ConditionalArgumentsBoxed
            | Self::MembersDescribed
            | Self::ReplySectionsChecked
            | Self::ArgumentsCheckedFirst
            | Self::DescriptionsCheckedLate
            | Self::ParametersHaveOwners => Rules::V10_0..=Rules::V10_2,
            Self::HeadingsRestricted => Rules::V10_0..=Rules::V10_0,
            Self::LinesFormatted => Rules::V10_2..=Rules::V10_2,
        }
    }
}

/// The strictness with which a schema is checked.
///
/// The default is as strict as the newest generator. To use a schema rather
/// than to judge it, choose [`Style::Warn`]:
///
/// ```
/// use qapi_gen::{CheckOptions, MemoryLoader, Style, check_with};
///
/// let schema = "##\n# @stop:\n#\n# Note: older markup\n##\n{ 'command': 'stop' }";
/// let files = MemoryLoader::from_iter([("a.json", schema)]);
/// let options = CheckOptions { style: Style::Warn, ..CheckOptions::default() };
/// let outcome = check_with("a.json", &files, options);
/// assert!(outcome.schema.is_some());
/// assert_eq!(outcome.diagnostics.warnings().count(), 1);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckOptions {
    /// The release whose rules the schema follows.
    pub rules: Rules,
    /// The treatment of problems of documentation style.
    pub style: Style,
}

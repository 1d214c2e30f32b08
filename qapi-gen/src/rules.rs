//! The rules that a schema must follow.
//!
//! In: the release and the style that a user chooses. Out: the facts that
//! differ between releases of QEMU. What a rule checks is not known here, and
//! no other file compares releases.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::diag::Style;

/// A release of QEMU that changed the rules of schemas.
///
/// The text form is the number of a release; that of a release without changes
/// has the rules of the release before it:
///
/// ```
/// use qapi_gen::Rules;
///
/// assert_eq!("8.2".parse(), Ok(Rules::V8_1));
/// assert_eq!(Rules::V8_1.to_string(), "8.1");
/// assert!("5.2".parse::<Rules>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Rules {
    /// QEMU 6.1 and earlier, whose schemas can be read with
    /// [`read_with`](crate::read_with), but not checked.
    Historic(Historic),
    /// QEMU 6.2 and 7.0.
    V6_2,
    /// QEMU 7.2, also 7.1 and 8.0: alternates may have arrays, and names of
    /// features follow the conventions.
    V7_2,
    /// QEMU 8.1 and 8.2: branches of unions may be unions, and the second line of
    /// a documented section determines the indentation.
    V8_1,
    /// QEMU 9.0: documentation must describe all members, and its sections end
    /// with their indentation.
    V9_0,
    /// QEMU 9.1: documentation has no sections for notes and examples.
    V9_1,
    /// QEMU 9.2, which checks as 9.1, and prints less of the built-in types.
    V9_2,
    /// QEMU 10.0: documentation has no headings within definitions.
    V10_0,
    /// QEMU 10.1: documentation may have headings anywhere.
    V10_1,
    /// QEMU 10.2 and 11.0: lines of documentation have at most 70 characters, and
    /// two spaces separate sentences.
    V10_2,
    /// QEMU 11.1: the introduction of a definition may be indented, and then all
    /// of it must be.
    #[default]
    V11_1,
}

/// The part of [`Rules::Historic`] that only the compiler can make, so that no
/// schema is checked by rules that it does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Historic(());

impl Rules {
    /// The rules by which schemas are read and not checked.
    pub(crate) const HISTORIC: Self = Self::Historic(Historic(()));

    /// All rules by which schemas can be checked, the oldest first.
    pub const ALL: [Self; 10] = [
        Self::V6_2,
        Self::V7_2,
        Self::V8_1,
        Self::V9_0,
        Self::V9_1,
        Self::V9_2,
        Self::V10_0,
        Self::V10_1,
        Self::V10_2,
        Self::V11_1,
    ];

    /// Returns the rules of a release, which are the newest for a future one, or
    /// `None` if the release is older than all rules.
    #[must_use]
    pub fn of_release(release: (u32, u32)) -> Option<Self> {
        Self::ALL
            .into_iter()
            .rev()
            .find(|rules| rules.first_release() <= release)
    }

    /// Returns the rules that the content of a QEMU tree's file `VERSION` asks
    /// for, or `None` if it has no version. The inner error is that of a release
    /// older than all rules.
    #[must_use]
    pub fn of_version(version: &str) -> Option<Result<Self, UnknownRules>> {
        let mut parts = version.trim().split('.').map(number);
        let (major, minor) = (parts.next()??, parts.next()??);
        let micro = parts.next().unwrap_or(Some(0))?;
        let release = match (major, minor, micro) {
            // QEMU's trees count from 50 on the way to the next release. Since
            // 3.0, three releases share a major number.
            (3.., 2.., 50..) => (major.saturating_add(1), 0),
            (_, _, 50..) => (major, minor.saturating_add(1)),
            _ => (major, minor),
        };
        let unknown = || UnknownRules(version.trim().to_owned());
        Some(Self::of_release(release).ok_or_else(unknown))
    }

    /// Returns the first release with these rules.
    fn first_release(self) -> (u32, u32) {
        match self {
            // The first release whose schemas are read.
            Self::Historic(_) => (2, 8),
            Self::V6_2 => (6, 2),
            Self::V7_2 => (7, 1),
            Self::V8_1 => (8, 1),
            Self::V9_0 => (9, 0),
            Self::V9_1 => (9, 1),
            Self::V9_2 => (9, 2),
            Self::V10_0 => (10, 0),
            Self::V10_1 => (10, 1),
            Self::V10_2 => (10, 2),
            Self::V11_1 => (11, 1),
        }
    }

    /// Returns whether a fact is true of this release.
    pub(crate) fn have(self, fact: Fact) -> bool {
        fact.releases().contains(&self)
    }
}

/// Returns the value of a text that consists of digits.
fn number(text: &str) -> Option<u32> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor) = match self {
            // The release that most people have.
            Self::V7_2 => (7, 2),
            other => other.first_release(),
        };
        write!(f, "{major}.{minor}")
    }
}

impl FromStr for Rules {
    type Err = UnknownRules;

    /// Parses the number of a release, such as `8.2` or `8.2.1`.
    fn from_str(text: &str) -> Result<Self, UnknownRules> {
        let mut parts = text.split('.').map(number);
        let unknown = || UnknownRules(text.to_owned());
        let (Some(Some(major)), Some(Some(minor))) = (parts.next(), parts.next()) else {
            return Err(unknown());
        };
        if parts.any(|part| part.is_none()) {
            return Err(unknown());
        }
        Self::of_release((major, minor)).ok_or_else(unknown)
    }
}

/// The error for a text that is not the number of a release with known rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownRules(String);

impl fmt::Display for UnknownRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let oldest = Rules::V6_2;
        write!(
            f,
            "'{}' is not a release of QEMU with known rules; the oldest is {oldest}",
            self.0
        )
    }
}

impl std::error::Error for UnknownRules {}

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
    /// A branch of an alternate may be an array.
    AlternateArrays,
    /// Names of features must not use upper case or `_`.
    FeatureNamesLower,
    /// Conditional arguments require `'boxed': true`.
    ConditionalArgumentsBoxed,
    /// Documentation must describe every member.
    MembersDescribed,
    /// Sections `Returns` and `Errors` are checked against the definition; until
    /// 8.2 all commands may have `Returns`, and `Errors` is not known.
    ReplySectionsChecked,
    /// A heading must be the first line of a free-form block.
    HeadingsRestricted,
    /// Notes and examples are written as reStructuredText, and a tag with two
    /// colons does not begin a section.
    MarkupReplacesTags,
    /// Documentation lines are limited in length, and sentences are two spaces
    /// apart.
    LinesFormatted,
    /// An introduction that begins with indented lines consists of such lines.
    IntroIndented,

    // How schemas of QEMU 6.1 and earlier are written.
    /// Documentation is not read.
    CommentsIgnored,
    /// Pragmas have no effect.
    PragmasIgnored,
    /// Names and replies need not follow conventions.
    ConventionsIgnored,
    /// A condition is an expression of C's preprocessor, or a list of those that
    /// must all hold.
    ConditionsInC,
    /// A union may have no discriminator.
    SimpleUnions,

    // How documentation is read.
    /// A section of documentation continues until something else begins; later,
    /// it ends with its indentation.
    SectionsByTag,
    /// A section's lines are indented as far as the text of its first line, whose
    /// first word is the tag; later, its second line determines that.
    FirstLineIndents,
    /// A comment after a block is taken for a block.
    CommentAfterBlockIsBlock,

    // When a problem is found.
    /// A command's arguments are checked where the command is; before, they are
    /// checked where their type is defined.
    ArgumentsCheckedFirst,
    /// A struct's members that are not an object are found only after all
    /// definitions.
    StructDataCheckedLate,
    /// Described members that do not exist are found only after all
    /// definitions. Before, the message names the start of the block, and now
    /// the first such description.
    DescriptionsCheckedLate,

    // How messages are worded.
    /// A stray token is quoted up to its first double quote.
    StrayEndsAtQuote,
    /// Messages name the command or event that has a parameter.
    ParametersHaveOwners,
    /// Messages about types differ for arrays.
    ArraysHaveOwnMessages,
    /// The message about a description after a section names the section.
    MessagesNameSection,

    // How a schema is dumped.
    /// The built-in enum `QType` has a prefix for C.
    QTypeHasPrefix,
    /// Each heading in free-form documentation begins another block.
    HeadingsBeginBlocks,
    /// Sections are called by their tags, also in messages: `TODO`, `@member`, and
    /// `None` without a tag.
    TagsVerbatim,
    /// The text of a section is stored without its first line's indentation.
    SectionTextTrimmed,
    /// The text of a section is stored without its indentation.
    SectionTextUnindented,
    /// A block is dumped as its sections in order, the introduction first, with
    /// empty ones for what it must describe and does not.
    SectionsInOrder,
}

impl Fact {
    /// Returns the releases of which the fact is true.
    fn releases(self) -> RangeInclusive<Rules> {
        const OLDEST: Rules = Rules::HISTORIC;
        const NEWEST: Rules = Rules::V11_1;
        match self {
            Self::CommentsIgnored
            | Self::PragmasIgnored
            | Self::ConventionsIgnored
            | Self::ConditionsInC
            | Self::SimpleUnions => OLDEST..=Rules::HISTORIC,
            Self::StrayEndsAtQuote
            | Self::FirstLineIndents
            | Self::StructDataCheckedLate
            | Self::ArraysHaveOwnMessages
            | Self::MessagesNameSection
            | Self::SectionTextTrimmed => OLDEST..=Rules::V7_2,
            Self::SectionsByTag | Self::HeadingsBeginBlocks => OLDEST..=Rules::V8_1,
            Self::QTypeHasPrefix => OLDEST..=Rules::V9_1,
            Self::TagsVerbatim => OLDEST..=Rules::V9_2,
            Self::AlternateArrays | Self::FeatureNamesLower => Rules::V7_2..=NEWEST,
            Self::UnionBranches
            | Self::ConditionalArgumentsBoxed
            | Self::ArgumentsCheckedFirst
            | Self::ParametersHaveOwners => Rules::V8_1..=NEWEST,
            Self::CommentAfterBlockIsBlock | Self::SectionTextUnindented => {
                Rules::V9_0..=Rules::V9_0
            }
            Self::HeadingsRestricted => Rules::V9_0..=Rules::V10_0,
            Self::DocumentationExceptions
            | Self::MembersDescribed
            | Self::ReplySectionsChecked
            | Self::DescriptionsCheckedLate => Rules::V9_0..=NEWEST,
            Self::MarkupReplacesTags => Rules::V9_1..=NEWEST,
            Self::LimitedFeatures => Rules::V10_0..=NEWEST,
            Self::LinesFormatted => Rules::V10_2..=NEWEST,
            Self::IntroIndented | Self::SectionsInOrder => Rules::V11_1..=NEWEST,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn release_has_the_rules_of_the_last_change_before_it() {
        for (release, expected) in [
            ("6.2", Some("6.2")),
            ("7.0", Some("6.2")),
            ("7.1.90", Some("7.2")),
            ("8.0", Some("7.2")),
            ("8.2.4", Some("8.1")),
            ("9.2", Some("9.2")),
            ("10.1", Some("10.1")),
            ("11.0", Some("10.2")),
            ("12.0", Some("11.1")),
            ("6.1", None),
            ("0.14", None),
            ("10", None),
            ("", None),
            ("+10.0", None),
            ("10.x", None),
            ("10.0.rc", None),
        ] {
            let rules = release.parse::<Rules>().ok();
            let rules = rules.map(|rules| rules.to_string());
            assert_eq!(rules.as_deref(), expected, "{release}");
        }
        for rules in Rules::ALL {
            assert_eq!(rules.to_string().parse(), Ok(rules));
        }
        assert!(Rules::ALL.is_sorted());
        assert_eq!(Rules::ALL.last(), Some(&Rules::default()));
    }

    #[test]
    fn tree_under_development_has_the_rules_of_the_next_release() {
        for (version, expected) in [
            ("7.2.0\n", Some(Ok(Rules::V7_2))),
            ("8.0.50", Some(Ok(Rules::V8_1))),
            ("8.2.91", Some(Ok(Rules::V9_0))),
            ("9.2.3", Some(Ok(Rules::V9_2))),
            ("9.2.50", Some(Ok(Rules::V10_0))),
            ("11.0.50", Some(Ok(Rules::V11_1))),
            ("2.8.1.1", Some(Err(UnknownRules("2.8.1.1".to_owned())))),
            ("6.1.50", Some(Ok(Rules::V6_2))),
            ("main", None),
            ("1", None),
            ("1.x", None),
        ] {
            assert_eq!(Rules::of_version(version), expected, "{version}");
        }
    }
}

//! The lines that mean something in a documentation block.
//!
//! In: a line without its marker. Out: what it begins. It does not know where
//! in a block such a line may stand.

use super::block::{OlderTag, SectionKind};
use crate::diag::MarkupAdvice;
use crate::syntax::lexer::is_space;

/// The words that begin a section.
const TAGS: [(&str, SectionKind); 8] = [
    ("Returns", SectionKind::Returns),
    ("Errors", SectionKind::Errors),
    ("Since", SectionKind::Since),
    ("Notes", SectionKind::Older(OlderTag::Notes)),
    ("Note", SectionKind::Older(OlderTag::Note)),
    ("Examples", SectionKind::Older(OlderTag::Examples)),
    ("Example", SectionKind::Older(OlderTag::Example)),
    ("TODO", SectionKind::Todo),
];

/// The kind of section that a word begins, and the word.
pub(super) fn tag(word: &str) -> Option<(&'static str, SectionKind)> {
    TAGS.into_iter().find(|(tag, _)| *tag == word)
}

/// The name and the rest of a line that begins `@name:`.
pub(super) fn described(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.strip_prefix('@')?.split_once(':')?;
    Some((name, rest.trim_start_matches(' ')))
}

/// The kind of section and the rest of a line that begins `Tag:`, but not
/// `Tag::`, which is reStructuredText.
pub(super) fn tagged(line: &str) -> Option<(SectionKind, &str)> {
    let (word, rest) = line.split_once(':')?;
    let (_, kind) = tag(word)?;
    (!rest.starts_with(':')).then(|| (kind, rest.trim_start_matches(' ')))
}

/// What to write instead of an older section.
pub(super) fn advice(tag: OlderTag) -> MarkupAdvice {
    match tag {
        OlderTag::Note | OlderTag::Notes => MarkupAdvice::Note,
        OlderTag::Example | OlderTag::Examples => MarkupAdvice::Example,
    }
}

/// How many characters of white space a line begins with.
pub(super) fn indentation(line: &str) -> usize {
    line.chars().take_while(|&c| is_space(c)).count()
}

//! The lines that begin something in a documentation block.
//!
//! In: a line without its `# `. Out: the description or section that the line
//! begins. It does not know where in a block such a line is allowed.

use super::block::{ObsoleteTag, SectionKind};
use crate::diag::MarkupAdvice;
use crate::syntax::lexer::is_space;

/// The words that begin a section.
const TAGS: [(&str, SectionKind); 8] = [
    ("Returns", SectionKind::Returns),
    ("Errors", SectionKind::Errors),
    ("Since", SectionKind::Since),
    ("Notes", SectionKind::Obsolete(ObsoleteTag::Notes)),
    ("Note", SectionKind::Obsolete(ObsoleteTag::Note)),
    ("Examples", SectionKind::Obsolete(ObsoleteTag::Examples)),
    ("Example", SectionKind::Obsolete(ObsoleteTag::Example)),
    ("TODO", SectionKind::Todo),
];

/// Returns the kind of section that a word begins, and the word.
pub(super) fn tag(word: &str) -> Option<(&'static str, SectionKind)> {
    TAGS.into_iter().find(|(tag, _)| *tag == word)
}

/// Returns the name and the rest of a line that begins with `@name:`.
pub(super) fn described(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.strip_prefix('@')?.split_once(':')?;
    Some((name, rest.trim_start_matches(' ')))
}

/// Returns the kind of section and the rest of a line that begins with `Tag:`,
/// but not with `Tag::`, which is reStructuredText.
pub(super) fn tagged(line: &str) -> Option<(SectionKind, &str)> {
    let (word, rest) = line.split_once(':')?;
    let (_, kind) = tag(word)?;
    (!rest.starts_with(':')).then(|| (kind, rest.trim_start_matches(' ')))
}

/// Returns what to write instead of an obsolete section.
pub(super) fn advice(tag: ObsoleteTag) -> MarkupAdvice {
    match tag {
        ObsoleteTag::Note | ObsoleteTag::Notes => MarkupAdvice::Note,
        ObsoleteTag::Example | ObsoleteTag::Examples => MarkupAdvice::Example,
    }
}

/// Returns the number of white space characters that a line begins with.
pub(super) fn indentation(line: &str) -> usize {
    line.chars().take_while(|&c| is_space(c)).count()
}

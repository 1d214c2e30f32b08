//! The lines that begin something in a documentation block.
//!
//! In: a line without its `# `. Out: the description or section that the line
//! begins. It does not know where in a block such a line is allowed.

use super::block::{ObsoleteTag, SectionKind};
use crate::diag::MarkupAdvice;
use crate::rules::{Fact, Rules};
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
/// but not with `Tag::` where that is reStructuredText.
pub(super) fn tagged(line: &str, rules: Rules) -> Option<(SectionKind, &str)> {
    let (word, rest) = line.split_once(':')?;
    let (_, kind) = tag(word)?;
    let is_markup = rest.starts_with(':') && rules.have(Fact::MarkupReplacesTags);
    (!is_markup).then(|| (kind, rest.trim_start_matches(' ')))
}

/// Returns what to write instead of an obsolete section.
pub(super) fn advice(tag: ObsoleteTag) -> MarkupAdvice {
    match tag {
        ObsoleteTag::Note | ObsoleteTag::Notes => MarkupAdvice::Note,
        ObsoleteTag::Example | ObsoleteTag::Examples => MarkupAdvice::Example,
    }
}

/// Returns the part of a line after `count` white space characters, or after
/// fewer if the line does not begin with so many.
pub(super) fn unindented(line: &str, count: usize) -> &str {
    let spaces = line.char_indices().take_while(|(_, c)| is_space(*c));
    let last = spaces.take(count).last();
    let end = last.map_or(0, |(at, c)| at + c.len_utf8());
    let (_, text) = line.split_at(end);
    text
}

/// Returns the number of white space characters that a line begins with.
pub(super) fn indentation(line: &str) -> usize {
    line.chars().take_while(|&c| is_space(c)).count()
}

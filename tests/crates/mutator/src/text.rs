//! Mutations of line ends, blanks and invisible characters.

use crate::input::{Mutation, MutationInput};

pub(crate) const MUTATIONS: &[Mutation] = &[
    end_lines_otherwise,
    insert_character,
    insert_character_into_docs,
    cut_off,
    splice_another,
];

/// Characters that are a blank to some programs, a letter to others, and an
/// error to most.
const ODD: [&str; 22] = [
    "\t",
    "\r",
    "\r\n",
    "\n",
    "\u{b}",
    "\u{c}",
    "\u{1c}",
    "\u{1f}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{3000}",
    "\u{feff}",
    "\0",
    "\u{1}",
    "\u{7f}",
    "é",
    "ſ",
    "İ",
    "١",
    "e\u{301}",
    "\u{1f600}",
];

fn end_lines_otherwise(input: &mut MutationInput<'_>) -> Option<String> {
    let end = input.random.pick(&["\r\n", "\r", "\n\n", "\n\r", "\t\n"])?;
    if input.random.one_in(2) {
        return Some(input.text.replace('\n', end));
    }
    let at = input.line_start().checked_sub(1)?;
    Some(input.replace(&(at..at + 1), end))
}

fn insert_character(input: &mut MutationInput<'_>) -> Option<String> {
    let at = input.boundary();
    let odd = input.random.pick(&ODD)?;
    Some(input.insert(at, odd))
}

fn insert_character_into_docs(input: &mut MutationInput<'_>) -> Option<String> {
    let line = input.doc_line()?;
    let odd = input.random.pick(&ODD)?;
    let at = line.start + input.random.below(line.len());
    input
        .text
        .is_char_boundary(at)
        .then(|| input.insert(at, odd))
}

fn cut_off(input: &mut MutationInput<'_>) -> Option<String> {
    if input.random.one_in(2) {
        return Some(input.text.trim_end().to_owned());
    }
    let at = input.boundary();
    input.text.get(..at).map(str::to_owned)
}

/// Joins two schemas, of which the first ends at the beginning of a line.
fn splice_another(input: &mut MutationInput<'_>) -> Option<String> {
    let other = input.seeds.schema(input.random);
    let at = input.line_start();
    Some([input.text.get(..at)?, other].concat())
}

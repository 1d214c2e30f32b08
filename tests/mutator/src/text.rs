//! Line ends, blanks and characters that an editor does not show.

use crate::Mutation;
use crate::scene::Scene;

pub(crate) const MUTATIONS: &[Mutation] = &[
    end_lines_otherwise,
    insert_character,
    insert_character_into_docs,
    cut_off,
    splice_another,
];

/// What is a blank to some, a letter to others, and a mistake to most.
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

fn end_lines_otherwise(scene: &mut Scene<'_>) -> Option<String> {
    let end = scene.random.pick(&["\r\n", "\r", "\n\n", "\n\r", "\t\n"])?;
    if scene.random.one_in(2) {
        return Some(scene.text.replace('\n', end));
    }
    let at = scene.line_start().checked_sub(1)?;
    Some(scene.replace(&(at..at + 1), end))
}

fn insert_character(scene: &mut Scene<'_>) -> Option<String> {
    let at = scene.boundary();
    let odd = scene.random.pick(&ODD)?;
    Some(scene.insert(at, odd))
}

fn insert_character_into_docs(scene: &mut Scene<'_>) -> Option<String> {
    let line = scene.doc_line()?;
    let odd = scene.random.pick(&ODD)?;
    let at = line.start + scene.random.below(line.len());
    scene
        .text
        .is_char_boundary(at)
        .then(|| scene.insert(at, odd))
}

fn cut_off(scene: &mut Scene<'_>) -> Option<String> {
    if scene.random.one_in(2) {
        return Some(scene.text.trim_end().to_owned());
    }
    let at = scene.boundary();
    scene.text.get(..at).map(str::to_owned)
}

/// Two schemas in one, one cut off where a line begins.
fn splice_another(scene: &mut Scene<'_>) -> Option<String> {
    let other = scene.mutator.seed(scene.random);
    let at = scene.line_start();
    Some([scene.text.get(..at)?, other].concat())
}

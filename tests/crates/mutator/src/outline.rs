//! The places of a schema, found by brackets and commas.
//!
//! In: text, which need not be a schema. Out: places. The outline knows only
//! the punctuation of the language.

use std::ops::Range;

use crate::lexer::cut;

/// The places of a schema.
#[derive(Debug, Default)]
pub(crate) struct Outline {
    /// The top-level objects, with the comments before them.
    pub(crate) definitions: Vec<Range<usize>>,
    /// The parts between brackets and commas.
    pub(crate) parts: Vec<Part>,
    /// The insides of strings.
    pub(crate) strings: Vec<Range<usize>>,
    /// The comment lines, with their ends.
    pub(crate) doc_lines: Vec<Range<usize>>,
    /// The ends of objects and lists, before their closing brackets.
    pub(crate) ends: Vec<End>,
}

/// A member of an object, or an element of a list.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) whole: Range<usize>,
    /// The value; equal to `whole` if the part has no key.
    pub(crate) value: Range<usize>,
}

/// The end of an object or a list.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) at: usize,
    pub(crate) is_object: bool,
    pub(crate) is_empty: bool,
    /// The depth, which is 1 for a definition.
    pub(crate) depth: usize,
}

/// An object or a list whose end has not been reached.
#[derive(Default)]
struct Open {
    start: usize,
    is_object: bool,
    has_parts: bool,
    part: Option<Part>,
    /// Set if a value must follow.
    after_colon: bool,
}

impl Open {
    /// Records a token other than punctuation.
    fn extend(&mut self, range: &Range<usize>) {
        let part = self.part.get_or_insert_with(|| Part {
            whole: range.clone(),
            value: range.clone(),
        });
        part.whole.end = range.end;
        part.value.end = range.end;
        if std::mem::take(&mut self.after_colon) {
            part.value.start = range.start;
        }
    }

    fn take_part(&mut self, parts: &mut Vec<Part>) {
        self.after_colon = false;
        if let Some(part) = self.part.take() {
            self.has_parts = true;
            parts.push(part);
        }
    }
}

impl Outline {
    pub(crate) fn new(text: &str) -> Self {
        let mut outline = Self::default();
        let mut open: Vec<Open> = Vec::new();
        let mut definition = None;
        let mut end = 0;
        for token in cut(text) {
            let range = end..end + token.len();
            end = range.end;
            match token.as_bytes() {
                [b'#', ..] => {
                    definition.get_or_insert(range.start);
                    let line_end = (range.end + 1).min(text.len());
                    outline.doc_lines.push(range.start..line_end);
                }
                [b' ' | b'\n', ..] => {}
                [bracket @ (b'{' | b'[')] => {
                    definition.get_or_insert(range.start);
                    open.push(Open {
                        start: range.start,
                        is_object: *bracket == b'{',
                        ..Open::default()
                    });
                }
                [b'}' | b']'] => {
                    outline.close(&mut open, &range, &mut definition);
                }
                [b','] => {
                    if let Some(top) = open.last_mut() {
                        top.take_part(&mut outline.parts);
                    }
                }
                [b':'] => {
                    if let Some(top) = open.last_mut() {
                        top.after_colon = true;
                    }
                }
                other => {
                    if let [b'\'', .., b'\''] = other {
                        outline.strings.push(range.start + 1..range.end - 1);
                    }
                    if let Some(top) = open.last_mut() {
                        top.extend(&range);
                    }
                }
            }
        }
        outline
    }

    /// Ends the innermost object or list.
    fn close(
        &mut self,
        open: &mut Vec<Open>,
        range: &Range<usize>,
        definition: &mut Option<usize>,
    ) {
        let depth = open.len();
        let Some(mut top) = open.pop() else {
            return;
        };
        top.take_part(&mut self.parts);
        self.ends.push(End {
            at: range.start,
            is_object: top.is_object,
            is_empty: !top.has_parts,
            depth,
        });
        match open.last_mut() {
            Some(parent) => parent.extend(&(top.start..range.end)),
            None => self
                .definitions
                .push(definition.take().unwrap_or(top.start)..range.end),
        }
    }
}

//! How documentation lines are to be written.
//!
//! In: the lines of a block, one after the other. Out: what is wrong with
//! one. It knows only as much of reStructuredText as tells where text that is
//! shown as it stands, to which no rule applies, begins and ends.

use super::markup::indentation;
use crate::rules::Rules;

/// How long a line may be, its marker included.
const LINE_MAX: usize = 70;

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is too long.
    TooLong,
    /// A single space ends a sentence, after so many characters of the text.
    SingleSpace(usize),
}

/// The rules and where in the text we are.
#[derive(Debug)]
pub(super) struct Format {
    enforced: bool,
    /// In literal text, its indentation once the first line tells it.
    literal: Option<Option<usize>>,
}

impl Format {
    /// At the start of a block.
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            enforced: rules >= Rules::V10_2,
            literal: None,
        }
    }

    /// Checks the next line.
    pub(super) fn check(&mut self, line: &str) -> Result<(), Fault> {
        if !self.enforced {
            return Ok(());
        }
        if opens_literal(line) {
            self.literal = Some(None);
        } else if let (Some(literal), false) = (&mut self.literal, line.is_empty()) {
            let indent = indentation(line);
            match *literal {
                Some(first) if indent < first => self.literal = None,
                Some(_) => {}
                // Text at the margin tells nothing yet.
                None => *literal = (indent > 0).then_some(indent),
            }
        }
        if self.literal.is_some() {
            return Ok(());
        }
        if line.len() + 2 > LINE_MAX && line.chars().count() + 2 > LINE_MAX && !is_link(line) {
            return Err(Fault::TooLong);
        }
        match single_space(line) {
            Some(column) => Err(Fault::SingleSpace(column)),
            None => Ok(()),
        }
    }
}

/// Whether literal text follows: `::` or `.. qmp-example::`, and nothing else.
fn opens_literal(line: &str) -> bool {
    let Some(before) = line.strip_suffix("::") else {
        return false;
    };
    let before = before.trim_end_matches(' ');
    let directive = before
        .strip_prefix("..")
        .filter(|rest| rest.starts_with(' '));
    before.is_empty() || directive.is_some_and(|rest| rest.trim_start_matches(' ') == "qmp-example")
}

/// A link cannot be broken into lines.
fn is_link(line: &str) -> bool {
    let link = line.trim_start_matches(' ');
    let schemes = ["http://", "https://", "ftp://"];
    schemes.iter().any(|scheme| link.starts_with(scheme)) && !link.contains(' ')
}

/// How many characters stand before the space that should be two: the one
/// between the end of a sentence and what looks like the start of another.
fn single_space(line: &str) -> Option<usize> {
    // Most lines have no such space, and bytes are quick to look through.
    if !line.as_bytes().windows(3).any(looks_like_sentence_end) {
        return None;
    }
    let chars: Vec<char> = line.chars().collect();
    let mut at = 0;
    while let Some(rest) = chars.get(at..).filter(|rest| rest.len() >= 3) {
        let before = chars.get(..at).unwrap_or_default();
        if let Some(length) = abbreviation(before, rest) {
            at += length;
            continue;
        }
        match *rest {
            ['.' | '!' | '?', ' ', next, ..] if begins_sentence(next) => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

fn looks_like_sentence_end(window: &[u8]) -> bool {
    matches!(*window, [b'.' | b'!' | b'?', b' ', next] if begins_sentence(char::from(next)))
}

fn begins_sentence(c: char) -> bool {
    c.is_ascii_uppercase() || c.is_ascii_digit() || c == '('
}

/// The length of something that ends in a dot and is no end of a sentence,
/// with what follows: `e.g.`, or the number of a list item.
fn abbreviation(before: &[char], rest: &[char]) -> Option<usize> {
    let word_before = before
        .last()
        .is_some_and(|&c| c.is_alphanumeric() || c == '_');
    if let ['e', '.', 'g', '.', ' ', next, ..] = *rest {
        return (!word_before && begins_sentence(next)).then_some(6);
    }
    if !before.is_empty() {
        return None;
    }
    let spaces = rest.iter().take_while(|&&c| c == ' ').count();
    match *rest.get(spaces..)? {
        [digit, '.', ' ', next, ..] if digit.is_numeric() && begins_sentence(next) => {
            Some(spaces + 4)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_need_two_spaces() {
        for (line, expected) in [
            ("One.  Two.", None),
            ("One. Two.", Some(4)),
            ("e.g. QEMU", None),
            ("bridge.g. QEMU", Some(9)),
            ("1. First", None),
            ("  1. First. Second", Some(11)),
            ("11. First", Some(3)),
            ("v. 1", Some(2)),
            ("lower. case", None),
            ("What? (Yes)", Some(5)),
        ] {
            assert_eq!(single_space(line), expected, "{line}");
        }
    }

    #[test]
    fn literal_text_is_free() {
        let long = "x".repeat(80);
        let mut format = Format::new(Rules::V10_2);
        assert!(format.check(&long).is_err());
        assert!(format.check(".. qmp-example::").is_ok());
        assert!(format.check("").is_ok());
        assert!(format.check(&format!("    {long}")).is_ok());
        assert!(format.check(&long).is_err());
        assert!(format.check(&format!("https://{long}")).is_ok());
    }
}

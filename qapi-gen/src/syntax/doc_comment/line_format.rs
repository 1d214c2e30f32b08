//! The rules for how documentation lines are written.
//!
//! In: the lines of a block, one after the other. Out: the problem of a line,
//! if it has one. Of reStructuredText it knows only where literal text, to which no
//! rule applies, begins and ends.

use super::markup::indentation;
use crate::rules::{Fact, Rules};

/// The number of characters that a line may have, its `# ` included.
const LINE_MAX: usize = 70;

/// A problem with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The line is too long.
    TooLong,
    /// A single space follows a sentence. The number is how many characters
    /// of the line precede the space.
    SingleSpace(usize),
}

/// The position of the current line relative to literal text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Literal {
    /// In text to which the rules apply.
    Outside,
    /// After the line that opens literal text, and before its first indented
    /// line.
    Opened,
    /// In literal text, whose first line is indented by so many characters.
    Indented(usize),
}

/// The rules, and whether the current line is literal text.
#[derive(Debug)]
pub(super) struct LineFormat {
    enforced: bool,
    literal: Literal,
}

impl LineFormat {
    /// Creates the state at the start of a block.
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            enforced: rules.have(Fact::LinesFormatted),
            literal: Literal::Outside,
        }
    }

    /// Checks the next line of the block.
    pub(super) fn check(&mut self, line: &str) -> Result<(), Fault> {
        if !self.enforced {
            return Ok(());
        }
        if opens_literal(line) {
            self.literal = Literal::Opened;
        } else if !line.is_empty() {
            let indent = indentation(line);
            self.literal = match self.literal {
                // Like QEMU's generator, take lines at the margin for literal
                // text until an indented line follows.
                Literal::Opened if indent > 0 => Literal::Indented(indent),
                Literal::Indented(first) if indent < first => Literal::Outside,
                unchanged => unchanged,
            };
        }
        if self.literal != Literal::Outside {
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

/// Returns whether literal text follows a line: one that consists of `::` or
/// `.. qmp-example::`.
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

/// Returns whether a line is a link, which cannot be broken into lines.
fn is_link(line: &str) -> bool {
    let link = line.trim_start_matches(' ');
    let schemes = ["http://", "https://", "ftp://"];
    schemes.iter().any(|scheme| link.starts_with(scheme)) && !link.contains(' ')
}

/// Returns how many characters precede the first space that should be two: a
/// single one between the end of a sentence and the likely start of another.
fn single_space(line: &str) -> Option<usize> {
    // Search the bytes first, because that is fast and most lines have no such
    // space.
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

/// Returns the length of an abbreviation or list number at the start of
/// `rest`, up to and including the start of the next word. Its dot does not
/// end a sentence. `before` is the line before it.
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
    fn single_space_finds_the_first_sentence_end() {
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
    fn literal_text_is_not_checked() {
        let long = "x".repeat(80);
        let mut format = LineFormat::new(Rules::default());
        assert!(format.check(&long).is_err());
        assert!(format.check(".. qmp-example::").is_ok());
        assert!(format.check("").is_ok());
        assert!(format.check(&format!("    {long}")).is_ok());
        assert!(format.check(&long).is_err());
        assert!(format.check(&format!("https://{long}")).is_ok());
    }
}

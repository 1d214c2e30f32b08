//! JSON for people.
//!
//! In: a value that a server chose. Out: the same JSON over several lines,
//! coloured if wanted, in which nothing controls the terminal.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use qapi_stats::wire::{Kind, Node, to_json};

use crate::printable::json_string;

/// The length of a line. A value that fits in the rest of a line stays on it.
const LINE_CHARS_MAX: usize = 88;

const INDENT: &str = "  ";

/// The depth up to which lines are indented. A server could otherwise make the
/// text a thousand times as long as its message, by nesting.
const INDENT_DEPTH_MAX: usize = 40;

const NAME: Style = AnsiColor::Blue.on_default();
const STRING: Style = AnsiColor::Green.on_default();
const LITERAL: Style = AnsiColor::Yellow.on_default();

/// Writes a value without a newline at its end.
pub(super) fn pretty(value: Node<'_>, is_coloured: bool) -> String {
    let mut printer = Printer {
        text: String::new(),
        is_coloured,
    };
    printer.value(value, 0, 0);
    printer.text
}

struct Printer {
    text: String,
    is_coloured: bool,
}

impl Printer {
    /// Writes a value into a line that is indented by `depth` and has
    /// `used_chars` more already.
    fn value(&mut self, value: Node<'_>, depth: usize, used_chars: usize) {
        let used_chars = indent(depth).len() + used_chars;
        let is_short = rest(value, LINE_CHARS_MAX.saturating_sub(used_chars)).is_some();
        match value.kind() {
            Kind::Array => self.array(value, is_short, depth),
            Kind::Object => self.object(value, is_short, depth),
            Kind::String => {
                self.styled(STRING, &json_string(value.as_str().unwrap_or_default()));
            }
            Kind::Null | Kind::Bool => self.styled(LITERAL, &to_json(&value)),
            Kind::Number => self.text.push_str(&to_json(&value)),
        }
    }

    fn array(&mut self, value: Node<'_>, is_short: bool, depth: usize) {
        let elements = || value.elements().into_iter().flatten();
        if !is_short && elements().all(|element| element.kind() == Kind::Number) {
            return self.fill(elements(), depth);
        }
        self.text.push('[');
        for (index, element) in elements().enumerate() {
            self.separate(index, is_short, depth + 1);
            self.value(element, depth + 1, 0);
        }
        self.close(']', is_short, depth);
    }

    fn object(&mut self, value: Node<'_>, is_short: bool, depth: usize) {
        self.text.push('{');
        for (index, (name, member)) in value.members().into_iter().flatten().enumerate() {
            self.separate(index, is_short, depth + 1);
            let name = json_string(name);
            self.styled(NAME, &name);
            self.text.push_str(": ");
            self.value(member, depth + 1, name.chars().count() + 2);
        }
        self.close('}', is_short, depth);
    }

    /// Writes numbers, for example those of a histogram, as many on a line as
    /// fit.
    fn fill<'a>(&mut self, numbers: impl Iterator<Item = Node<'a>>, depth: usize) {
        let room = LINE_CHARS_MAX.saturating_sub(indent(depth + 1).len());
        self.text.push('[');
        let mut used_chars = room;
        for (index, number) in numbers.enumerate() {
            let number = to_json(&number);
            used_chars += number.len() + 2;
            let fits = used_chars <= room;
            if !fits {
                used_chars = number.len() + 1;
            }
            self.separate(index, fits, depth + 1);
            self.text.push_str(&number);
        }
        self.close(']', false, depth);
    }

    fn separate(&mut self, index: usize, is_short: bool, depth: usize) {
        if index > 0 {
            self.text.push_str(if is_short { ", " } else { "," });
        }
        if !is_short {
            self.new_line(depth);
        }
    }

    fn close(&mut self, bracket: char, is_short: bool, depth: usize) {
        if !is_short {
            self.new_line(depth);
        }
        self.text.push(bracket);
    }

    fn new_line(&mut self, depth: usize) {
        self.text.push('\n');
        self.text.push_str(&indent(depth));
    }

    fn styled(&mut self, style: Style, text: &str) {
        if self.is_coloured {
            // Writing to a string does not fail.
            let _ = write!(self.text, "{style}{text}{style:#}");
        } else {
            self.text.push_str(text);
        }
    }
}

fn indent(depth: usize) -> String {
    INDENT.repeat(depth.min(INDENT_DEPTH_MAX))
}

/// Returns what is left of `room` characters after a value on one line; `None`
/// if the value does not fit. Looks at no more of the value than `room` holds.
fn rest(value: Node<'_>, room: usize) -> Option<usize> {
    match value.kind() {
        Kind::Array => {
            let mut left = room.checked_sub(2)?;
            for element in value.elements()? {
                left = rest(element, left)?.checked_sub(2)?;
            }
            Some(left)
        }
        Kind::Object => {
            let mut left = room.checked_sub(2)?;
            for (name, member) in value.members()? {
                left = left.checked_sub(name.chars().count() + 4)?;
                left = rest(member, left)?.checked_sub(2)?;
            }
            Some(left)
        }
        Kind::String => {
            let text = value.as_str().unwrap_or_default();
            // A character has at most four bytes, so a text of more than `4 * room`
            // bytes has more than `room` characters.
            if text.len() > 4 * room {
                return None;
            }
            room.checked_sub(json_string(text).chars().count())
        }
        Kind::Null | Kind::Bool | Kind::Number => room.checked_sub(to_json(&value).len()),
    }
}

#[cfg(test)]
mod tests {
    use qapi_stats::wire::Document;

    use super::{INDENT_DEPTH_MAX, pretty};

    fn check(json: &str, expected: &str) {
        let document = Document::parse(json.as_bytes()).unwrap();
        let text = pretty(document.root(), false);
        assert_eq!(text, expected);
        let parsed = Document::parse(text.as_bytes()).unwrap();
        let value = document.root().to_value();
        assert_eq!(parsed.root().to_value(), value, "still JSON");
    }

    #[test]
    fn value_stays_on_a_line_when_it_fits() {
        check("{}", "{}");
        check(
            r#"[ {"a":[1,2], "b": [], "c": {}} ]"#,
            r#"[{"a": [1, 2], "b": [], "c": {}}]"#,
        );
        let name = "x".repeat(50);
        check(
            &format!(r#"[{{"a": "{name}", "b": {{"c": "{name}"}}}}, true]"#),
            &format!(
                "[\n  {{\n    \"a\": \"{name}\",\n    \"b\": {{\"c\": \"{name}\"}}\n  }},\n  true\n]"
            ),
        );
    }

    #[test]
    fn numbers_fill_lines() {
        let numbers: Vec<String> = (100..140).map(|number| number.to_string()).collect();
        let row = |range: std::ops::Range<usize>| numbers[range].join(", ");
        check(
            &format!("{{\"a\": [{}]}}", numbers.join(",")),
            &format!(
                "{{\n  \"a\": [\n    {},\n    {},\n    {}\n  ]\n}}",
                row(0..17),
                row(17..34),
                row(34..40)
            ),
        );
    }

    #[test]
    fn control_characters_are_escaped() {
        check(
            r#"["é\n\u001b[31m\u009b \"\\"]"#,
            r#"["é\n\u001b[31m\u009b \"\\"]"#,
        );
        let document = Document::parse(b"{'a': 'b', 'c': [null]}").unwrap();
        let coloured = pretty(document.root(), true);
        assert!(
            coloured.contains("\u{1b}[34m\"a\"\u{1b}[0m: "),
            "{coloured}"
        );
    }

    #[test]
    fn text_stays_short_when_a_value_is_nested_deeply() {
        let (depth, count) = (1000, 1000);
        let long = format!("\"{}\"", "x".repeat(100));
        let inner = vec![long.as_str(); count].join(",");
        let json = format!("{}{inner}{}", "[".repeat(depth), "]".repeat(depth));
        let document = Document::parse(json.as_bytes()).unwrap();
        let indents = 2 * INDENT_DEPTH_MAX * (count + 2 * depth + 2);
        assert!(pretty(document.root(), false).len() < json.len() + 2 * indents);
    }
}

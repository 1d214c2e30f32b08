//! JSON for people.
//!
//! In: a value that a server chose. Out: the same JSON over several lines,
//! coloured if wanted, with nothing in it that commands a terminal.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use qapi_stats::wire::{Value, to_json};

use crate::printable::json_string;

/// What is shorter than this stays on one line.
const LINE_CHARS_MAX: usize = 88;

const INDENT: &str = "  ";

const NAME: Style = AnsiColor::Blue.on_default();
const STRING: Style = AnsiColor::Green.on_default();
const LITERAL: Style = AnsiColor::Yellow.on_default();

/// Writes a value without a newline at its end.
pub(super) fn pretty(value: &Value, is_coloured: bool) -> String {
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
    /// `depth` is that of the line, `used` what stands on it already.
    fn value(&mut self, value: &Value, depth: usize, used: usize) {
        let room = LINE_CHARS_MAX.saturating_sub(depth * INDENT.len() + used);
        let is_short = width(value, room).is_some();
        let inner = depth + 1;
        match value {
            Value::Array(elements) if elements.is_empty() => self.text.push_str("[]"),
            Value::Object(members) if members.is_empty() => self.text.push_str("{}"),
            Value::Array(elements) if !is_short && elements.iter().all(is_number) => {
                self.fill(elements, depth);
            }
            Value::Array(elements) => {
                self.text.push('[');
                for (index, element) in elements.iter().enumerate() {
                    self.separate(index, is_short, inner);
                    self.value(element, inner, 0);
                }
                self.close(']', is_short, depth);
            }
            Value::Object(members) => {
                self.text.push('{');
                for (index, (name, member)) in members.iter().enumerate() {
                    self.separate(index, is_short, inner);
                    let name = json_string(name);
                    self.styled(NAME, &name);
                    self.text.push_str(": ");
                    self.value(member, inner, name.chars().count() + 2);
                }
                self.close('}', is_short, depth);
            }
            Value::String(text) => self.styled(STRING, &json_string(text)),
            Value::Null | Value::Bool(_) => self.styled(LITERAL, &to_json(value)),
            Value::Int(_) | Value::Uint(_) | Value::Double(_) => {
                self.text.push_str(&to_json(value));
            }
        }
    }

    /// Numbers, such as a histogram's, as many on a line as fit.
    fn fill(&mut self, numbers: &[Value], depth: usize) {
        let room = LINE_CHARS_MAX.saturating_sub((depth + 1) * INDENT.len());
        self.text.push('[');
        let mut used = room;
        for (index, number) in numbers.iter().enumerate() {
            let number = to_json(number);
            used += number.len() + 2;
            if used > room {
                self.separate(index, false, depth + 1);
                used = number.len() + 1;
            } else {
                self.separate(index, true, depth + 1);
            }
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
        self.text.push_str(&INDENT.repeat(depth));
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

fn is_number(value: &Value) -> bool {
    matches!(value, Value::Int(_) | Value::Uint(_) | Value::Double(_))
}

/// What is left of `room` behind a value on one line; `None` if it does not
/// fit. It looks no further than the room goes.
fn width(value: &Value, room: usize) -> Option<usize> {
    match value {
        Value::Array(elements) => {
            let mut left = room.checked_sub(2)?;
            for element in elements {
                left = width(element, left)?.checked_sub(2)?;
            }
            Some(left)
        }
        Value::Object(members) => {
            let mut left = room.checked_sub(2)?;
            for (name, member) in members.iter() {
                left = left.checked_sub(name.chars().count() + 4)?;
                left = width(member, left)?.checked_sub(2)?;
            }
            Some(left)
        }
        Value::String(text) if text.len() > 4 * room => None,
        Value::String(text) => room.checked_sub(json_string(text).chars().count()),
        scalar => room.checked_sub(to_json(scalar).len()),
    }
}

#[cfg(test)]
mod tests {
    use qapi_stats::wire::json;

    use super::pretty;

    fn check(json: &str, expected: &str) {
        let value = json::parse(json.as_bytes()).unwrap();
        let text = pretty(&value, false);
        assert_eq!(text, expected);
        assert_eq!(json::parse(text.as_bytes()).unwrap(), value, "still JSON");
    }

    #[test]
    fn what_fits_stays_on_a_line() {
        check("{}", "{}");
        check(r#"[ {"a":[1,2]} ]"#, r#"[{"a": [1, 2]}]"#);
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
    fn nothing_commands_the_terminal() {
        check(
            r#"["é\n\u001b[31m\u009b \"\\"]"#,
            r#"["é\n\u001b[31m\u009b \"\\"]"#,
        );
        let value = json::parse(b"{'a': 'b', 'c': [null]}").unwrap();
        let coloured = pretty(&value, true);
        assert!(
            coloured.contains("\u{1b}[34m\"a\"\u{1b}[0m: "),
            "{coloured}"
        );
    }
}

//! Placeholders for text that is filled in after the code is printed.
//!
//! In: documentation, and tables for the macros of `qapi-wire`. Out: string
//! literals that replace them among the tokens, and later the code with the text
//! in the place of the literals. Most of the generated code is such text. Parsing
//! and formatting it would take longer than everything else.

use std::cell::RefCell;

use proc_macro2::Span;

use super::rustdoc::Docs;

/// The beginning of every placeholder, followed by the index of its text.
///
/// Neither names nor file names of a schema are between the characters that
/// surround a placeholder, and documentation begins with a space. For the Rust
/// that the caller writes, see [`require_free`].
const PREFIX: &str = "@qapi-gen:";

/// Returns an error if Rust of the caller could contain a placeholder.
pub(crate) fn require_free(text: &str) -> syn::Result<()> {
    // Leave out the first character, which could be written as an escape.
    if text.contains("qapi-gen:") {
        let reason = "the text 'qapi-gen:' is reserved";
        return Err(syn::Error::new(Span::call_site(), reason));
    }
    Ok(())
}

/// The texts of a plan.
#[derive(Debug, Default)]
pub(crate) struct Placeholders<'s> {
    list: RefCell<Vec<Text<'s>>>,
}

#[derive(Debug)]
enum Text<'s> {
    /// The lines of a table, which is the argument of a macro.
    Table(String),
    /// Documentation, which is converted when it is filled in.
    Docs(Docs<'s>),
}

/// The placeholder of a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placeholder(usize);

impl<'s> Placeholders<'s> {
    /// Adds a table.
    pub(crate) fn table(&self, text: String) -> Placeholder {
        self.add(Text::Table(text))
    }

    /// Adds documentation.
    pub(crate) fn docs(&self, docs: Docs<'s>) -> Placeholder {
        self.add(Text::Docs(docs))
    }

    fn add(&self, text: Text<'s>) -> Placeholder {
        let mut texts = self.list.borrow_mut();
        texts.push(text);
        Placeholder(texts.len() - 1)
    }

    /// Copies code, and replaces the placeholders: in documentation comments by
    /// such comments, in the parentheses of a macro by its argument.
    pub(crate) fn fill_in(&self, code: &str, out: &mut String) {
        let texts = self.list.borrow();
        for line in code.lines() {
            let code = line.trim_start();
            let (indent, _) = line.split_at(line.len() - code.len());
            let found = split(code).and_then(|(before, index, after)| {
                let text = texts.get(index)?;
                Some((before, text, after))
            });
            match found {
                Some(("///", Text::Docs(docs), "")) => write_docs(&docs.text(), indent, out),
                Some((before, Text::Table(table), after)) => {
                    let before = before.strip_suffix('"').unwrap_or(before);
                    let after = after.strip_prefix('"').unwrap_or(after);
                    out.extend([indent, before]);
                    write_table(table, indent, out);
                    out.extend([after, "\n"]);
                }
                _ => out.extend([line, "\n"]),
            }
        }
    }
}

impl Placeholder {
    /// Returns the content of the string literal that is the placeholder.
    pub(crate) fn literal(self) -> String {
        format!("{PREFIX}{}", self.0)
    }
}

/// Returns the placeholder in a string literal, if there is one.
pub(crate) fn in_literal(literal: &str) -> Option<&str> {
    let content = literal.strip_prefix('"')?.strip_suffix('"')?;
    content.starts_with(PREFIX).then_some(content)
}

/// Splits a line that is a documentation comment, or has the argument of a macro,
/// at its placeholder. Returns the code before it, its index, and the code after
/// it.
fn split(code: &str) -> Option<(&str, usize, &str)> {
    let (before, rest) = code.split_once(PREFIX)?;
    let is_argument = !before.starts_with("///") && before.ends_with("(\"");
    if before != "///" && !is_argument {
        return None;
    }
    let end = rest.find(|c: char| !c.is_ascii_digit());
    let (index, after) = rest.split_at(end.unwrap_or(rest.len()));
    Some((before, index.parse().ok()?, after))
}

/// Writes documentation as comments.
fn write_docs(text: &str, indent: &str, out: &mut String) {
    for line in text.lines() {
        let blank = if line.is_empty() { "" } else { " " };
        out.extend([indent, "///", blank, line, "\n"]);
    }
}

/// Writes a table whose first line follows other code.
fn write_table(text: &str, indent: &str, out: &mut String) {
    for (number, line) in text.lines().enumerate() {
        if number > 0 {
            out.extend(["\n", indent]);
        }
        out.push_str(line);
    }
}

#[cfg(test)]
mod tests {
    use super::{Docs, Placeholders};

    #[test]
    fn placeholders_are_filled_in_at_their_indentation() {
        let texts = Placeholders::default();
        let doc = texts.docs(Docs::of_member("a")).literal();
        let table = texts.table("A {\n    b: c,\n}".to_owned()).literal();
        let others = "///@qapi-gen:7\n// @qapi-gen:0\n/// (\"@qapi-gen:1\")\n";
        let code = format!("    ///{doc}\n    wire::object!(\"{table}\");\n{others}");
        let mut out = String::new();
        texts.fill_in(&code, &mut out);
        let filled = "    /// `a` of the schema.\n    wire::object!(A {\n        b: c,\n    });\n";
        assert_eq!(out, [filled, others].concat());
    }
}

//! Placeholders for text that is filled in after the code is formatted.
//!
//! In: documentation, and tables for the macros of `qapi-wire`. Out: string
//! literals that replace them among the tokens, and later the code with the text
//! in the place of the literals. Most of the generated code is such text. Parsing
//! and formatting it would take longer than everything else.

use std::borrow::Cow;
use std::cell::RefCell;

use proc_macro2::{TokenStream, TokenTree};

use super::rustdoc::Docs;

/// The texts of a plan, and the placeholders for them.
#[derive(Debug, Default)]
pub(crate) struct Placeholders<'s> {
    list: RefCell<Vec<Text<'s>>>,
    prefix: PlaceholderPrefix,
}

#[derive(Debug)]
enum Text<'s> {
    /// The lines of a table.
    Table(String),
    /// Documentation, which is converted when it is filled in.
    Docs(Docs<'s>),
}

/// The placeholder of a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placeholder {
    index: usize,
    prefix: PlaceholderPrefix,
}

/// The beginning of every placeholder: `@`, or `@1_`, `@2_`, ... if strings of the
/// caller contain the earlier ones.
#[derive(Clone, Copy, Debug, Default)]
struct PlaceholderPrefix(usize);

impl PlaceholderPrefix {
    fn text(self) -> Cow<'static, str> {
        match self.0 {
            0 => Cow::Borrowed("@"),
            number => Cow::Owned(format!("@{number}_")),
        }
    }

    /// Returns the index in a literal, or `None` if it is not a placeholder.
    fn index(self, mark: &str) -> Option<usize> {
        mark.strip_prefix(&*self.text())?.parse().ok()
    }
}

impl<'s> Placeholders<'s> {
    /// Creates a list whose placeholders occur in no string of `rust`, which is
    /// the Rust that the caller wrote.
    pub(crate) fn avoiding<'a>(rust: impl Iterator<Item = &'a str>) -> Self {
        let mut strings = Vec::new();
        // Skip invalid Rust: it is reported elsewhere, and nothing is generated.
        let parsed = rust.filter_map(|text| text.parse::<TokenStream>().ok());
        parsed.for_each(|tokens| collect_strings(tokens, &mut strings));
        let is_free = |prefix: &PlaceholderPrefix| {
            let prefix = prefix.text();
            !strings.iter().any(|string| string.contains(&*prefix))
        };
        Self {
            list: RefCell::default(),
            prefix: (0..)
                .map(PlaceholderPrefix)
                .find(is_free)
                .unwrap_or_default(),
        }
    }

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
        Placeholder {
            index: texts.len() - 1,
            prefix: self.prefix,
        }
    }

    /// Copies formatted code, and replaces the placeholders: in documentation
    /// comments by such comments, in the parentheses of a macro by its argument.
    pub(crate) fn fill_in(&self, code: &str, out: &mut String) {
        let texts = self.list.borrow();
        for line in code.lines() {
            let code = line.trim_start();
            let (indent, _) = line.split_at(line.len() - code.len());
            match PlaceholderLine::new(code, self.prefix)
                .and_then(|(marked, index)| Some((marked, texts.get(index)?)))
            {
                Some((marked, text)) => marked.fill_in(&text.lines(), indent, out),
                None => out.extend([line, "\n"]),
            }
        }
    }

    /// Writes the documentation of a placeholder as comments. Returns `false` if
    /// the string literal is not a placeholder.
    pub(crate) fn write_docs(&self, literal: &str, out: &mut String) -> bool {
        self.write(literal, |text| docs(text, "", out))
    }

    /// Writes the table of a placeholder. Returns `false` if the string literal is
    /// not a placeholder.
    pub(crate) fn write_table(&self, literal: &str, out: &mut String) -> bool {
        self.write(literal, |text| table(text, "", out))
    }

    fn write(&self, literal: &str, write: impl FnOnce(&str)) -> bool {
        let mark = literal
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        let index = mark.and_then(|mark| self.prefix.index(mark));
        let texts = self.list.borrow();
        let text = index.and_then(|index| texts.get(index));
        text.map(|text| write(&text.lines())).is_some()
    }
}

impl Text<'_> {
    fn lines(&self) -> Cow<'_, str> {
        match self {
            Self::Table(text) => Cow::Borrowed(text),
            Self::Docs(docs) => Cow::Owned(docs.text()),
        }
    }
}

impl Placeholder {
    /// Returns the content of the string literal that is the placeholder. Neither
    /// a name nor documentation is equal to it, because names do not contain `@`
    /// and documentation begins with a space. For strings of the caller, see
    /// [`Placeholders::avoiding`].
    pub(crate) fn literal(self) -> String {
        format!("{}{}", self.prefix.text(), self.index)
    }
}

/// Collects the values of all string literals among tokens. The values matter and
/// not the literals, because documentation is printed without escapes.
fn collect_strings(tokens: TokenStream, strings: &mut Vec<String>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => collect_strings(group.stream(), strings),
            TokenTree::Literal(literal) => {
                let token = TokenTree::from(literal).into();
                let string = syn::parse2::<syn::LitStr>(token);
                strings.extend(string.map(|string| string.value()));
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) => {}
        }
    }
}

/// A line that contains a placeholder.
enum PlaceholderLine<'c> {
    /// A documentation comment.
    Doc,
    /// A macro call, with the code before and after its argument.
    Macro { before: &'c str, after: &'c str },
}

impl<'c> PlaceholderLine<'c> {
    fn new(code: &'c str, prefix: PlaceholderPrefix) -> Option<(Self, usize)> {
        if let Some(mark) = code.strip_prefix("///") {
            return Some((Self::Doc, prefix.index(mark)?));
        }
        let (before, rest) = code.split_once("!(\"")?;
        let (mark, after) = rest.split_once("\")")?;
        Some((Self::Macro { before, after }, prefix.index(mark)?))
    }

    fn fill_in(self, text: &str, indent: &str, out: &mut String) {
        match self {
            Self::Doc => docs(text, indent, out),
            Self::Macro { before, after } => {
                out.extend([indent, before, "!("]);
                table(text, indent, out);
                out.extend([")", after, "\n"]);
            }
        }
    }
}

/// Writes documentation as comments.
fn docs(text: &str, indent: &str, out: &mut String) {
    for line in text.lines() {
        let blank = if line.is_empty() { "" } else { " " };
        out.extend([indent, "///", blank, line, "\n"]);
    }
}

/// Writes a table whose first line follows other code.
fn table(text: &str, indent: &str, out: &mut String) {
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
    fn marks_are_filled_in_at_their_indentation() {
        let texts = Placeholders::default();
        let doc = texts.docs(Docs::of_member("a")).literal();
        let table = texts.table("A {\n    b: c,\n}".to_owned()).literal();
        let code = format!("    ///{doc}\n    wire::object!(\"{table}\");\n///@7\n// @0\n");
        let mut out = String::new();
        texts.fill_in(&code, &mut out);
        assert_eq!(
            out,
            "    /// `a` of the schema.\n    wire::object!(A {\n        b: c,\n    });\n\
             ///@7\n// @0\n"
        );
    }
}

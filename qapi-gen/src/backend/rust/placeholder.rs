//! Text that is filled in once the code around it is laid out.
//!
//! In: documentation, and the tables that `qapi-wire`'s macros take. Out: marks
//! that stand for them among the tokens, and the code with the text in the
//! place of the marks. By far the most of the generated code is such text,
//! which needs to be neither parsed nor laid out.

use std::borrow::Cow;
use std::cell::RefCell;

use proc_macro2::{TokenStream, TokenTree};

use super::rustdoc::Docs;

/// All such text of a plan.
#[derive(Debug, Default)]
pub(crate) struct Texts<'s> {
    list: RefCell<Vec<Text<'s>>>,
    sign: Sign,
}

#[derive(Debug)]
enum Text<'s> {
    /// The rows of a table.
    Table(String),
    /// Documentation, which is converted when it is filled in.
    Docs(Docs<'s>),
}

/// A text, by its place among all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TextRef {
    index: usize,
    sign: Sign,
}

/// What every mark begins with: `@`, or `@1_`, `@2_`, ... where the caller's
/// own strings have that already.
#[derive(Clone, Copy, Debug, Default)]
struct Sign(usize);

impl Sign {
    fn text(self) -> Cow<'static, str> {
        match self.0 {
            0 => Cow::Borrowed("@"),
            number => Cow::Owned(format!("@{number}_")),
        }
    }

    /// The index in a mark.
    fn index(self, mark: &str) -> Option<usize> {
        mark.strip_prefix(&*self.text())?.parse().ok()
    }
}

impl<'s> Texts<'s> {
    /// Texts whose marks stand in nothing that the caller has written in Rust.
    pub(crate) fn apart_from<'a>(rust: impl Iterator<Item = &'a str>) -> Self {
        let mut strings = Vec::new();
        // What does not parse is reported elsewhere, and generates nothing.
        let parsed = rust.filter_map(|text| text.parse::<TokenStream>().ok());
        parsed.for_each(|tokens| collect_strings(tokens, &mut strings));
        let is_free = |sign: &Sign| {
            let sign = sign.text();
            !strings.iter().any(|string| string.contains(&*sign))
        };
        Self {
            list: RefCell::default(),
            sign: (0..).map(Sign).find(is_free).unwrap_or_default(),
        }
    }

    /// Keeps a table of one or more lines.
    pub(crate) fn table(&self, text: String) -> TextRef {
        self.add(Text::Table(text))
    }

    /// Keeps documentation.
    pub(crate) fn docs(&self, docs: Docs<'s>) -> TextRef {
        self.add(Text::Docs(docs))
    }

    fn add(&self, text: Text<'s>) -> TextRef {
        let mut texts = self.list.borrow_mut();
        texts.push(text);
        TextRef {
            index: texts.len() - 1,
            sign: self.sign,
        }
    }

    /// Puts the texts where lines of code have their marks: those in
    /// documentation comments as such comments, those in a macro's parentheses
    /// as its argument.
    pub(crate) fn fill_in(&self, code: &str, out: &mut String) {
        let texts = self.list.borrow();
        for line in code.lines() {
            let code = line.trim_start();
            let (indent, _) = line.split_at(line.len() - code.len());
            match Marked::new(code, self.sign)
                .and_then(|(marked, index)| Some((marked, texts.get(index)?)))
            {
                Some((marked, text)) => marked.fill_in(&text.lines(), indent, out),
                None => out.extend([line, "\n"]),
            }
        }
    }

    /// Writes the documentation that a string literal marks, as comments, if
    /// it does mark a text.
    pub(crate) fn write_docs(&self, literal: &str, out: &mut String) -> bool {
        self.write(literal, |text| docs(text, "", out))
    }

    /// Writes the table that a string literal marks, if it does mark a text.
    pub(crate) fn write_table(&self, literal: &str, out: &mut String) -> bool {
        self.write(literal, |text| table(text, "", out))
    }

    fn write(&self, literal: &str, write: impl FnOnce(&str)) -> bool {
        let mark = literal
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        let index = mark.and_then(|mark| self.sign.index(mark));
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

impl TextRef {
    /// What stands for the text in a string literal. Neither a name nor
    /// documentation can be the same: names have no such character, and
    /// documentation begins with a blank; for what the caller adds, see
    /// [`Texts::apart_from`].
    pub(crate) fn mark(self) -> String {
        format!("{}{}", self.sign.text(), self.index)
    }
}

/// The values of all strings among tokens: it is these that are written down
/// as documentation, whatever escapes they had.
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

/// A line that has a mark.
enum Marked<'c> {
    Doc,
    Macro { before: &'c str, after: &'c str },
}

impl<'c> Marked<'c> {
    fn new(code: &'c str, sign: Sign) -> Option<(Self, usize)> {
        if let Some(mark) = code.strip_prefix("///") {
            return Some((Self::Doc, sign.index(mark)?));
        }
        let (before, rest) = code.split_once("!(\"")?;
        let (mark, after) = rest.split_once("\")")?;
        Some((Self::Macro { before, after }, sign.index(mark)?))
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

fn docs(text: &str, indent: &str, out: &mut String) {
    for line in text.lines() {
        let blank = if line.is_empty() { "" } else { " " };
        out.extend([indent, "///", blank, line, "\n"]);
    }
}

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
    use super::{Docs, Texts};

    #[test]
    fn marks_are_filled_in_at_their_indentation() {
        let texts = Texts::default();
        let doc = texts.docs(Docs::of_member("a")).mark();
        let table = texts.table("A {\n    b: c,\n}".to_owned()).mark();
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

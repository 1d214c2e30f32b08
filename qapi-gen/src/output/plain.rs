//! Tokens as text, without a thought for how it looks.
//!
//! In: token streams with marks. Out: Rust that a compiler reads and nobody
//! else, with the texts in the place of their marks. It knows of tokens what
//! it takes to part them, and parses nothing.

use std::fmt::Write as _;

use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};

use crate::rust::text::Texts;

/// Writes tokens down, and fills their texts in: documentation as comments,
/// tables as the argument of their macro.
pub(super) fn write(tokens: TokenStream, texts: &Texts<'_>, out: &mut String) {
    let mut tokens = tokens.into_iter().peekable();
    let mut is_macro = false;
    while let Some(token) = tokens.next() {
        let was_macro = std::mem::take(&mut is_macro);
        match token {
            TokenTree::Group(group) => self::group(group, was_macro, texts, out),
            TokenTree::Punct(punct) => {
                let docs = (punct.as_char() == '#')
                    .then(|| tokens.peek().and_then(documentation))
                    .flatten();
                if docs.is_some_and(|mark| texts.write_docs(&mark, out)) {
                    tokens.next();
                    continue;
                }
                out.push(punct.as_char());
                is_macro = punct.as_char() == '!';
                match (punct.as_char(), punct.spacing()) {
                    // Where the compiler points at a line, it is a short one.
                    (';' | ',', _) => out.push('\n'),
                    (_, Spacing::Alone) => out.push(' '),
                    (_, Spacing::Joint) => {}
                }
            }
            // Writing to a string cannot fail.
            TokenTree::Ident(ident) => drop(write!(out, "{ident} ")),
            TokenTree::Literal(literal) => drop(write!(out, "{literal} ")),
        }
    }
}

fn group(group: Group, of_macro: bool, texts: &Texts<'_>, out: &mut String) {
    let (open, close) = match group.delimiter() {
        Delimiter::Parenthesis => ("(", ") "),
        Delimiter::Brace => ("{\n", "}\n"),
        Delimiter::Bracket => ("[", "] "),
        Delimiter::None => ("", ""),
    };
    let tokens = group.stream();
    // What nobody else holds is taken apart instead of copied.
    drop(group);
    out.push_str(open);
    let table = of_macro.then(|| only_literal(tokens.clone())).flatten();
    if !table.is_some_and(|mark| texts.write_table(&mark, out)) {
        write(tokens, texts, out);
    }
    out.push_str(close);
}

/// The literal of `[doc = "..."]`.
fn documentation(token: &TokenTree) -> Option<String> {
    let TokenTree::Group(group) = token else {
        return None;
    };
    let mut tokens = group.stream().into_iter();
    let is_doc = matches!(tokens.next()?, TokenTree::Ident(name) if name == "doc");
    let is_value = matches!(tokens.next()?, TokenTree::Punct(punct) if punct.as_char() == '=');
    (is_doc && is_value)
        .then(|| only_literal(tokens.collect()))
        .flatten()
}

fn only_literal(tokens: TokenStream) -> Option<String> {
    let mut tokens = tokens.into_iter();
    match (tokens.next()?, tokens.next()) {
        (TokenTree::Literal(literal), None) => Some(literal.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::write;
    use crate::rust::doc::Docs;
    use crate::rust::text::Texts;

    #[test]
    fn marks_are_filled_in_where_they_stand_for_texts() {
        let texts = Texts::default();
        let docs = texts.docs(Docs::of_member("a")).mark();
        let table = texts.table("A {\n    b: c,\n}".to_owned()).mark();
        let tokens = quote! {
            #[doc = #docs]
            pub struct A<'a> { b: &'a [u8], }
            wire::object!(#table);
            #[doc = " @0"]
            const C: &str = f(#docs);
        };
        let mut out = String::new();
        write(tokens, &texts, &mut out);
        assert_eq!(
            out,
            "/// `a` of the schema.\npub struct A < 'a > {\nb : & 'a [u8 ] ,\n}\n\
             wire :: object ! (A {\n    b: c,\n}) ;\n# [doc = \" @0\" ] \
             const C : & str = f (\"@0\" ) ;\n"
        );
    }
}

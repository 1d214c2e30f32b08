//! Prints tokens without formatting them.
//!
//! In: tokens with placeholders. Out: Rust that only a compiler reads, with the
//! placeholders filled in. Nothing is parsed: tokens are only separated.

use std::fmt::Write as _;

use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};

use crate::backend::rust::placeholder::Placeholders;

/// Prints tokens, with documentation as comments and tables as the arguments of
/// their macros.
pub(super) fn write(
    tokens: impl IntoIterator<Item = TokenTree>,
    placeholders: &Placeholders<'_>,
    out: &mut String,
) {
    let mut tokens = tokens.into_iter().peekable();
    let mut is_macro = false;
    while let Some(token) = tokens.next() {
        let was_macro = std::mem::take(&mut is_macro);
        match token {
            TokenTree::Group(group) => self::group(group, was_macro, placeholders, out),
            TokenTree::Punct(punct) => {
                if punct.as_char() == '#'
                    && let Some(TokenTree::Group(group)) = tokens.next_if(is_bracketed)
                {
                    attribute(group, placeholders, out);
                    continue;
                }
                out.push(punct.as_char());
                is_macro = punct.as_char() == '!';
                match (punct.as_char(), punct.spacing()) {
                    // Break the line, because the compiler's messages quote
                    // whole lines.
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

fn group(group: Group, of_macro: bool, placeholders: &Placeholders<'_>, out: &mut String) {
    let (open, close) = match group.delimiter() {
        Delimiter::Parenthesis => ("(", ") "),
        Delimiter::Brace => ("{\n", "}\n"),
        Delimiter::Bracket => ("[", "] "),
        Delimiter::None => ("", ""),
    };
    let tokens = take(group);
    out.push_str(open);
    match of_macro {
        true => argument(tokens.into_iter().collect(), placeholders, out),
        false => write(tokens, placeholders, out),
    }
    out.push_str(close);
}

/// Prints the argument of a macro.
fn argument(tokens: Vec<TokenTree>, placeholders: &Placeholders<'_>, out: &mut String) {
    if !only_literal(&tokens).is_some_and(|mark| placeholders.write_table(&mark, out)) {
        write(tokens, placeholders, out);
    }
}

/// Prints an attribute, whose brackets contain `group`.
fn attribute(group: Group, placeholders: &Placeholders<'_>, out: &mut String) {
    let tokens: Vec<TokenTree> = take(group).into_iter().collect();
    if !documentation(&tokens).is_some_and(|mark| placeholders.write_docs(&mark, out)) {
        out.push_str("# [");
        write(tokens, placeholders, out);
        out.push_str("] ");
    }
}

/// Returns the tokens of a group. Dropping the group first leaves one owner, so
/// that the tokens can be iterated without a copy.
fn take(group: Group) -> TokenStream {
    let tokens = group.stream();
    drop(group);
    tokens
}

fn is_bracketed(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket)
}

/// Returns the literal of `doc = "..."`.
fn documentation(tokens: &[TokenTree]) -> Option<String> {
    match tokens {
        [TokenTree::Ident(name), TokenTree::Punct(punct), value @ ..]
            if punct.as_char() == '=' && name == "doc" =>
        {
            only_literal(value)
        }
        _ => None,
    }
}

fn only_literal(tokens: &[TokenTree]) -> Option<String> {
    match tokens {
        [TokenTree::Literal(literal)] => Some(literal.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::write;
    use crate::backend::rust::placeholder::Placeholders;
    use crate::backend::rust::rustdoc::Docs;

    #[test]
    fn marks_are_filled_in_where_they_stand_for_texts() {
        let placeholders = Placeholders::default();
        let docs = placeholders.docs(Docs::of_member("a")).literal();
        let table = placeholders.table("A {\n    b: c,\n}".to_owned()).literal();
        let tokens = quote! {
            #[doc = #docs]
            pub struct A<'a> { b: &'a [u8], }
            wire::object!(#table);
            #[doc = " @0"]
            const C: &str = f(#docs);
        };
        let mut out = String::new();
        write(tokens, &placeholders, &mut out);
        assert_eq!(
            out,
            "/// `a` of the schema.\npub struct A < 'a > {\nb : & 'a [u8 ] ,\n}\n\
             wire :: object ! (A {\n    b: c,\n}) ;\n# [doc = \" @0\" ] \
             const C : & str = f (\"@0\" ) ;\n"
        );
    }
}

//! Prints tokens without formatting them.
//!
//! In: tokens. Out: Rust that only a compiler reads, with a line for each
//! placeholder of documentation. Nothing is parsed: tokens are only separated.

use std::fmt::Write as _;

use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};

use crate::backend::rust::placeholder;

/// Prints tokens, with placeholders of documentation as comments.
pub(super) fn write(tokens: impl IntoIterator<Item = TokenTree>, out: &mut String) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) => self::group(group, out),
            TokenTree::Punct(punct) => {
                if punct.as_char() == '#'
                    && let Some(TokenTree::Group(group)) = tokens.next_if(is_bracketed)
                {
                    attribute(group, out);
                    continue;
                }
                out.push(punct.as_char());
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

fn group(group: Group, out: &mut String) {
    let (open, close) = match group.delimiter() {
        Delimiter::Parenthesis => ("(", ") "),
        Delimiter::Brace => ("{\n", "}\n"),
        Delimiter::Bracket => ("[", "] "),
        Delimiter::None => ("", ""),
    };
    out.push_str(open);
    write(take(group), out);
    out.push_str(close);
}

/// Prints an attribute, whose brackets contain `group`.
fn attribute(group: Group, out: &mut String) {
    let tokens: Vec<TokenTree> = take(group).into_iter().collect();
    if let [TokenTree::Ident(name), _, TokenTree::Literal(value)] = tokens.as_slice()
        && name == "doc"
        && let Some(placeholder) = placeholder::in_literal(&value.to_string())
    {
        if !out.is_empty() && !out.ends_with('\n') {
            out.push('\n');
        }
        out.extend(["///", placeholder, "\n"]);
    } else {
        out.push_str("# [");
        write(tokens, out);
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

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::write;
    use crate::backend::rust::placeholder::Placeholders;
    use crate::backend::rust::rustdoc::Docs;

    #[test]
    fn placeholders_are_filled_in_when_they_are_documentation_or_tables() {
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
        let (mut code, mut out) = (String::new(), String::new());
        write(tokens, &mut code);
        placeholders.fill_in(&code, &mut out);
        assert_eq!(
            out,
            "/// `a` of the schema.\npub struct A < 'a > {\nb : & 'a [u8 ] ,\n}\n\
             wire :: object ! (A {\n    b: c,\n} ) ;\n# [doc = \" @0\" ] \
             const C : & str = f (\"@qapi-gen:0\" ) ;\n"
        );
    }
}

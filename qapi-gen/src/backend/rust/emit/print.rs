//! Prints whole files.
//!
//! In: the items of a file, as tokens or as text. Out: the text of the file,
//! formatted if the caller wants it, with all placeholders filled in.

use proc_macro2::TokenStream;

use super::file::{File, Item};
use super::{plain, pretty};
use crate::backend::rust::placeholder::Placeholders;
use crate::diag::printable;
use crate::output_dir::{GeneratedFile, HEADING};

/// Prints a file, and fills its placeholders in.
pub(crate) fn print(
    file: File<'_>,
    placeholders: &Placeholders<'_>,
    formatted: bool,
) -> GeneratedFile {
    let source = match file.schema_file {
        Some(schema) => format!("`{schema}`"),
        None => "a QAPI schema".to_owned(),
    };
    let mut text = format!("{HEADING} {source}. Do not edit.\n");
    for item in file.items {
        match item {
            Item::Tokens(tokens) if formatted => {
                format(tokens, placeholders, &file.name, &mut text);
            }
            Item::Tokens(tokens) => plain(tokens, placeholders, &mut text),
            Item::Text(item) => text.extend(["\n", &item]),
        }
    }
    GeneratedFile {
        name: file.name,
        text: escape_controls(text),
    }
}

/// Escapes the characters that a terminal would obey and the ones that change
/// the direction of text.
///
/// Documentation and names of files may contain them. rustc refuses direction
/// controls, because they can make code look like other code. An escape is
/// right in a string and visible in a comment, so this looks at the whole text,
/// wherever a character came from.
fn escape_controls(text: String) -> String {
    // Most files consist of plain ASCII, and this test is much faster.
    let is_plain = |byte: u8| matches!(byte, b'\n' | b' '..=b'~');
    if text.bytes().all(is_plain) {
        return text;
    }
    printable(&text).into_owned()
}

fn format(tokens: TokenStream, placeholders: &Placeholders<'_>, file: &str, text: &mut String) {
    let Some(items) = pretty::items(tokens.clone()) else {
        // The emitter has a bug. Print the tokens, because rustc's error shows the
        // place of the bug best.
        debug_assert!(false, "{file} is no Rust: {tokens}");
        plain(tokens, placeholders, text);
        return;
    };
    for item in items {
        text.push('\n');
        placeholders.fill_in(&item, text);
    }
}

fn plain(tokens: TokenStream, placeholders: &Placeholders<'_>, text: &mut String) {
    let mut code = String::new();
    plain::write(tokens, &mut code);
    text.push('\n');
    placeholders.fill_in(&code, text);
}

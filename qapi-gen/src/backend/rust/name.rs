//! Rust identifiers for QAPI names.
//!
//! In: names as the schema spells them. Out: identifiers that rustc takes
//! without a warning. It knows no types; clashes are the plan's to find.

use proc_macro2::{Ident, Span};

use crate::diag::printable;

/// Words that cannot name an item, edition 2024. Those of them that may not be
/// raw identifiers either (`self`, `Self`, `super`, `crate`) are why every one
/// gets an underscore behind it instead of `r#` before it: one rule for all.
const KEYWORDS: &[&str] = &[
    "Self", "abstract", "as", "async", "await", "become", "box", "break", "const", "continue",
    "crate", "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if",
    "impl", "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub",
    "ref", "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield", "_", "",
    // Values of the prelude, which generated code calls by these names.
    "Err", "None", "Ok", "Some",
];

/// The bytes of the longest of them.
const KEYWORD_LEN_MAX: usize = {
    let mut longest = 0;
    let mut rest = KEYWORDS;
    while let [keyword, others @ ..] = rest {
        if keyword.len() > longest {
            longest = keyword.len();
        }
        rest = others;
    }
    longest
};

/// A type's or a variant's name: `linear-histogram` → `LinearHistogram`,
/// `StatsVCPUFilter` stays, `x86-64` → `X86_64`.
pub(crate) fn camel(name: &str) -> Ident {
    let mut camel = String::with_capacity(name.len());
    for word in words(name) {
        let mut characters = word.chars();
        let Some(first) = characters.next() else {
            continue;
        };
        let digits_meet =
            first.is_ascii_digit() && camel.ends_with(|last: char| last.is_ascii_digit());
        if digits_meet {
            camel.push('_');
        }
        camel.push(first.to_ascii_uppercase());
        if word.len() > 1 && is_shouted(name) {
            camel.extend(characters.map(|c| c.to_ascii_lowercase()));
        } else {
            camel.extend(characters);
        }
    }
    ident(camel)
}

/// A field's, a method's or a module's name: `bucket-size` → `bucket_size`,
/// `type` → `type_`.
pub(crate) fn snake(name: &str) -> Ident {
    let mut snake = String::with_capacity(name.len());
    let mut previous = '_';
    for character in name.chars() {
        match character {
            '-' | '_' | '.' | '/' => {
                if !snake.is_empty() && previous != '_' {
                    snake.push('_');
                    previous = '_';
                }
            }
            _ => {
                let begins_word = character.is_ascii_uppercase()
                    && (previous.is_ascii_lowercase() || previous.is_ascii_digit());
                if begins_word {
                    snake.push('_');
                }
                snake.push(character.to_ascii_lowercase());
                previous = character;
            }
        }
    }
    ident(snake)
}

/// The module for a schema file: its path without `../` and `.json`.
pub(crate) fn module(file: &str) -> Ident {
    let path = file.strip_suffix(".json").unwrap_or(file);
    snake(path.trim_start_matches(['.', '/']))
}

/// Returns the name of a schema file as comments and messages show it: on one
/// line, because the names of files may contain line breaks.
pub(crate) fn shown_file(file: &str) -> String {
    printable(file).replace('\n', "\\n")
}

/// Whether the name is all upper case, as events' names are.
fn is_shouted(name: &str) -> bool {
    name.len() > 1 && !name.contains(|c: char| c.is_ascii_lowercase())
}

fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(['-', '_', '.']).filter(|word| !word.is_empty())
}

fn ident(mut name: String) -> Ident {
    name.retain(|c| c.is_ascii_alphanumeric() || c == '_');
    let may_be_keyword = name.len() <= KEYWORD_LEN_MAX;
    if may_be_keyword && KEYWORDS.contains(&name.as_str()) {
        name.push('_');
    }
    if name == "__" || name == "_" {
        name = "unnamed".to_owned();
    }
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert(0, '_');
    }
    Ident::new(&name, Span::call_site())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_variants() {
        let rows = [
            ("StatsVCPUFilter", "StatsVCPUFilter"),
            ("linear-histogram", "LinearHistogram"),
            ("log2-histogram", "Log2Histogram"),
            ("x86-64", "X86_64"),
            ("2d", "_2d"),
            ("self", "Self_"),
            ("BLOCK_JOB_COMPLETED", "BlockJobCompleted"),
            ("STOP", "Stop"),
            ("X", "X"),
            ("__com.example_x-Type", "ComExampleXType"),
            ("q_obj_query-x-arg", "QObjQueryXArg"),
        ];
        for (name, expected) in rows {
            assert_eq!(camel(name), expected);
        }
    }

    #[test]
    fn fields_and_methods() {
        let rows = [
            ("bucket-size", "bucket_size"),
            ("type", "type_"),
            ("self", "self_"),
            ("UUID", "uuid"),
            ("command-line", "command_line"),
            ("__com.example_x", "com_example_x"),
            ("0x", "_0x"),
            ("camelCase", "camel_case"),
        ];
        for (name, expected) in rows {
            assert_eq!(snake(name), expected);
        }
    }

    #[test]
    fn modules() {
        assert_eq!(module("stats.json"), "stats");
        assert_eq!(module("../qapi/block-core.json"), "qapi_block_core");
        assert_eq!(module("type.json"), "type_");
    }
}

//! Rust identifiers for QAPI names.
//!
//! In: names as the schema spells them. Out: identifiers that rustc accepts
//! without a warning. Clashes are found by the plan.

use proc_macro2::{Ident, Span};

use crate::diag::printable;

/// The words that are not valid names in edition 2024, and the values of the
/// standard prelude that generated code uses, in order. Each gets an underscore at
/// its end, not `r#` in front, because `self`, `Self`, `super` and `crate` are
/// not valid raw identifiers either.
const KEYWORDS: &[&str] = &[
    "", "Err", "None", "Ok", "Self", "Some", "_", "abstract", "as", "async", "await", "become",
    "box", "break", "const", "continue", "crate", "do", "dyn", "else", "enum", "extern", "false",
    "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod",
    "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super",
    "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where",
    "while", "yield",
];

/// Returns the name of a type or variant: `linear-histogram` →
/// `LinearHistogram`, `StatsVCPUFilter` unchanged, `x86-64` → `X86_64`.
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

/// Returns the name of a field, method or module: `bucket-size` →
/// `bucket_size`, `type` → `type_`.
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

/// Returns the name of the module for a schema file: the path of the file without
/// `../` and `.json`.
pub(crate) fn module(file: &str) -> Ident {
    let path = file.strip_suffix(".json").unwrap_or(file);
    snake(path.trim_start_matches(['.', '/']))
}

/// Returns the name of a schema file as comments and messages show it: on one
/// line, because the names of files may contain line breaks.
pub(crate) fn shown_file(file: &str) -> String {
    printable(file).replace('\n', "\\n")
}

/// Returns whether a name is all upper case, as the names of events are.
fn is_shouted(name: &str) -> bool {
    name.len() > 1 && !name.contains(|c: char| c.is_ascii_lowercase())
}

/// Returns the words of a name.
fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(['-', '_', '.']).filter(|word| !word.is_empty())
}

/// Makes a name a valid identifier.
fn ident(mut name: String) -> Ident {
    name.retain(|c| c.is_ascii_alphanumeric() || c == '_');
    if KEYWORDS.binary_search(&name.as_str()).is_ok() {
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
    fn keywords_are_in_order() {
        assert!(KEYWORDS.is_sorted());
    }

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

//! The directives of reStructuredText that schemas use.
//!
//! In: a line, and those below it that are indented more. Out: which
//! directive it is, with its parts. How it looks in the end it does not know.

use super::list::indentation;

/// What begins with two dots.
pub(super) enum Directive<'t> {
    /// Nothing that is shown: a comment, the target of a link.
    Comment,
    /// An example: what it is about, and whether there is text in it.
    Example { title: &'t str, annotated: bool },
    /// A paragraph apart: what it is called, how its text begins.
    Note { label: &'t str, begin: &'t str },
    /// Anything else, which is shown as it stands.
    Literal { title: &'t str, is_json: bool },
}

impl<'t> Directive<'t> {
    /// Returns whether a line begins a directive or a comment.
    pub(super) fn is_begun_by(line: &str) -> bool {
        line == ".." || line.starts_with(".. ")
    }

    /// Reads a line that begins a directive, and removes the options of the
    /// directive from `body`, the lines below that belong to it.
    pub(super) fn new(line: &'t str, body: &mut &[&'t str]) -> Self {
        let rest = line.strip_prefix(".. ").unwrap_or_default();
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let Some((name, argument)) = rest
            .split_once("::")
            .filter(|(name, _)| !name.is_empty() && name.chars().all(is_name))
        else {
            return Self::Comment;
        };
        let argument = argument.trim();
        let mut title = argument;
        let mut annotated = false;
        while let Some((name, value)) = body.first().and_then(|line| option(line)) {
            *body = body.split_first().map_or(&[], |(_, rest)| rest);
            match name {
                "title" => title = value,
                "annotated" => annotated = true,
                _ => {}
            }
        }
        let note = |label| Self::Note {
            label,
            begin: argument,
        };
        match name {
            "qmp-example" => Self::Example { title, annotated },
            "note" => note("Note"),
            "warning" => note("Warning"),
            "caution" => note("Caution"),
            "important" => note("Important"),
            "attention" => note("Attention"),
            "danger" => note("Danger"),
            "hint" => note("Hint"),
            "tip" => note("Tip"),
            "seealso" => note("See also"),
            "admonition" if argument.is_empty() => note("Note"),
            "admonition" => Self::Note {
                label: argument,
                begin: "",
            },
            "code" | "code-block" | "sourcecode" => Self::Literal {
                title: "",
                is_json: argument.eq_ignore_ascii_case("json"),
            },
            _ => Self::Literal {
                title,
                is_json: false,
            },
        }
    }
}

/// The lines below one at a column that belong to it: those that are indented
/// more, without the blank ones at the end; and the rest.
pub(super) fn split_body<'l, 't>(
    lines: &'l [&'t str],
    at: usize,
) -> (&'l [&'t str], &'l [&'t str]) {
    let mut end = 0;
    for (number, line) in lines.iter().enumerate() {
        if line.is_empty() {
            continue;
        }
        if indentation(line) <= at {
            break;
        }
        end = number + 1;
    }
    lines.split_at(end)
}

/// `:name: value`, an option of a directive.
fn option(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.trim_start().strip_prefix(':')?.split_once(':')?;
    let is_name = |c: char| c.is_ascii_lowercase() || c == '-';
    let is_option = !name.is_empty()
        && name.chars().all(is_name)
        && (value.is_empty() || value.starts_with(' '));
    is_option.then(|| (name, value.trim()))
}

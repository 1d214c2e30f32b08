//! The directives of reStructuredText that schemas use.
//!
//! In: a line, and the lines below that are indented more. Out: the directive and
//! its parts. This module must not know Markdown.

use super::list::indentation;

/// A block that begins with two dots.
pub(super) enum Directive<'t> {
    /// A block that is not shown: a comment or the target of a link.
    Comment,
    /// An example, its title, and whether it contains text between the code.
    Example { title: &'t str, annotated: bool },
    /// A note, its label, and the first line of its text.
    Note { label: &'t str, begin: &'t str },
    /// Any other directive, whose content is shown verbatim.
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

/// Splits lines into those that belong to a line at column `at` above them,
/// because they are indented more, and the rest. Blank lines at the end of the
/// first part count to the rest.
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

/// Returns the name and the value of an option of a directive, `:name: value`.
fn option(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.trim_start().strip_prefix(':')?.split_once(':')?;
    let is_name = |c: char| c.is_ascii_lowercase() || c == '-';
    let is_option = !name.is_empty()
        && name.chars().all(is_name)
        && (value.is_empty() || value.starts_with(' '));
    is_option.then(|| (name, value.trim()))
}

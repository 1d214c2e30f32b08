//! Mutations of documentation: its lines, its sections, its delimiters.

use crate::input::{Mutation, MutationInput};

pub(crate) const MUTATIONS: &[Mutation] = &[
    drop_line,
    repeat_line,
    swap_lines,
    indent,
    outdent,
    insert_line,
    insert_line,
    insert_line,
    change_tag,
    describe,
    lengthen,
    document,
    drop_blank,
];

/// Lines with a meaning in documentation, with a former meaning, or with none.
/// `NAME` is replaced by a name of the schema.
const LINES: [&str; 62] = [
    "#",
    "#",
    "##",
    "###",
    "## x",
    "#x",
    "#\t",
    "#  ",
    "",
    "# text",
    "#    indented",
    "#       indented more",
    "# @NAME:",
    "# @NAME: text",
    "# @NAME:    text",
    "# @NAME: text (since 1.0)",
    "# @NAME",
    "# @NAME text",
    "# @:",
    "# @: text",
    "# @",
    "#@NAME: text",
    "# @NAME: text:",
    "#  @NAME: text",
    "# @NAME:NAME: text",
    "# Features:",
    "# Features: text",
    "# Features:\n#\n# @NAME: text",
    "# Features:\n#\n# @deprecated: text\n#\n# @unstable: text",
    "# Returns: text",
    "# Returns:",
    "# Returns: @NAME\n#     on success",
    "# Errors: text",
    "# Errors:",
    "# Errors:\n#     - If so, GenericError",
    "# Since: 9.0",
    "# Since 9.0",
    "# Since:",
    "# Since:\n# 9.0",
    "# Note: text",
    "# Notes: text",
    "# Note:: text",
    "# Example:",
    "# Examples::",
    "# Example:\n#\n# -> { }\n# <- { }",
    "# TODO: text",
    "# TODO",
    "# TODO:",
    "# = Heading",
    "# == Heading",
    "# =Heading",
    "# =====",
    "# .. note:: text",
    "# .. note::\n#    text.  More. Less",
    "# .. qmp-example::\n#\n#     -> { } A sentence. Another",
    "# ..  qmp-example::\n#     .. One. Two\n# Three. Four",
    "# text::\n#\n#     One. Two",
    "# ::\n#\n#   One. Two\n#  Three. Four",
    "# One sentence. Another",
    "# E.g. One, i.e. Two? Three! Four.  (Five. (Six",
    "# 1. One\n# 2. Two",
    "# https://example.invalid/a-very-long-address-that-nobody-can-break-into-two-lines",
];

const TAGS: [&str; 14] = [
    "Returns:",
    "Errors:",
    "Since:",
    "Note:",
    "Notes:",
    "Example:",
    "Examples:",
    "TODO:",
    "Todo:",
    "Features:",
    "Return:",
    "Since::",
    "@foo:",
    "..",
];

/// Returns a line of the table.
fn line(input: &mut MutationInput<'_>) -> Option<String> {
    let pattern = input.random.pick(&LINES)?;
    let name = input.string();
    let name = name.map_or("foo", |range| input.at(&range));
    let name = name.trim_start_matches('*');
    Some(format!("{}\n", pattern.replace("NAME", name)))
}

fn drop_line(input: &mut MutationInput<'_>) -> Option<String> {
    let line = input.doc_line()?;
    Some(input.replace(&line, ""))
}

fn repeat_line(input: &mut MutationInput<'_>) -> Option<String> {
    let (line, to) = (input.doc_line()?, input.doc_line()?);
    Some(input.insert(to.start, input.at(&line)))
}

fn swap_lines(input: &mut MutationInput<'_>) -> Option<String> {
    let (one, other) = (input.doc_line()?, input.doc_line()?);
    input.swap(&one, &other)
}

fn indent(input: &mut MutationInput<'_>) -> Option<String> {
    let line = input.doc_line()?;
    let blanks = input.random.pick(&[" ", "  ", "   ", "    ", "\t"])?;
    Some(input.insert(line.start + 1, blanks))
}

fn outdent(input: &mut MutationInput<'_>) -> Option<String> {
    let line = input.doc_line()?;
    let text = input.at(&line).strip_prefix('#')?;
    let blanks = text.len() - text.trim_start_matches(' ').len();
    let from = line.start + 1;
    let fewer = input.random.below(blanks) + 1;
    (blanks > 0).then(|| input.replace(&(from..from + fewer), ""))
}

fn insert_line(input: &mut MutationInput<'_>) -> Option<String> {
    let to = input.doc_line()?;
    let line = line(input)?;
    Some(input.insert(to.start, &line))
}

/// Replaces the tag at the beginning of a line, or removes it.
fn change_tag(input: &mut MutationInput<'_>) -> Option<String> {
    let range = input.doc_line()?;
    let text = input.at(&range).strip_prefix("# ")?;
    let tag = text.find(':').filter(|_| input.random.one_in(2));
    let text = tag.and_then(|colon| text.get(colon + 1..)).unwrap_or(text);
    let new = input.random.pick(&TAGS)?;
    let line = match input.random.below(4) {
        0 => format!("# {text}"),
        1 => format!("# {new}\n"),
        2 => format!("# {new}{text}"),
        _ => format!("# {new} {text}"),
    };
    Some(input.replace(&range, &line))
}

/// Inserts the description of a name of the schema, between blank lines.
fn describe(input: &mut MutationInput<'_>) -> Option<String> {
    let to = input.doc_line()?;
    let name = input.string()?;
    let name = input.at(&name).trim_start_matches('*');
    Some(input.insert(to.start, &format!("#\n# @{name}: text\n#\n")))
}

/// Makes a line about as long as the limit.
fn lengthen(input: &mut MutationInput<'_>) -> Option<String> {
    let line = input.doc_line()?;
    let missing = (66 + input.random.below(8)).checked_sub(line.len())?;
    let letter = input.random.pick(&["x", "é", " ", "\t"])?;
    let tail = format!("{}x", letter.repeat(missing));
    Some(input.insert(line.end.checked_sub(1)?, &tail))
}

/// Inserts documentation before a definition and its documentation.
fn document(input: &mut MutationInput<'_>) -> Option<String> {
    let definition = input.definition()?;
    let inside = input.outline.strings.iter();
    let name = inside
        .filter(|range| definition.contains(&range.start))
        .nth(1)
        .cloned()?;
    let mut text = format!("##\n# @{}:\n", input.at(&name));
    for _ in 0..input.random.below(4) {
        text += "#\n";
        text += &line(input)?;
    }
    text += "##\n";
    let at = definition.start;
    Some(input.insert(at, &text))
}

/// Removes the blank line between two paragraphs, or between two definitions.
fn drop_blank(input: &mut MutationInput<'_>) -> Option<String> {
    let blank = input.random.pick(&["\n#\n", "\n\n", "##\n"])?;
    let count = input.text.matches(blank).count();
    let index = input.random.index(count)?;
    let (at, _) = input.text.match_indices(blank).nth(index)?;
    Some(input.replace(&(at..at + blank.len()), "\n"))
}

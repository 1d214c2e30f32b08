//! Documentation: its lines, its sections, its delimiters.

use crate::Mutation;
use crate::scene::Scene;

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

/// Lines that mean something in documentation, or once did, or never. `NAME`
/// stands for a name of the schema.
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

/// A line from the table.
fn line(scene: &mut Scene<'_>) -> Option<String> {
    let pattern = scene.random.pick(&LINES)?;
    let name = scene.string();
    let name = name.map_or("foo", |range| scene.at(&range));
    let name = name.trim_start_matches('*');
    Some(format!("{}\n", pattern.replace("NAME", name)))
}

fn drop_line(scene: &mut Scene<'_>) -> Option<String> {
    let line = scene.doc_line()?;
    Some(scene.replace(&line, ""))
}

fn repeat_line(scene: &mut Scene<'_>) -> Option<String> {
    let (line, to) = (scene.doc_line()?, scene.doc_line()?);
    Some(scene.insert(to.start, scene.at(&line)))
}

fn swap_lines(scene: &mut Scene<'_>) -> Option<String> {
    let (one, other) = (scene.doc_line()?, scene.doc_line()?);
    scene.swap(&one, &other)
}

fn indent(scene: &mut Scene<'_>) -> Option<String> {
    let line = scene.doc_line()?;
    let blanks = scene.random.pick(&[" ", "  ", "   ", "    ", "\t"])?;
    Some(scene.insert(line.start + 1, blanks))
}

fn outdent(scene: &mut Scene<'_>) -> Option<String> {
    let line = scene.doc_line()?;
    let text = scene.at(&line).strip_prefix('#')?;
    let blanks = text.len() - text.trim_start_matches(' ').len();
    let from = line.start + 1;
    let fewer = scene.random.below(blanks) + 1;
    (blanks > 0).then(|| scene.replace(&(from..from + fewer), ""))
}

fn insert_line(scene: &mut Scene<'_>) -> Option<String> {
    let to = scene.doc_line()?;
    let line = line(scene)?;
    Some(scene.insert(to.start, &line))
}

/// A line begins with another tag, or one with a tag loses it.
fn change_tag(scene: &mut Scene<'_>) -> Option<String> {
    let range = scene.doc_line()?;
    let text = scene.at(&range).strip_prefix("# ")?;
    let tag = text.find(':').filter(|_| scene.random.one_in(2));
    let text = tag.and_then(|colon| text.get(colon + 1..)).unwrap_or(text);
    let new = scene.random.pick(&TAGS)?;
    let line = match scene.random.below(4) {
        0 => format!("# {text}"),
        1 => format!("# {new}\n"),
        2 => format!("# {new}{text}"),
        _ => format!("# {new} {text}"),
    };
    Some(scene.replace(&range, &line))
}

/// A description of something that the schema names, with blank lines around.
fn describe(scene: &mut Scene<'_>) -> Option<String> {
    let to = scene.doc_line()?;
    let name = scene.string()?;
    let name = scene.at(&name).trim_start_matches('*');
    Some(scene.insert(to.start, &format!("#\n# @{name}: text\n#\n")))
}

/// A line becomes about as long as one may be.
fn lengthen(scene: &mut Scene<'_>) -> Option<String> {
    let line = scene.doc_line()?;
    let missing = (66 + scene.random.below(8)).checked_sub(line.len())?;
    let letter = scene.random.pick(&["x", "é", " ", "\t"])?;
    let tail = format!("{}x", letter.repeat(missing));
    Some(scene.insert(line.end.checked_sub(1)?, &tail))
}

/// A definition gets documentation, in front of what it has.
fn document(scene: &mut Scene<'_>) -> Option<String> {
    let definition = scene.definition()?;
    let inside = scene.outline.strings.iter();
    let name = inside
        .filter(|range| definition.contains(&range.start))
        .nth(1)
        .cloned()?;
    let mut text = format!("##\n# @{}:\n", scene.at(&name));
    for _ in 0..scene.random.below(4) {
        text += "#\n";
        text += &line(scene)?;
    }
    text += "##\n";
    let at = definition.start;
    Some(scene.insert(at, &text))
}

/// Two paragraphs become one, or two definitions.
fn drop_blank(scene: &mut Scene<'_>) -> Option<String> {
    let blank = scene.random.pick(&["\n#\n", "\n\n", "##\n"])?;
    let count = scene.text.matches(blank).count();
    let index = scene.random.index(count)?;
    let (at, _) = scene.text.match_indices(blank).nth(index)?;
    Some(scene.replace(&(at..at + blank.len()), "\n"))
}

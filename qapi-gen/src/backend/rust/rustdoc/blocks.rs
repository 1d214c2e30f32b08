//! The blocks of a text: paragraphs, lists, literal blocks, directives.
//!
//! In: text in the markup of schemas, which is Sphinx's. Out: Markdown. Literal
//! blocks are fenced as text, so that rustdoc does not run them.

use super::directive::{Directive, split_body};
use super::inline;
use super::list::{Item, List, indentation};

/// The nesting limit of notes. Deeper notes are shown verbatim.
const DEPTH_MAX: usize = 8;

/// Appends a text, with a tag in front of it unless the tag is empty.
pub(super) fn write<'t>(tag: &str, text: impl Iterator<Item = &'t str>, out: &mut String) {
    let lines = lines(text);
    if !lines.is_empty() {
        let mut blocks = Blocks { out };
        blocks.separate();
        blocks.text(tag, &lines, Place::default());
    }
}

/// Appends a text without markup under a tag.
pub(super) fn write_literal<'t>(tag: &str, text: impl Iterator<Item = &'t str>, out: &mut String) {
    let lines = lines(text);
    if !lines.is_empty() {
        let mut blocks = Blocks { out };
        blocks.separate();
        blocks.label(tag, Place::default());
        blocks.fence("text", &lines, Place::default());
    }
}

/// Returns the lines without blank lines at the beginning and the end.
fn lines<'t>(text: impl Iterator<Item = &'t str>) -> Vec<&'t str> {
    let lines = text.map(str::trim_end);
    let mut lines: Vec<&str> = lines.skip_while(|line| line.is_empty()).collect();
    while lines.pop_if(|line| line.is_empty()).is_some() {}
    lines
}

/// The position of a block: its column, and the number of blocks around it.
#[derive(Clone, Copy, Default)]
struct Place {
    indent: usize,
    depth: usize,
}

/// The Markdown under construction.
struct Blocks<'o> {
    out: &'o mut String,
}

impl Blocks<'_> {
    /// Writes a text. The tag comes before the first paragraph, or above any
    /// other first block.
    fn text(&mut self, mut tag: &str, lines: &[&str], place: Place) {
        let mut list = List::new(place.indent);
        let mut rest = lines;
        while let [line, below @ ..] = rest {
            let content = line.trim_start();
            if content.is_empty() {
                rest = below;
                self.separate();
            } else if Directive::is_begun_by(content) {
                // Call `split_body` only for directives, because it may read all
                // lines below: calling it for each line of nested lists would
                // take quadratic time.
                let at = indentation(line);
                let (mut body, after) = split_body(below, at);
                let directive = Directive::new(content, &mut body);
                let place = Place {
                    indent: list.indent(at),
                    ..place
                };
                self.label(std::mem::take(&mut tag), place);
                self.separate();
                self.directive(&directive, body, place);
                self.separate();
                rest = after;
            } else {
                rest = self.paragraph(std::mem::take(&mut tag), line, below, &mut list);
            }
        }
    }

    /// Writes a paragraph, and the literal block that it announces. Returns the
    /// lines that follow.
    fn paragraph<'l, 't>(
        &mut self,
        mut tag: &str,
        first: &str,
        below: &'l [&'t str],
        list: &mut List,
    ) -> &'l [&'t str] {
        let at = indentation(first);
        let mut indent = list.indent(at);
        let item = Item::new(first.trim());
        if let Some(item) = &item {
            let place = Place { indent, depth: 0 };
            self.label(std::mem::take(&mut tag), place);
            list.open(at, indent + item.width());
        } else {
            // Without the blank line, Markdown would add the text to the last item.
            self.separate();
        }
        let mut text = item
            .as_ref()
            .map_or(first.trim(), |item| item.text)
            .to_owned();
        let ends = |line: &&str| {
            let content = line.trim();
            content.is_empty()
                || Directive::is_begun_by(content)
                || !list.contains(indentation(line))
                || Item::new(content).is_some_and(|item| !item.is_numbered)
        };
        let length = below.iter().position(ends).unwrap_or(below.len());
        let (lines, rest) = below.split_at(length);
        for line in lines {
            text.extend(["\n", line.trim()]);
        }
        // A literal block is indented more than its announcement.
        let column = lines
            .iter()
            .map(|line| indentation(line))
            .fold(at, usize::min);
        let (literal, after) = match (rest, text.strip_suffix("::")) {
            (["", below @ ..], Some(_)) => match split_body(below, column) {
                // Keep the blank line, without which Markdown would add a list to the
                // paragraph.
                ([], _) => ([].as_slice(), rest),
                found => found,
            },
            _ => ([].as_slice(), rest),
        };
        if !literal.is_empty() {
            text.truncate(text.len() - "::".len());
            let length = text.trim_end().len();
            if length > 0 && length == text.len() {
                text.push(':');
            }
            text.truncate(text.trim_end().len());
        }
        let mut markdown = String::with_capacity(text.len());
        inline::markdown(&text, &mut markdown);
        let mut shown = markdown
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty());
        match (shown.next(), &item) {
            (Some(shown), Some(item)) => {
                self.line(indent, &format!("{} {shown}", item.marker));
                indent += item.width();
            }
            (Some(shown), None) if tag.is_empty() => self.line(indent, shown),
            (Some(shown), None) => self.line(indent, &format!("{tag}: {shown}")),
            // Drop the marker of an item that begins with a literal block, because
            // in Markdown a block below an empty item is not part of the item.
            (None, Some(_)) => list.close(),
            (None, None) => self.label(tag, Place { indent, depth: 0 }),
        }
        shown.for_each(|shown| self.line(indent, shown));
        if !literal.is_empty() {
            self.fence("text", literal, Place { indent, depth: 0 });
            self.separate();
        }
        after
    }

    /// Writes a directive with its content.
    fn directive(&mut self, directive: &Directive<'_>, body: &[&str], place: Place) {
        let inner = Place {
            depth: place.depth + 1,
            ..place
        };
        match directive {
            Directive::Comment => {}
            Directive::Example { title, annotated } => {
                self.titled("Example", title, place);
                match *annotated && inner.depth < DEPTH_MAX {
                    true => self.text("", body, inner),
                    false => self.fence("text", body, place),
                }
            }
            Directive::Note { label, begin } if inner.depth < DEPTH_MAX => {
                let begin = (!begin.is_empty()).then_some(*begin);
                let lines: Vec<&str> = begin.into_iter().chain(body_lines(body)).collect();
                let mut shown = String::new();
                inline::markdown(label, &mut shown);
                let first = lines.iter().position(|line| !line.is_empty()).unwrap_or(0);
                self.text(&shown, lines.get(first..).unwrap_or_default(), inner);
            }
            Directive::Note { label, begin } => {
                self.titled(label, begin, place);
                self.fence("text", body, place);
            }
            Directive::Literal { title, is_json } => {
                if !title.is_empty() {
                    self.titled("", title, place);
                }
                let language = if *is_json { "json" } else { "text" };
                self.fence(language, body, place);
            }
        }
    }

    /// Writes a line with a label and a title for the block below.
    fn titled(&mut self, label: &str, title: &str, place: Place) {
        let separator = match label.is_empty() || title.is_empty() {
            true => "",
            false => ": ",
        };
        let mut shown = String::new();
        inline::markdown(&[label, separator, title].concat(), &mut shown);
        self.label(&shown, place);
    }

    /// Writes a tag on its own line.
    fn label(&mut self, tag: &str, place: Place) {
        if !tag.is_empty() {
            self.line(place.indent, &format!("{tag}:"));
            self.separate();
        }
    }

    /// Writes lines verbatim, as a block that rustdoc does not run.
    fn fence(&mut self, language: &str, lines: &[&str], place: Place) {
        let lines: Vec<&str> = body_lines(lines).collect();
        let is_text = |line: &&str| !line.is_empty();
        let (Some(first), Some(last)) = (
            lines.iter().position(is_text),
            lines.iter().rposition(is_text),
        ) else {
            return;
        };
        let lines = lines.get(first..=last).unwrap_or_default();
        // The fence must be longer than any run of backquotes within it.
        let runs = lines
            .iter()
            .flat_map(|line| line.split(|c| c != '`'))
            .map(str::len);
        let ticks = "`".repeat(runs.max().map_or(3, |longest| (longest + 1).max(3)));
        self.separate();
        self.line(place.indent, &format!("{ticks}{language}"));
        for line in lines {
            self.line(place.indent, line);
        }
        self.line(place.indent, &ticks);
    }

    /// Writes a line at a column.
    fn line(&mut self, indent: usize, line: &str) {
        if !line.is_empty() {
            self.out.extend(std::iter::repeat_n(' ', indent));
        }
        self.out.extend([line, "\n"]);
    }

    /// Writes a blank line unless there is one already.
    fn separate(&mut self) {
        if self.out.is_empty() || self.out.ends_with("\n\n") {
            return;
        }
        let ends_line = self.out.ends_with('\n');
        self.out.push_str(if ends_line { "\n" } else { "\n\n" });
    }
}

/// Returns lines without their common indentation.
fn body_lines<'t>(lines: &[&'t str]) -> impl Iterator<Item = &'t str> {
    let indented = lines.iter().filter(|line| !line.is_empty());
    let margin = indented.map(|line| indentation(line)).min().unwrap_or(0);
    let cut = move |line: &&'t str| line.get(margin..).unwrap_or_else(|| line.trim_start());
    lines.iter().map(cut)
}

#[cfg(test)]
mod tests {
    use super::{DEPTH_MAX, write, write_literal};

    fn check(tag: &str, text: &str, expected: &str) {
        let mut out = String::new();
        write(tag, text.lines(), &mut out);
        assert_eq!(out.trim_end(), expected, "{text}");
    }

    #[test]
    fn text_is_aligned_with_its_list_item() {
        let rows = [
            ("a\n    b", "a\nb"),
            ("- one\n  two\nthree", "- one\n  two\n\nthree"),
            ("- one\n     two\n\n     three", "- one\n  two\n\n  three"),
            ("- one\n    - two\n      three", "- one\n  - two\n    three"),
            ("10. one\n    two\n11. three", "10. one\n    two\n11. three"),
            ("in\n10. that is\n -1", "in\n10\\. that is\n-1"),
            ("-      one", "- one"),
            ("-\t\tone", "- one"),
            ("- -      one", "- \\-      one"),
            ("- a\n  2. b\n\n       c", "- a\n  2\\. b\n\n  c"),
            ("10. ::\n\n      code\n\nend", "```text\ncode\n```\n\nend"),
        ];
        for (text, expected) in rows {
            check("", text, expected);
        }
    }

    #[test]
    fn a_tag_stands_before_a_paragraph_and_above_everything_else() {
        check("Since", "1.0", "Since: 1.0");
        check(
            "Errors",
            "\n- If `a`\n- If b",
            "Errors:\n\n- If `a`\n- If b",
        );
        check("Returns", ".. note:: N", "Returns:\n\nNote: N");
        check("Returns", "::\n\n  <a>", "Returns:\n\n```text\n<a>\n```");
    }

    #[test]
    fn list_is_apart_from_a_paragraph_that_announces_no_literal_block() {
        check(
            "",
            "  ::\n\n10. word\n\n word",
            "::\n\n10. word\n\n    word",
        );
    }

    #[test]
    fn literal_blocks_are_fenced() {
        let fenced = "```text\n<a>\n\n  [b]\n```";
        let rows = [
            (
                "like::\n\n  <a>\n\n    [b]\nend",
                format!("like:\n\n{fenced}\n\nend"),
            ),
            ("like ::\n\n  <a>\n\n    [b]", format!("like\n\n{fenced}")),
            ("like\n::\n\n  <a>\n\n    [b]", format!("like\n\n{fenced}")),
            ("::\n\n  <a>\n\n    [b]", fenced.to_owned()),
            (
                "not literal::\nfor there is no blank line",
                "not literal::\nfor there is no blank line".to_owned(),
            ),
            (
                "nothing below::\n\nend",
                "nothing below::\n\nend".to_owned(),
            ),
            (
                "- item::\n\n      <a>\n\n        [b]\n- next",
                "- item:\n\n  ```text\n  <a>\n\n    [b]\n  ```\n\n- next".to_owned(),
            ),
        ];
        for (text, expected) in rows {
            check("", text, &expected);
        }
        let mut out = String::new();
        write_literal("Example", "\n-> {\n     ```\n   }\n".lines(), &mut out);
        assert_eq!(out, "Example:\n\n````text\n-> {\n     ```\n   }\n````\n");
    }

    #[test]
    fn directives() {
        let rows = [
            (
                ".. qmp-example::\n\n   -> {\n      }\n\nend",
                "Example:\n\n```text\n-> {\n   }\n```\n\nend",
            ),
            (
                ".. qmp-example::\n   :title: Say @it\n\n   -> {}",
                "Example: Say `it`:\n\n```text\n-> {}\n```",
            ),
            (
                ".. qmp-example::\n   :annotated:\n\n   Do::\n\n     -> {}\n\n   Done.",
                "Example:\n\nDo:\n\n```text\n-> {}\n```\n\nDone.",
            ),
            (
                "a\n\n.. note:: one\n   two\n\n   - three\n\nend",
                "a\n\nNote: one\ntwo\n\n- three\n\nend",
            ),
            (
                ".. admonition:: Notes\n\n   1. a\n   2. b",
                "Notes:\n\n1. a\n2. b",
            ),
            (".. note::\n   x", "Note: x"),
            (
                ".. table:: T\n   :widths: auto\n\n   == ==\n   a  b",
                "T:\n\n```text\n== ==\na  b\n```",
            ),
            (".. code-block:: JSON\n\n   {}", "```json\n{}\n```"),
            (
                ".. code-block:: rust\n\n   panic!()",
                "```text\npanic!()\n```",
            ),
            (
                "a\n\n.. a comment\n   of two lines\n\n.. _target:\n\nb",
                "a\n\nb",
            ),
            ("- a\n\n  .. note:: b\n\n  c", "- a\n\n  Note: b\n\n  c"),
        ];
        for (text, expected) in rows {
            check("", text, expected);
        }
    }

    #[test]
    fn notes_in_notes_end_somewhere() {
        let nested: String = (0..2000)
            .map(|depth| format!("{}.. note::\n", " ".repeat(depth)))
            .collect();
        let mut out = String::new();
        write("", nested.lines(), &mut out);
        assert!(out.contains("```text"));
        let shallow: String = (0..DEPTH_MAX - 1)
            .map(|depth| format!("{}.. note:: a\n", " ".repeat(depth)))
            .collect();
        out.clear();
        write("", shallow.lines(), &mut out);
        assert!(!out.contains("```"));
    }
}

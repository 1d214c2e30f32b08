//! The Markdown of arbitrary text, as rustdoc's parser reads it.
//!
//! In: lines of schema markup and of Markdown, joined at random. Out: a failure if
//! the parser finds a block or a span that the conversion does not write.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use pulldown_cmark::{CodeBlockKind, Event, LinkType, Options, Parser, Tag, TagEnd};

use super::blocks;

/// Pieces of lines that are markup in one of the two languages.
const PIECES: &[&str] = &[
    "word",
    "word",
    "word",
    "a_b",
    "*",
    "-",
    "+",
    "1.",
    "2)",
    "10.",
    "123456789.",
    "* * *",
    "**",
    "***",
    "---",
    "===",
    "___",
    "#",
    "##",
    "```",
    "```rust",
    "````",
    "~~~",
    "~~~rust",
    ">",
    ">>>",
    "<b>",
    "</b>",
    "<!--",
    "<?x",
    "<script>",
    "<a@b.org>",
    "&lt;",
    "&#60;",
    "[word]",
    "[word](x)",
    "[word]: x",
    "[^1]",
    "[^1]: x",
    "[ ]",
    "[x]",
    "![x](y)",
    "![",
    "!",
    "](",
    "|",
    "| a | b |",
    "|---|---|",
    "a|b",
    ":-:",
    "-|-",
    "+---+",
    "\\",
    "\\\\",
    "`",
    "``",
    "`a`",
    "``a|b``",
    "``a`b``",
    "`a",
    "b`",
    "``<b>",
    "<b>``",
    "::",
    "like::",
    ":",
    ":ref:`a`",
    ":ref:`a",
    "`x <y>`_",
    "`word <https://example.org/a>`_",
    "`https://example.org/b <https://example.org/a>`__",
    "`<b> <https://example.org/a>`_",
    "`@x",
    "@word",
    "@a-b.",
    "https://example.org/c",
    "xhttps://example.org/c",
    "https://",
    "(https://example.org/c)",
    "$$",
    "^",
    "--",
    "...",
];

/// Beginnings of lines that are directives.
const DIRECTIVES: &[&str] = &[
    ".. note::",
    ".. note:: word",
    ".. admonition:: - #",
    ".. qmp-example::",
    ".. code-block:: rust",
    ":title: # ```",
    ":annotated:",
    ".. foo:: - word",
    ".. comment",
    "..",
    "- .. note::",
];

const BLANKS: &[&str] = &[
    "",
    " ",
    "  ",
    "    ",
    "      ",
    "         ",
    "\t",
    "\t\t",
    "\u{a0}",
    "\u{b}",
];

fn line() -> impl Strategy<Value = String> {
    let blanks = || select(BLANKS).prop_map(str::to_owned);
    let piece = (select(PIECES), blanks()).prop_map(|(piece, blanks)| format!("{piece}{blanks}"));
    let pieces = vec(piece, 0..5).prop_map(|pieces| pieces.concat());
    let directive = select(DIRECTIVES).prop_map(str::to_owned);
    let content = prop_oneof![9 => pieces, 1 => directive];
    (blanks(), content).prop_map(|(blanks, content)| blanks + &content)
}

/// Fails on everything that the conversion never writes.
fn check(tag: &str, lines: &[String]) {
    let mut markdown = String::new();
    blocks::write(tag, lines.iter().map(String::as_str), &mut markdown);
    let refuse = |what: &str| panic!("{what} in\n{markdown}\nfrom\n{}", lines.join("\n"));
    // The extensions that rustdoc turns on.
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_SMART_PUNCTUATION;
    let mut reference = |_: pulldown_cmark::BrokenLink<'_>| Some(("item".into(), "".into()));
    let parser = Parser::new_with_broken_link_callback(&markdown, options, Some(&mut reference));
    let (mut is_link, mut is_code, mut words) = (false, false, 0);
    for event in parser {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language)))
                if matches!(&*language, "text" | "json") =>
            {
                is_code = true;
            }
            Event::End(TagEnd::CodeBlock) => is_code = false,
            Event::Start(Tag::Link {
                link_type: LinkType::Autolink | LinkType::Inline,
                dest_url,
                ..
            }) if dest_url.starts_with("https://") => {
                is_link = true;
            }
            Event::End(TagEnd::Link) => is_link = false,
            Event::Text(text) => {
                words += text.matches("word").count();
                let is_bare = !is_link && !is_code && text.contains("https://example.org");
                assert!(!is_bare, "bare address in\n{markdown}");
            }
            Event::Code(code) => words += code.matches("word").count(),
            Event::Start(
                Tag::Paragraph | Tag::List(_) | Tag::Item | Tag::Emphasis | Tag::Strong,
            )
            | Event::End(_)
            | Event::SoftBreak => {}
            other => refuse(&format!("{other:?}")),
        }
    }
    // Comments, options of directives and targets of links are left out.
    let text = lines.join("\n");
    if !text.contains("..\n")
        && !text.contains(".. ")
        && !text.ends_with("..")
        && !text.contains(">`")
    {
        let expected = text.matches("word").count();
        assert_eq!(words, expected, "words in\n{markdown}\nfrom\n{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn markdown_has_only_written_blocks_and_spans_when_text_is_arbitrary(
        lines in vec(line(), 1..9),
        tag in select(&["", "Since"][..]),
    ) {
        check(tag, &lines);
    }
}

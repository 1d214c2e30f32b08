//! The markup within a paragraph.
//!
//! In: a paragraph. Out: lines of Markdown, in which only code spans, emphasis and
//! links to the web are markup, and none of which begins another block.

use super::list::is_marker;

/// Appends a paragraph for rustdoc.
pub(super) fn markdown(text: &str, out: &mut String) {
    Spans::new(text, Shown::ByRustdoc, out).write();
}

/// Appends a line for the compiler, which shows it verbatim.
pub(super) fn plain(text: &str, out: &mut String) {
    Spans::new(text, Shown::Verbatim, out).write();
}

/// The length limit of a role's name. It keeps the search for the end short.
const ROLE_BYTES_MAX: usize = 40;

/// The program that shows a text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// rustdoc, which reads Markdown.
    ByRustdoc,
    /// rustdoc, within the text of a link, where a second link would end the first.
    InLink,
    /// The compiler, which shows text verbatim.
    Verbatim,
}

/// The conversion of a text, span by span.
struct Spans<'t, 'o> {
    rest: &'t str,
    /// The character before the rest.
    previous: Option<char>,
    shown: Shown,
    out: &'o mut String,
}

impl<'t, 'o> Spans<'t, 'o> {
    fn new(text: &'t str, shown: Shown, out: &'o mut String) -> Self {
        Self {
            rest: text,
            previous: None,
            shown,
            out,
        }
    }

    fn write(mut self) {
        self.begin_line();
        loop {
            self.plain();
            let Some(first) = self.rest.chars().next() else {
                return;
            };
            let is_markup = match first {
                '`' => self.literal() || self.interpreted(self.rest),
                ':' => self.role(),
                '@' => self.parameter(),
                'h' => self.address(),
                _ => false,
            };
            if !is_markup {
                if self.shown != Shown::Verbatim && self.would_be_markup(first) {
                    self.out.push('\\');
                }
                self.out.push(first);
                self.advance(self.rest.strip_prefix(first).unwrap_or_default());
                if first == '\n' {
                    self.begin_line();
                }
            }
        }
    }

    /// Escapes the marker at the beginning of a line that Markdown would take for
    /// a heading, a list item, a rule, or the line below a heading.
    fn begin_line(&mut self) {
        if self.shown == Shown::Verbatim {
            return;
        }
        let line = self.rest.split('\n').next().unwrap_or_default();
        let word = line.split(char::is_whitespace).next().unwrap_or_default();
        let is_rule = |c: char| matches!(c, '*' | '+' | '-' | '=' | '_') || c.is_whitespace();
        let is_block = is_marker(word)
            || line.starts_with('#')
            || !line.is_empty() && line.chars().all(is_rule);
        if is_block {
            let digits = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
            let (number, rest) = self.rest.split_at(digits);
            self.out.extend([number, "\\"]);
            self.advance(rest);
            // Copy the character here, because `write` might escape it once more.
            let mut rest = self.rest.chars();
            self.out.extend(rest.next());
            self.advance(rest.as_str());
        }
    }

    /// Copies characters that are never markup.
    fn plain(&mut self) {
        let length = self.rest.bytes().position(may_be_markup);
        let (plain, rest) = self.rest.split_at(length.unwrap_or(self.rest.len()));
        self.out.push_str(plain);
        self.advance(rest);
    }

    /// Continues with `rest`, which is the end of the current rest.
    fn advance(&mut self, rest: &'t str) {
        let taken = self.rest.get(..self.rest.len() - rest.len());
        let last = taken.and_then(|taken| taken.chars().next_back());
        self.previous = last.or(self.previous);
        self.rest = rest;
    }

    /// Returns whether the rest begins at a word boundary.
    fn begins_word(&self) -> bool {
        self.previous.is_none_or(|it| !it.is_ascii_alphanumeric())
    }

    /// Converts a literal between pairs of backquotes. Returns whether there is
    /// one, like the methods for other spans.
    fn literal(&mut self) -> bool {
        let literal = self.rest.strip_prefix("``");
        let Some((code, rest)) = literal.and_then(|literal| literal.split_once("``")) else {
            return false;
        };
        self.code(code, rest)
    }

    /// Converts `:role:` and text between backquotes.
    fn role(&mut self) -> bool {
        let mut bytes = self.rest.bytes().take(ROLE_BYTES_MAX);
        let Some(end) = bytes.position(|byte| byte == b'`') else {
            return false;
        };
        let (role, rest) = self.rest.split_at(end);
        let is_role = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
        let is_whole = role.len() > 2 && role.ends_with(':') && role.chars().all(is_role);
        is_whole && self.begins_word() && self.interpreted(rest)
    }

    /// Converts text between backquotes, which is a name or `title <target>`.
    fn interpreted(&mut self, text: &'t str) -> bool {
        let Some((content, rest)) = text
            .strip_prefix('`')
            .and_then(|content| content.split_once('`'))
        else {
            return false;
        };
        let is_span = !content.starts_with(char::is_whitespace)
            && !content.ends_with(char::is_whitespace)
            && self.begins_word()
            && self.previous != Some('`')
            && !rest.starts_with('`');
        if !is_span {
            return false;
        }
        let after_link = rest.strip_prefix("__").or(rest.strip_prefix('_'));
        let titled = content
            .strip_suffix('>')
            .and_then(|content| content.split_once('<'))
            .map(|(title, target)| (title.trim_end(), target))
            .filter(|(title, _)| !title.is_empty());
        let Some((title, target)) = titled else {
            // `~` and `!` tell Sphinx how much of a target to show.
            let name = content.trim_start_matches(['~', '!']);
            return self.code(name, after_link.unwrap_or(rest));
        };
        let link = address(target)
            .filter(|(address, rest)| rest.is_empty() && !address.contains(['(', '\\']))
            .filter(|_| self.shown == Shown::ByRustdoc);
        match link {
            Some((address, _)) => {
                // An exclamation mark would turn the link into an image.
                if self.out.ends_with('!') {
                    self.out.pop();
                    self.out.push_str("\\!");
                }
                self.out.push('[');
                Spans::new(title, Shown::InLink, self.out).write();
                self.out.extend(["](", address, ")"]);
            }
            None => Spans::new(title, self.shown, self.out).write(),
        }
        self.advance(after_link.unwrap_or(rest));
        true
    }

    /// Converts `@name`.
    fn parameter(&mut self) -> bool {
        let Some(named) = self.rest.strip_prefix('@').filter(|_| self.begins_word()) else {
            return false;
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let (name, _) = named.split_at(named.find(|c| !is_name(c)).unwrap_or(named.len()));
        // The full stop of a sentence is not part of the name.
        let name = name.trim_end_matches('.');
        self.code(name, named.strip_prefix(name).unwrap_or_default())
    }

    /// Converts a web address. rustdoc makes a link only if the address is in
    /// angle brackets.
    fn address(&mut self) -> bool {
        if self.shown != Shown::ByRustdoc {
            return false;
        }
        let Some((address, rest)) = address(self.rest) else {
            return false;
        };
        self.out.extend(["<", address, ">"]);
        self.advance(rest);
        true
    }

    /// Writes a code span, with delimiters that do not occur in it. The span is on
    /// one line, because Markdown looks for blocks at the beginning of each line
    /// first, and a block would end the span.
    fn code(&mut self, code: &str, rest: &'t str) -> bool {
        if code.trim().is_empty() {
            return false;
        }
        let code = code.replace('\n', " ");
        // Two adjoining delimiters would be one longer delimiter.
        if self.shown != Shown::Verbatim && self.out.ends_with('`') {
            self.out.push(' ');
        }
        match code.contains('`') {
            true => self.out.extend(["`` ", &code, " ``"]),
            false => self.out.extend(["`", &code, "`"]),
        }
        self.advance(rest);
        true
    }

    /// Returns whether rustdoc would take a character for markup.
    fn would_be_markup(&self, character: char) -> bool {
        let next = self.rest.chars().nth(1);
        let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        match character {
            '<' | '>' | '[' | ']' | '`' | '\\' | '|' | '~' => true,
            // An underscore within a word is not emphasis.
            '_' => !is_word(self.previous) || !is_word(next),
            // rustdoc turns two hyphens into a dash.
            '-' if self.previous == Some('-') => true,
            '&' => is_word(next) || next == Some('#'),
            _ => false,
        }
    }
}

/// Returns whether markup of reStructuredText or Markdown may begin with a byte.
fn may_be_markup(byte: u8) -> bool {
    matches!(
        byte,
        b'`' | b':'
            | b'@'
            | b'h'
            | b'<'
            | b'>'
            | b'['
            | b']'
            | b'\\'
            | b'|'
            | b'~'
            | b'_'
            | b'-'
            | b'&'
            | b'\n'
    )
}

/// Returns the web address at the beginning of a text, and the text after it.
fn address(text: &str) -> Option<(&str, &str)> {
    let scheme = ["https://", "http://"]
        .into_iter()
        .find(|scheme| text.starts_with(scheme))?;
    let ends = |c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '`' | '"' | '\'' | ')')
    };
    let (address, _) = text.split_at(text.find(ends).unwrap_or(text.len()));
    // The punctuation of a sentence is not part of the address.
    let address = address.trim_end_matches(['.', ',', ';', ':', '!', '?']);
    (address.len() > scheme.len()).then_some((address, text.strip_prefix(address)?))
}

#[cfg(test)]
mod tests {
    use super::{markdown, plain};

    #[test]
    fn markup() {
        let rows = [
            ("see @bucket-size.", "see `bucket-size`."),
            ("``a <b>`` and <c>", r"`a <b>` and \<c\>"),
            ("``two\nlines``", "`two lines`"),
            ("``a`b``", "`` a`b ``"),
            ("me@example.org", "me@example.org"),
            ("an array [1]", r"an array \[1\]"),
            ("see https://a.org/b.", "see <https://a.org/b>."),
            ("(http://a.org)", "(<http://a.org>)"),
            ("a lone ` and ``", r"a lone \` and \`\`"),
            (
                "(see https://example.org/a.html#b).",
                "(see <https://example.org/a.html#b>).",
            ),
            ("`x <http://a.org>`_.", "[x](http://a.org)."),
            ("`[x]\n<http://a.org>`__", "[\\[x\\]](http://a.org)"),
            ("`x <y>`_", "x"),
            ("see `query-status`", "see `query-status`"),
            (":ref:`cpu-topology`, :event:`~A`", "`cpu-topology`, `A`"),
            (":doc:`The Spec\n</interop/qmp>`", "The Spec"),
            ("10:30:`", r"10:30:\`"),
            ("__x_y_ *must*", r"\_\_x_y\_ *must*"),
            ("--enable, a - b", r"-\-enable, a - b"),
            ("a & b &lt; &#1;", r"a & b \&lt; \&#1;"),
            (
                "~~~\n# no\n====\n*\n-----",
                "\\~\\~\\~\n\\# no\n\\====\n\\*\n\\-\\-\\-\\-\\-",
            ),
        ];
        for (line, expected) in rows {
            let mut shown = String::new();
            markdown(line, &mut shown);
            assert_eq!(shown, expected);
        }
    }

    #[test]
    fn the_compiler_shows_no_escapes() {
        let mut out = String::new();
        plain(
            "Use @a, :ref:`b` or `c <https://d.org>`_ [1] -- <e>",
            &mut out,
        );
        assert_eq!(out, "Use `a`, `b` or c [1] -- <e>");
    }
}

//! Bytes to tokens.
//!
//! In: a file's text. Out: tokens that borrow from the text, one at a time.
//! Neither expressions nor the meaning of comments are known here.

use std::borrow::Cow;

use crate::diag::Problem;

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token<'s> {
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Colon,
    Comma,
    Bool(bool),
    /// A string, with its escapes resolved.
    Str(Cow<'s, str>),
    /// A comment, from its `#` to the end of the line.
    Comment(&'s str),
    /// The end of the file.
    End,
}

/// A token or a problem, with the offsets of its first byte and of the byte after
/// its last. The problem is boxed because it is large and rare.
pub(crate) type Lexed<'s> = (Result<Token<'s>, Box<Problem>>, usize, usize);

/// A reader of tokens.
#[derive(Clone, Debug)]
pub(crate) struct Lexer<'s> {
    text: &'s str,
    at: usize,
}

/// Returns whether a character is white space as Python defines it, which QEMU's
/// generator uses. Unlike Unicode, Python includes four separators.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

impl<'s> Lexer<'s> {
    /// Creates a lexer at the start of a text, which must end with `\n`.
    pub(crate) fn new(text: &'s str) -> Self {
        Self { text, at: 0 }
    }

    /// Returns the next token. Skips comments unless `comments` is set or the
    /// comment begins with `##`, which opens a documentation block.
    pub(crate) fn next(&mut self, comments: bool) -> Lexed<'s> {
        loop {
            let start = self.at;
            let rest = self.rest();
            let Some(&byte) = rest.as_bytes().first() else {
                // QEMU reports the end of the file at the end of the last line.
                let end = start.saturating_sub(1);
                return (Ok(Token::End), end, end);
            };
            let token = match byte {
                b'\n' | b' ' | b'\t' => {
                    let is_blank = |byte: &u8| matches!(byte, b'\n' | b' ' | b'\t');
                    self.at += rest.bytes().take_while(is_blank).count();
                    continue;
                }
                b'{' => Token::LeftBrace,
                b'}' => Token::RightBrace,
                b'[' => Token::LeftBracket,
                b']' => Token::RightBracket,
                b':' => Token::Colon,
                b',' => Token::Comma,
                b'\'' => return self.string(rest, start),
                b'#' => {
                    // Compare byte by byte: lines are short, and a `find` has
                    // more overhead.
                    let length = rest.bytes().take_while(|&byte| byte != b'\n').count();
                    self.at += length;
                    let (comment, _) = rest.split_at(length);
                    if comments || comment.starts_with("##") {
                        return (Ok(Token::Comment(comment)), start, self.at);
                    }
                    continue;
                }
                b't' if rest.starts_with("true") => Token::Bool(true),
                b'f' if rest.starts_with("false") => Token::Bool(false),
                _ => {
                    let space = rest.chars().next().filter(|&c| is_space(c));
                    if let Some(space) = space {
                        self.at += space.len_utf8();
                        continue;
                    }
                    return self.stray(rest, start);
                }
            };
            self.at += match token {
                Token::Bool(true) => 4,
                Token::Bool(false) => 5,
                _ => 1,
            };
            return (Ok(token), start, self.at);
        }
    }

    /// Returns the text that has not been read yet.
    #[expect(
        clippy::string_slice,
        reason = "`at` is after a whole character, or before the first"
    )]
    fn rest(&self) -> &'s str {
        &self.text[self.at..]
    }

    /// Skips to the next line that looks like the start of a top-level item, to
    /// continue after an error.
    pub(crate) fn resynchronize(&mut self) {
        while let Some(rest) = self.skip_line() {
            if rest.starts_with('{') || rest.starts_with("##") {
                return;
            }
        }
    }

    /// Skips the rest of a documentation block and the line that ends it.
    pub(crate) fn leave_comment(&mut self) {
        while let Some(rest) = self.skip_line() {
            let line = rest.trim_start_matches([' ', '\t']);
            if line.starts_with("##") {
                self.skip_line();
                return;
            }
            if !line.starts_with('#') {
                // No `##` ends the block.
                if !rest.starts_with('{') {
                    self.resynchronize();
                }
                return;
            }
        }
    }

    /// Skips to the next line. Returns the text from there, or `None` at the
    /// end.
    fn skip_line(&mut self) -> Option<&'s str> {
        let Some(end) = self.rest().find('\n') else {
            self.at = self.text.len();
            return None;
        };
        self.at += end + 1;
        Some(self.rest()).filter(|rest| !rest.is_empty())
    }

    /// Reads the string at the start of `rest`.
    fn string(&mut self, rest: &'s str, start: usize) -> Lexed<'s> {
        let (_, content) = rest.split_at(1);
        // Search the bytes first, because that is fast and nearly all strings
        // have no escapes.
        let plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'\'' | b'\\');
        let length = content.bytes().take_while(plain).count();
        if content.as_bytes().get(length) == Some(&b'\'') {
            self.at = start + length + 2;
            let (content, _) = content.split_at(length);
            return (Ok(Token::Str(Cow::Borrowed(content))), start, self.at);
        }
        self.unusual_string(content, start)
    }

    /// Reads a string that has escapes or an error.
    fn unusual_string(&mut self, content: &'s str, start: usize) -> Lexed<'s> {
        let mut escaped = false;
        for (offset, c) in content.char_indices() {
            self.at = start + 1 + offset;
            let problem = match c {
                '\n' => Problem::UnterminatedString,
                '\\' => {
                    escaped = !escaped;
                    continue;
                }
                _ if escaped => Problem::UnknownEscape(c),
                '\'' => {
                    self.at += 1;
                    let (content, _) = content.split_at(offset);
                    let content = content.replace("\\\\", "\\");
                    return (Ok(Token::Str(Cow::Owned(content))), start, self.at);
                }
                ' '..='~' => continue,
                _ => Problem::FunnyCharacter,
            };
            return (Err(Box::new(problem)), start, self.at);
        }
        self.at = self.text.len();
        (Err(Box::new(Problem::UnterminatedString)), start, self.at)
    }

    /// Skips the text at the start of `rest`, which is not a token, and returns
    /// the problem.
    fn stray(&mut self, rest: &'s str, start: usize) -> Lexed<'s> {
        let ends = |c| matches!(c, '[' | ']' | '{' | '}' | ':' | ',' | '\'') || is_space(c);
        let length = rest.find(ends).unwrap_or(rest.len());
        self.at += length;
        let (text, _) = rest.split_at(length);
        let problem = Problem::Stray(text.to_owned());
        (Err(Box::new(problem)), start, self.at)
    }
}

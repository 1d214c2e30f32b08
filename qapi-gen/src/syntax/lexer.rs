//! Bytes to tokens.
//!
//! In: a file's text. Out: tokens that borrow from it, one at a time. It
//! knows neither expressions nor what a comment means.

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
    /// A string, escapes undone.
    Str(Cow<'s, str>),
    /// A comment with its `#`, up to the end of the line.
    Comment(&'s str),
    /// The end of the file.
    End,
}

/// A token or what is wrong, which is rare and large, with its first and last byte's offsets.
pub(crate) type Lexed<'s> = (Result<Token<'s>, Box<Problem>>, usize, usize);

/// Reads tokens.
#[derive(Clone, Debug)]
pub(crate) struct Lexer<'s> {
    text: &'s str,
    at: usize,
}

/// What separates tokens and documentation words: Python's notion of white
/// space, which includes four separators that Unicode does not count.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

impl<'s> Lexer<'s> {
    /// A lexer at the start of a text whose last line is ended.
    pub(crate) fn new(text: &'s str) -> Self {
        Self { text, at: 0 }
    }

    /// The next token. Comments are left out unless `comments` is set or they
    /// begin with `##`, which opens a documentation block.
    pub(crate) fn next(&mut self, comments: bool) -> Lexed<'s> {
        loop {
            let start = self.at;
            let rest = self.text.get(start..).unwrap_or_default();
            let Some(&byte) = rest.as_bytes().first() else {
                // The place of the end is the last line's end.
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
                    // Lines are short, so this is quicker than a search.
                    let length = rest.bytes().take_while(|&byte| byte != b'\n').count();
                    self.at += length;
                    let comment = rest.get(..length).unwrap_or_default();
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

    /// Goes to the next line that looks like the beginning of something at
    /// top level, for going on after an error.
    pub(crate) fn resynchronize(&mut self) {
        while let Some(rest) = self.skip_line() {
            if rest.starts_with('{') || rest.starts_with("##") {
                return;
            }
        }
    }

    /// Goes to the line after the one that ends a documentation block.
    pub(crate) fn leave_comment(&mut self) {
        while let Some(rest) = self.skip_line() {
            let line = rest.trim_start_matches([' ', '\t']);
            if line.starts_with("##") {
                self.skip_line();
                return;
            }
            if !line.starts_with('#') {
                // The block has no end.
                if !rest.starts_with('{') {
                    self.resynchronize();
                }
                return;
            }
        }
    }

    /// Goes to the next line and returns what is left of the text.
    fn skip_line(&mut self) -> Option<&'s str> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let Some(end) = rest.find('\n') else {
            self.at = self.text.len();
            return None;
        };
        self.at += end + 1;
        self.text.get(self.at..).filter(|rest| !rest.is_empty())
    }

    fn string(&mut self, rest: &'s str, start: usize) -> Lexed<'s> {
        let content = rest.get(1..).unwrap_or_default();
        // Nearly all strings are plain, and bytes are quick to look through.
        let plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'\'' | b'\\');
        let length = content.bytes().take_while(plain).count();
        if content.as_bytes().get(length) == Some(&b'\'') {
            self.at = start + length + 2;
            let content = content.get(..length).unwrap_or_default();
            return (Ok(Token::Str(Cow::Borrowed(content))), start, self.at);
        }
        self.unusual_string(content, start)
    }

    /// A string with escapes, or one with something wrong.
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
                    let content = content.get(..offset).unwrap_or_default();
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

    fn stray(&mut self, rest: &'s str, start: usize) -> Lexed<'s> {
        let ends = |c| matches!(c, '[' | ']' | '{' | '}' | ':' | ',' | '\'') || is_space(c);
        let length = rest.find(ends).unwrap_or(rest.len());
        self.at += length;
        let text = rest.get(..length).unwrap_or_default().to_owned();
        (Err(Box::new(Problem::Stray(text))), start, self.at)
    }
}

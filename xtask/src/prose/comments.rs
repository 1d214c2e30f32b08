//! The comments of one Rust file.
//!
//! In: the text of the file. Out: each run of comment lines as one line of
//! text, without code examples. Comments of test code are left out.

/// Consecutive comment lines of one kind.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Comment {
    /// The number of the comment's first line.
    pub(super) line: usize,
    /// The comment's words, one space apart.
    pub(super) text: String,
}

/// Returns the comments before the file's test module.
pub(super) fn comments(source: &str) -> Vec<Comment> {
    let code = source
        .split_once("#[cfg(test)]\nmod ")
        .map_or(source, |(code, _)| code);
    let mut all: Vec<Comment> = Vec::new();
    let mut previous = None;
    let mut is_example = false;
    for (line, number) in code.lines().zip(1..) {
        let Some((marker, words)) = comment_line(line) else {
            previous = None;
            continue;
        };
        if previous != Some(marker) {
            previous = Some(marker);
            is_example = false;
            all.push(Comment {
                line: number,
                text: String::new(),
            });
        }
        if words.starts_with("```") {
            is_example = !is_example;
        } else if !is_example && let Some(comment) = all.last_mut() {
            for word in words.split_whitespace() {
                if !comment.text.is_empty() {
                    comment.text.push(' ');
                }
                comment.text.push_str(word);
            }
        }
    }
    all.retain(|comment| !comment.text.is_empty());
    all
}

/// Splits a line that consists of a comment into its marker and its text.
fn comment_line(line: &str) -> Option<(&'static str, &str)> {
    let line = line.trim_start();
    let markers = ["///", "//!", "//"];
    let marker = markers
        .into_iter()
        .find(|marker| line.starts_with(marker))?;
    Some((marker, line.strip_prefix(marker)?.trim()))
}

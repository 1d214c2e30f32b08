//! The wording of comments.
//!
//! In: the Rust files that git tracks, without tests and goldens, and the
//! exceptions in `xtask/prose.txt`. Out: each expression in a comment that the
//! rules refuse, and each exception that excuses nothing.

mod comments;
mod rules;
#[cfg(test)]
mod tests;

use std::fs;

use self::comments::comments;
use self::rules::{Refusal, refusals};
use crate::tools::{Failure, read, tracked_files, workspace};

/// One exception a line: `file: expression: reason`.
const LIST: &str = "xtask/prose.txt";

/// Folders whose comments are free: their text is data, or has only tests'
/// readers.
const FREE_FOLDERS: &[&str] = &["benches", "cases", "fuzz", "golden", "tests"];

/// A refused expression and its place.
#[derive(Debug)]
struct Finding {
    path: String,
    line: usize,
    refusal: Refusal,
}

/// An expression that one file may use.
#[derive(Debug)]
struct Exception {
    line: usize,
    path: String,
    words: String,
}

/// Checks the comments of every file.
pub(crate) fn check() -> Result<(), Failure> {
    let mut findings = Vec::new();
    for path in tracked_files()? {
        let is_free = path.split('/').any(|part| FREE_FOLDERS.contains(&part));
        if path.ends_with(".rs") && !path.ends_with("tests.rs") && !is_free {
            let source = fs::read_to_string(workspace().join(&path));
            findings.extend(findings_of(&path, &source.unwrap_or_default()));
        }
    }
    let complaints = complaints(findings, &read(LIST)?)?;
    if complaints.is_empty() {
        return Ok(());
    }
    Err(complaints.join("\n"))
}

fn findings_of(path: &str, source: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for comment in comments(source) {
        for refusal in refusals(&comment.text) {
            findings.push(Finding {
                path: path.to_owned(),
                line: comment.line,
                refusal,
            });
        }
    }
    findings
}

/// Returns the findings that no exception excuses, and the exceptions that excuse
/// nothing.
fn complaints(mut findings: Vec<Finding>, list: &str) -> Result<Vec<String>, Failure> {
    let mut complaints = Vec::new();
    for exception in parse(list)? {
        let excused =
            |it: &Finding| it.path == exception.path && it.refusal.words == exception.words;
        if !findings.iter().any(excused) {
            let Exception { line, words, .. } = &exception;
            complaints.push(format!("{LIST}:{line}: `{words}` is not used any more"));
        }
        findings.retain(|finding| !excused(finding));
    }
    complaints.extend(findings.iter().map(Finding::text));
    Ok(complaints)
}

fn parse(list: &str) -> Result<Vec<Exception>, Failure> {
    let mut exceptions = Vec::new();
    for (text, line) in list.lines().zip(1..) {
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let parts: Vec<&str> = text.splitn(3, ": ").collect();
        let [path, words, _reason] = parts.as_slice() else {
            return Err(format!(
                "{LIST}:{line}: not of the form `file: expression: reason`"
            ));
        };
        exceptions.push(Exception {
            line,
            path: (*path).to_owned(),
            words: (*words).to_owned(),
        });
    }
    Ok(exceptions)
}

impl Finding {
    fn text(&self) -> String {
        let Refusal { words, advice } = &self.refusal;
        format!("{}:{}: `{words}`: {advice}", self.path, self.line)
    }
}

//! The wording of comments.
//!
//! In: the Rust files that git tracks, without tests and generated code. Out: each
//! expression in a comment that the rules refuse, and each exception that
//! excuses nothing.

mod comments;
mod rules;
#[cfg(test)]
mod tests;

use std::fs;

use self::comments::comments;
use self::rules::{Refusal, refusals};
use crate::tools::{Failure, tracked_files, workspace};

/// Expressions that a file may use although the rules refuse them: each with
/// the path and a comment that gives the reason.
const EXCEPTIONS: &[(&str, &str)] = &[];

/// Folders whose comments are free: their text is data, or has only tests'
/// readers.
const FREE_FOLDERS: &[&str] = &["benches", "cases", "fuzz", "generated", "golden", "tests"];

/// A refused expression and its place.
#[derive(Debug)]
struct Finding {
    path: String,
    line: usize,
    refusal: Refusal,
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
    let complaints = complaints(findings, EXCEPTIONS);
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
fn complaints(mut findings: Vec<Finding>, exceptions: &[(&str, &str)]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, words) in exceptions {
        let excused = |it: &Finding| it.path == *path && it.refusal.words == *words;
        if !findings.iter().any(excused) {
            complaints.push(format!("{path}: `{words}` needs no exception any more"));
        }
        findings.retain(|finding| !excused(finding));
    }
    complaints.extend(findings.iter().map(Finding::text));
    complaints
}

impl Finding {
    fn text(&self) -> String {
        let Refusal { words, advice } = &self.refusal;
        format!("{}:{}: `{words}`: {advice}", self.path, self.line)
    }
}

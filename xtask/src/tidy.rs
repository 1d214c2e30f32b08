//! Rules about files that a program can check.
//!
//! In: the files that git tracks. Out: every place that breaks a rule.

use std::fs;
use std::path::Path;

use crate::tools::{Failure, tracked_files, workspace};

/// The most lines of a file, without its tests.
const FILE_LINES_MAX: usize = 600;
/// The most columns of a schema, as in QEMU.
const SCHEMA_COLUMNS_MAX: usize = 79;
/// Names of modules that collect unrelated items.
const MAGNETS: &[&str] = &["utils", "util", "common", "helpers", "misc", "manager"];
/// A way to report a skipped test that the test harness hides.
const CAPTURED_SKIP: &str = concat!("println!", "(\"skipped");

pub(crate) fn check() -> Result<(), Failure> {
    let mut findings = Vec::new();
    for path in tracked_files()? {
        let Ok(text) = fs::read_to_string(workspace().join(&path)) else {
            continue;
        };
        if path.ends_with(".rs") && !path.contains("/golden/") && !path.contains("/generated/") {
            rust(&path, &text, &mut findings);
        }
        if path.starts_with("qapi/schema/") {
            schema(&path, &text, &mut findings);
        }
    }
    if findings.is_empty() {
        Ok(())
    } else {
        Err(findings.join("\n"))
    }
}

fn rust(path: &str, text: &str, findings: &mut Vec<String>) {
    let is_test = path.contains("/tests/") || path.ends_with("tests.rs");
    let code = text
        .lines()
        .take_while(|line| *line != "#[cfg(test)]")
        .count();
    if !is_test && code > FILE_LINES_MAX {
        findings.push(format!("{path}: {code} lines, more than {FILE_LINES_MAX}"));
    }
    if text.contains(CAPTURED_SKIP) {
        findings.push(format!("{path}: a skipped test calls `skip::because`"));
    }
    if !text.starts_with("//!") {
        findings.push(format!("{path}: does not open with what it is for"));
    }
    let stem = Path::new(path)
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or_default();
    // A file that implements a module of our schema has the module's name.
    let is_schema_module = workspace()
        .join(format!("qapi/schema/{stem}.json"))
        .exists();
    if MAGNETS.contains(&stem) && !is_schema_module {
        findings.push(format!("{path}: `{stem}` says nothing of its purpose"));
    }
}

fn schema(path: &str, text: &str, findings: &mut Vec<String>) {
    for (line, number) in text.lines().zip(1..) {
        if line.chars().count() > SCHEMA_COLUMNS_MAX {
            findings.push(format!(
                "{path}:{number}: more than {SCHEMA_COLUMNS_MAX} columns"
            ));
        }
    }
}

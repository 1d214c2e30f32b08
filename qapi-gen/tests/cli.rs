//! The command line: `qapi-gen rust`, what it writes and what `--check` says.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "tests may stop at the first surprise")]

mod program;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

/// A folder with a schema, for one test.
fn folder(test: &str) -> PathBuf {
    let folder = program::folder("cli", test);
    let schema = "{ 'include': 'b.json' }\n\
                  { 'struct': 'Aa', 'data': { 'x': 'int', '*y': { 'type': 'str', 'if': 'CONFIG_Y' } } }\n";
    fs::write(folder.join("a.json"), schema).unwrap();
    fs::write(folder.join("b.json"), "{ 'event': 'GONE' }\n").unwrap();
    folder
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let fixed = ["rust", "a.json", "-o", "out"];
    program::qapi_gen(folder, &[&fixed, arguments].concat())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The diff that `--check` prints, which says that there is a difference.
fn stale(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, &[&["--check"], arguments].concat());
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("out of date"), "{said}");
    text(&output.stdout)
}

fn write(folder: &Path, arguments: &[&str]) {
    let output = run(folder, arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "");
}

#[test]
fn rust_check_prints_stale_files_and_writes_nothing() {
    let folder = folder("check");
    let diff = stale(&folder, &[]);
    assert!(
        diff.starts_with("--- /dev/null\n+++ out/mod.rs\n@@ -0,0 +1"),
        "{diff}"
    );
    assert!(!folder.join("out").exists());

    write(&folder, &[]);
    let output = run(&folder, &["--check"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stdout), "");
    assert_eq!(text(&output.stderr), "");

    let file = folder.join("out/a.rs");
    let edited = fs::read_to_string(&file)
        .unwrap()
        .replace("pub x: i64", "pub x: u64");
    fs::write(&file, &edited).unwrap();
    let diff = stale(&folder, &[]);
    let lines: Vec<&str> = diff.lines().collect();
    assert!(
        lines.starts_with(&["--- out/a.rs", "+++ out/a.rs"]),
        "{diff}"
    );
    assert!(lines.contains(&"-    pub x: u64,"), "{diff}");
    assert!(lines.contains(&"+    pub x: i64,"), "{diff}");
    assert!(!diff.contains('\u{1b}'), "no colours in a pipe");
    assert_eq!(fs::read_to_string(&file).unwrap(), edited);
}

#[test]
fn rust_check_prints_left_over_files() {
    let folder = folder("left-over");
    write(&folder, &[]);
    fs::write(folder.join("out/own.rs"), "// Written by hand.\n").unwrap();
    let diff = stale(&folder, &["--only", "Aa"]);
    assert!(diff.contains("--- out/b.rs\n+++ /dev/null\n"), "{diff}");
    assert!(!diff.contains("own.rs"), "{diff}");
    assert!(folder.join("out/b.rs").exists());
    let diff = stale(&folder, &["--one-file"]);
    for name in ["a.rs", "b.rs"] {
        let removed = format!("--- out/{name}\n+++ /dev/null\n");
        assert!(diff.contains(&removed), "{diff}");
    }
}

#[test]
fn command_line_has_every_option_of_the_builder() {
    let folder = folder("options");
    let read = |name: &str| fs::read_to_string(folder.join("out").join(name)).unwrap();
    write(&folder, &["--cfg"]);
    assert!(read("a.rs").contains("#[cfg(feature = \"y\")]"));
    write(&folder, &["--cfg-feature", "CONFIG_Y=why"]);
    assert!(read("a.rs").contains("#[cfg(feature = \"why\")]"));
    write(
        &folder,
        &["--cfg-predicate", "CONFIG_Y=target_os = \"linux\""],
    );
    assert!(read("a.rs").contains("#[cfg(target_os = \"linux\")]"));
    // Several schemas may share a configuration; a symbol may be misspelt too.
    let said = run(&folder, &["--config", "CONFIG_X"]);
    assert!(said.status.success());
    let expected = "warning: config: symbol 'CONFIG_X' is in no condition of the schema";
    assert_eq!(text(&said.stderr).trim(), expected);
    assert!(!read("a.rs").contains("pub y"));
    write(
        &folder,
        &["--config", "CONFIG_Y=y", "--config", "CONFIG_X=n"],
    );
    assert!(read("a.rs").contains("pub y"));
    let additions = [
        ["--derive", "PartialOrd"],
        ["--derive-for", "Aa=Ord"],
        ["--attribute", "#[must_use]"],
        ["--attribute-for", "Aa.x=#[doc(alias = \"ex\")]"],
    ];
    write(&folder, additions.as_flattened());
    let text = read("a.rs");
    assert!(text.contains("PartialOrd, Ord)]\n#[must_use]\n"), "{text}");
    assert!(
        text.contains("    #[doc(alias = \"ex\")]\n    pub x: i64"),
        "{text}"
    );
    write(&folder, &["--except", "b.json", "--one-file"]);
    assert!(!read("mod.rs").contains("Gone"));
    write(&folder, &["--replace", "Aa=crate::Own"]);
    assert!(!folder.join("out/a.rs").exists());
}

#[test]
fn conflicting_options_are_errors() {
    let folder = folder("wrong");
    let check = |arguments: &[&str], status: i32, expected: &str| {
        let output = run(&folder, arguments);
        assert_eq!(output.status.code(), Some(status));
        let said = text(&output.stderr);
        assert!(said.contains(expected), "{said}");
        assert!(!folder.join("out").exists());
    };
    check(
        &["--only", "nope"],
        1,
        "the schema has no file or definition 'nope'",
    );
    check(
        &["--check", "--only", "nope"],
        1,
        "the schema has no file or definition 'nope'",
    );
    check(
        &["--cfg-predicate", "CONFIG_Y=1 +"],
        1,
        "is not a valid cfg predicate",
    );
    check(&["--cfg-feature", "CONFIG_Y"], 2, "expected NAME=...");
    check(&["--cfg", "--config", "CONFIG_Y"], 2, "cannot be used with");
    check(
        &["--include-folder", "other=nowhere"],
        2,
        "nowhere is not a folder",
    );
    check(
        &["--config", "config_y"],
        2,
        "a symbol consists of upper case letters",
    );
}

#[test]
fn unformatted_code_differs_from_formatted() {
    let folder = folder("no-format");
    assert!(run(&folder, &[]).status.success());
    assert!(stale(&folder, &["--no-format"]).contains("mod.rs"));
}

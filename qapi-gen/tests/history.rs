//! The history of an interface, on the command line.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "tests may stop at the first surprise")]

mod program;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use program::qapi_gen;

fn folder(test: &str) -> PathBuf {
    let folder = program::folder("history", test);
    for (name, schema) in [
        (
            "1.json",
            "{ 'command': 'stop', 'data': { 'a': 'int', 'b': 'int' } }",
        ),
        (
            "2.json",
            "{ 'command': 'stop', 'data': { 'a': 'int', '*c': 'str' } }",
        ),
        (
            "3.json",
            "{ 'command': 'stop', 'data': { 'a': 'int', 'b': 'int' } }\n{ 'event': 'STOP' }",
        ),
    ] {
        fs::write(folder.join(name), schema).unwrap();
    }
    folder
}

const RELEASES: [&str; 3] = ["1=1.json", "2=2.json", "3=3.json"];

fn run(folder: &Path, arguments: &[&str]) -> Output {
    qapi_gen(folder, &[arguments, &RELEASES].concat())
}

#[test]
fn history_has_a_line_for_each_path_and_release() {
    let folder = folder("lines");
    let output = run(&folder, &["history"]);
    let expected = "\
+ 3: STOP
- 2: stop/arg-type/b
+ 3: stop/arg-type/b
- 2: stop/arg-type/b/!int
+ 3: stop/arg-type/b/!int
";
    let text = String::from_utf8(output.stdout).unwrap();
    let text: String = text
        .lines()
        .filter(|line| !line.contains("/c") && !line.contains("*c"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(text, expected);
}

#[test]
fn history_writes_a_file_for_each_command_and_keeps_foreign_files() {
    let folder = folder("files");
    assert!(run(&folder, &["history", "-o", "out"]).status.success());
    let stop = fs::read_to_string(folder.join("out/stop.txt")).unwrap();
    assert!(stop.contains("\n+ 2: stop/arg-type/*c\n"), "{stop}");
    fs::copy(folder.join("out/stop.txt"), folder.join("out/gone.txt")).unwrap();
    fs::write(folder.join("out/notes.txt"), "mine").unwrap();
    assert!(run(&folder, &["history", "-o", "out"]).status.success());
    assert!(!folder.join("out/gone.txt").exists());
    assert!(folder.join("out/notes.txt").exists());
    fs::write(folder.join("out/stop.txt"), "mine").unwrap();
    assert_eq!(
        run(&folder, &["history", "-o", "out"]).status.code(),
        Some(2)
    );
}

#[test]
fn since_names_the_release_and_says_what_is_gone() {
    let folder = folder("since");
    let since = |path: &str| {
        let output = run(&folder, &["since", path]);
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.code().unwrap(), text)
    };
    assert_eq!(since("STOP"), (0, "+ 3: STOP\nsince 3\n".to_owned()));
    assert_eq!(since("stop"), (0, "since 1 or earlier\n".to_owned()));
    assert_eq!(
        since("stop/arg-type/b"),
        (
            0,
            "- 2: stop/arg-type/b\n+ 3: stop/arg-type/b\nsince 3\n".to_owned()
        )
    );
    let gone = "+ 2: stop/arg-type/c\n- 3: stop/arg-type/c\n".to_owned();
    assert_eq!(since("stop/arg-type/c"), (1, gone));
    assert_eq!(since("nothing"), (1, String::new()));
}

#[test]
fn downstream_names_have_files_of_their_own() {
    let folder = folder("downstream");
    let schema = "{ 'command': '__com.vmm_a' }\n{ 'command': '__com.vmm_b' }";
    fs::write(folder.join("2.json"), schema).unwrap();
    assert!(run(&folder, &["history", "-o", "out"]).status.success());
    assert!(folder.join("out/__com.vmm_a.txt").exists());
    assert!(folder.join("out/__com.vmm_b.txt").exists());
}

//! The file `qapi-gen.toml`: what build script and command line take from it.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "tests may stop at the first surprise")]

mod program;

use std::fs;
use std::path::PathBuf;

use program::qapi_gen;
use qapi_gen::{Builder, ConfigFile};

/// A schema that needs the file: its include folder, and its rules, by which a line
/// of documentation may be long.
const MAIN: &str = "\
{ 'include': 'dep/part.json' }
##
# @GONE:
#
# A sentence that is longer than the seventy characters that later rules allow.
##
{ 'event': 'GONE', 'if': 'CONFIG_A' }
{ 'event': 'NEVER', 'if': 'CONFIG_B' }
{ 'command': 'ask', 'returns': 'Part' }
";

const FILE: &str = "\
rules = '10.0'
config = ['CONFIG_A']
include-folder = { dep = 'other/schemas' }

[rust]
docs = false
one-file = true
introspection = false
derive = ['::core::cmp::PartialOrd']
attribute-for = { Part = ['#[doc(alias = \"a\")]', '#[doc(alias = \"b\")]'] }
";

fn folder(test: &str, file: &str) -> PathBuf {
    let folder = program::folder("config-file", test);
    fs::create_dir_all(folder.join("qapi")).unwrap();
    fs::create_dir_all(folder.join("other/schemas")).unwrap();
    fs::create_dir_all(folder.join(".git")).unwrap();
    fs::write(folder.join("qapi-gen.toml"), file).unwrap();
    fs::write(folder.join("qapi/main.json"), MAIN).unwrap();
    let part = "{ 'struct': 'Part', 'data': { 'a': 'int' } }";
    fs::write(folder.join("other/schemas/part.json"), part).unwrap();
    folder
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

#[test]
fn build_script_and_command_line_share_the_file() {
    let folder = folder("shared", FILE);
    Builder::new(folder.join("qapi/main.json"))
        .out_dir(folder.join("built"))
        .try_compile()
        .unwrap();
    let built = fs::read_to_string(folder.join("built/mod.rs")).unwrap();
    assert!(built.contains("struct Gone") && !built.contains("struct Never"));
    assert!(built.contains("PartialOrd") && built.contains("alias = \"b\""));
    assert!(!built.contains("seventy") && !built.contains("SCHEMA"));
    assert!(!folder.join("built/main.rs").exists());

    // Another folder to start from, from where relative paths are others.
    let qapi = folder.join("qapi");
    let check = qapi_gen(&qapi, &["rust", "main.json", "-o", "../built", "--check"]);
    assert_eq!((check.status.code(), text(&check.stderr)), (Some(0), ""));
    let check = qapi_gen(&folder, &["check", "qapi/main.json"]);
    assert!(check.status.success(), "{}", text(&check.stderr));
    let introspect = qapi_gen(&folder, &["introspect", "qapi/main.json"]);
    let introspect = text(&introspect.stdout);
    assert!(introspect.contains("GONE") && !introspect.contains("NEVER"));
}

#[test]
fn options_override_rules_and_configuration() {
    let folder = folder("override", FILE);
    let check = qapi_gen(&folder, &["check", "qapi/main.json", "--rules=10.2"]);
    assert!(text(&check.stderr).contains("line longer than 70 characters"));
    let introspect = ["introspect", "qapi/main.json", "--config=CONFIG_B"];
    let introspect = qapi_gen(&folder, &introspect);
    let introspect = text(&introspect.stdout);
    assert!(introspect.contains("NEVER") && !introspect.contains("GONE"));
    Builder::new(folder.join("qapi/main.json"))
        .out_dir(folder.join("built"))
        .config(["CONFIG_B"])
        .derive("::core::cmp::Ord")
        .try_compile()
        .unwrap();
    let built = fs::read_to_string(folder.join("built/mod.rs")).unwrap();
    assert!(built.contains("struct Never") && !built.contains("struct Gone"));
    let [of_file, of_builder] =
        ["::core::cmp::PartialOrd", "::core::cmp::Ord"].map(|path| built.find(path));
    assert!(of_file.is_some() && of_file < of_builder);
}

#[test]
fn mistakes_are_reported_with_their_place() {
    for (file, place, message) in [
        (
            "rulez = '10.0'",
            "1:1",
            "unknown key 'rulez'; did you mean 'rules'?",
        ),
        (
            "\n[rust]\n  dcos = true",
            "3:3",
            "unknown key 'dcos'; did you mean 'docs'?",
        ),
        (
            "colour = 1",
            "1:1",
            "unknown key 'colour'; the keys are config, include-folder, rules, rust",
        ),
        ("rules = 10", "1:9", "'rules' must be a string"),
        (
            "rules = '1.0'",
            "1:9",
            "'1.0' is not a release of QEMU with known rules; the oldest is 6.2",
        ),
        (
            "config = ['A', 1]",
            "1:10",
            "'config' must be an array of strings",
        ),
        ("[rust]\ndocs = 'no'", "2:8", "'docs' must be true or false"),
        ("rust = true", "1:8", "'rust' must be a table"),
        (
            "[rust]\nreplace = { A = 1 }",
            "2:17",
            "'A' must be a string",
        ),
    ] {
        let folder = folder("mistakes", file);
        let expected = format!(
            "{}:{place}: {message}",
            folder.join("qapi-gen.toml").display()
        );
        let error = ConfigFile::find(&folder.join("qapi/main.json")).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let folder = folder("folder", "include-folder = { dep = 'nowhere' }");
    let check = qapi_gen(&folder, &["check", "qapi/main.json"]);
    assert_eq!(check.status.code(), Some(2));
    let error = text(&check.stderr);
    let expected = format!("{} is not a folder\n", folder.join("nowhere").display());
    assert!(error.contains("qapi-gen.toml:1:18: 'dep': "), "{error}");
    assert!(error.ends_with(&expected), "{error}");
    let builder = Builder::new(folder.join("qapi/main.json")).out_dir(folder.join("out"));
    assert!(
        builder
            .try_compile()
            .unwrap_err()
            .ends_with(expected.trim_end())
    );
    fs::write(folder.join("qapi-gen.toml"), "rules = ").unwrap();
    let error = ConfigFile::find(&folder.join("qapi/main.json")).unwrap_err();
    assert!(error.to_string().contains("qapi-gen.toml:1:"), "{error}");
}

#[test]
fn search_ends_at_the_root_of_a_repository() {
    let folder = folder("root", "wrong");
    let path = folder.join("qapi/main.json");
    assert!(ConfigFile::find(&path).is_err());
    for root in [".git", ".cargo-ok", ".cargo-checksum.json"] {
        fs::write(folder.join("qapi").join(root), "").unwrap();
        assert_eq!(ConfigFile::find(&path).unwrap().path(), None, "{root}");
        fs::remove_file(folder.join("qapi").join(root)).unwrap();
    }
}

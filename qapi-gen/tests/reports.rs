//! The command line: what `check`, `dump` and `introspect` print of schemas
//! and of what is wrong with them, in each format.

#![cfg(feature = "cli")]
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests may stop at the first surprise"
)]

mod program;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// A folder with these files, for one test.
fn folder(test: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = program::folder("reports", test);
    for (name, text) in files {
        fs::write(folder.join(name), text).unwrap();
    }
    folder
}

/// What became of a command.
struct Ran {
    status: Option<i32>,
    out: String,
    err: String,
}

fn run(folder: &Path, arguments: &[&str]) -> Ran {
    ran(program::qapi_gen(folder, arguments))
}

fn ran(output: Output) -> Ran {
    Ran {
        status: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// What is reported of a schema in the format for programs.
fn objects(folder: &Path, arguments: &[&str]) -> Vec<Value> {
    let ran = run(folder, &[arguments, &["--error-format=json"]].concat());
    assert_eq!(ran.status, Some(1));
    assert_eq!(ran.out, "");
    let object = |line| serde_json::from_str(line).unwrap();
    ran.err.lines().map(object).collect()
}

/// The only diagnostic of a file with this text.
fn object(test: &str, text: &str) -> Value {
    let folder = folder(test, &[("a.json", text)]);
    let mut objects = objects(&folder, &["check", "a.json"]);
    assert_eq!(objects.len(), 1, "{objects:?}");
    objects.remove(0)
}

/// A place as a span has it.
fn place(byte: usize, line: usize, column: usize) -> Value {
    json!({ "byte": byte, "line": line, "column": column })
}

const GOOD: &str = "{ 'event': 'GONE', 'if': 'CONFIG_GONE' }\n\
    { 'command': 'ask', 'returns': 'Answer' }\n\
    { 'struct': 'Answer', 'data': { 'yes': 'bool' } }\n";

/// Two errors.
const BAD: &str = "{ 'event': 'A', 'data': 'Nope' }\n{ 'event': 'B', 'data': 'Nope' }\n";

const SHORT: [&str; 4] = [
    "a.json: In event 'A':",
    "a.json:1: event's 'data' uses unknown type 'Nope'",
    "a.json: In event 'B':",
    "a.json:2: event's 'data' uses unknown type 'Nope'",
];

#[test]
fn correct_schema_is_printed_without_reports() {
    let folder = folder("right", &[("a.json", GOOD)]);
    let check = run(&folder, &["check", "a.json"]);
    assert_eq!(check.status, Some(0));
    assert_eq!(check.err, "qapi-gen: a.json: no errors\n");
    assert_eq!(check.out, "");
    // Programs read these formats, so success is silent.
    for format in ["--error-format=short", "--error-format=json"] {
        let check = run(&folder, &["check", "a.json", format]);
        assert_eq!((check.status, check.err.as_str()), (Some(0), ""));
    }

    let dump = run(&folder, &["dump", "a.json"]);
    assert_eq!((dump.status, dump.err.as_str()), (Some(0), ""));
    assert!(dump.out.contains("object Answer\n    member yes: bool"));

    let introspect = |arguments: &[&str]| {
        let ran = run(&folder, &[&["introspect", "a.json"], arguments].concat());
        assert_eq!((ran.status, ran.err.as_str()), (Some(0), ""));
        let infos: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
        let name = |info: &Value| info["name"].as_str().unwrap().to_owned();
        infos.iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(introspect(&[])[..2], ["GONE", "ask"]);
    assert!(!introspect(&[]).contains(&"Answer".to_owned()));
    assert!(introspect(&["--unmask"]).contains(&"Answer".to_owned()));
    assert_eq!(introspect(&["--config=CONFIG_OTHER"])[0], "ask");
}

#[test]
fn every_command_reports_in_every_format() {
    let folder = folder("formats", &[("a.json", BAD)]);
    for command in ["check", "dump", "introspect"] {
        let failed = |arguments: &[&str]| {
            let ran = run(&folder, &[&[command, "a.json"], arguments].concat());
            assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""));
            ran.err
        };
        let short = failed(&["--error-format=short"]);
        assert_eq!(short.lines().collect::<Vec<_>>(), SHORT[..2]);
        let short = failed(&["--error-format", "short", "--all"]);
        assert_eq!(short.lines().collect::<Vec<_>>(), SHORT);

        let human = failed(&[]);
        assert_eq!(human, failed(&["--error-format=human"]));
        assert!(human.starts_with("error: event's 'data' uses unknown type 'Nope'\n"));
        assert!(human.contains(" --> a.json:1:25\n"), "{human}");
        assert!(human.contains("note: in event 'B'"), "{human}");
        let summary = match command {
            "check" => "\nqapi-gen: a.json: 2 errors\n",
            _ => "\n2 errors\n",
        };
        assert!(human.ends_with(summary), "{human}");
        assert!(!human.contains('\u{1b}'), "no colours in a pipe");

        let lines = failed(&["--error-format=json"]);
        let objects: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(objects.len(), 2);
        assert_eq!(objects[1]["line"], 2);
        assert_eq!(objects[1]["code"], "UnknownType");
    }
}

#[test]
fn check_continues_when_one_of_several_schemas_is_wrong() {
    let folder = folder(
        "several",
        &[("a.json", BAD), ("b.json", GOOD), ("c.json", "{")],
    );
    let ran = run(
        &folder,
        &[
            "check",
            "a.json",
            "b.json",
            "c.json",
            "--error-format=short",
        ],
    );
    assert_eq!(ran.status, Some(1));
    assert_eq!(ran.err.lines().count(), 3);
    assert!(
        ran.err.ends_with("c.json:1:2: expected string or '}'\n"),
        "{}",
        ran.err
    );
    let ran = run(&folder, &["check", "b.json", "c.json"]);
    assert!(
        ran.err.starts_with("qapi-gen: b.json: no errors\nerror: "),
        "{}",
        ran.err
    );
    assert!(
        ran.err.ends_with("\nqapi-gen: c.json: 1 error\n"),
        "{}",
        ran.err
    );
    assert_eq!(run(&folder, &["check", "b.json", "b.json"]).status, Some(0));
}

#[test]
fn unreadable_files_and_unknown_formats_are_errors() {
    let folder = folder("missing", &[("a.json", "{ 'include': 'b.json' }")]);
    for command in ["check", "dump", "introspect"] {
        let ran = run(&folder, &[command, "no.json", "--error-format=short"]);
        assert_eq!(ran.status, Some(1));
        let expected = "can't read schema file 'no.json': No such file or directory";
        assert!(ran.err.contains(expected), "{}", ran.err);
        assert!(run(&folder, &[command, "no.json"]).err.contains(expected));

        let object = &objects(&folder, &[command, "no.json"])[0];
        assert_eq!(object["code"], "SchemaUnreadable");
        for nothing in ["file", "line", "column", "span", "definition", "help"] {
            assert_eq!(object[nothing], Value::Null, "{nothing}");
        }
        let object = &objects(&folder, &[command, "a.json"])[0];
        assert_eq!(object["code"], "IncludeUnreadable");
        assert_eq!(object["span"]["start"], place(13, 1, 14));

        assert_eq!(run(&folder, &[command]).status, Some(2));
        let ran = run(&folder, &[command, "a.json", "--error-format=xml"]);
        assert_eq!(ran.status, Some(2));
    }
}

#[test]
fn rules_are_those_of_the_tree_unless_a_release_is_given() {
    let note = "##\n# @ask:\n#\n# Note: old\n##\n{ 'command': 'ask' }\n";
    let folder = folder("rules", &[("a.json", note)]);
    let tree = folder.join("tree");
    fs::create_dir_all(tree.join("qapi")).unwrap();
    fs::write(tree.join("qapi/a.json"), note).unwrap();
    let verdict = |folder: &Path, arguments: &[&str]| {
        let ran = run(folder, &[&["check", "a.json"], arguments].concat());
        let verdict = ran.err.lines().last().unwrap().to_owned();
        (ran.status, verdict)
    };
    let good = |rules: &str| {
        let verdict = format!("qapi-gen: a.json: no errors by the rules of QEMU {rules}");
        (Some(0), verdict)
    };
    let bad = |verdict: &str| (Some(1), format!("qapi-gen: a.json: {verdict}"));
    let bad_now = bad("1 error");
    let qapi = tree.join("qapi");
    fs::write(tree.join("VERSION"), "8.2.4\n").unwrap();
    assert_eq!(verdict(&qapi, &[]), good("8.1"));
    assert_eq!(verdict(&qapi, &["--rules=auto"]), good("8.1"));
    assert_eq!(verdict(&qapi, &["--rules=7.2.1"]), good("7.2"));
    assert_eq!(verdict(&qapi, &["--rules=12.0"]), bad_now);
    let bad_then = bad("1 error by the rules of QEMU 9.2");
    assert_eq!(verdict(&qapi, &["--rules=9.2"]), bad_then);
    // A file of another kind does not count.
    fs::write(tree.join("VERSION"), "main").unwrap();
    fs::write(folder.join("VERSION"), "9.0.50").unwrap();
    assert_eq!(verdict(&qapi, &[]), bad("1 error by the rules of QEMU 9.1"));
    fs::remove_file(folder.join("VERSION")).unwrap();
    assert_eq!(verdict(&folder, &[]), bad_now);

    let ran = run(&folder, &["check", "a.json", "--rules=5.2"]);
    assert_eq!(ran.status, Some(2));
    let expected = "'5.2' is not a release of QEMU with known rules; the oldest is 6.2";
    assert!(ran.err.contains(expected), "{}", ran.err);
}

#[test]
fn json_object_has_every_member() {
    let files = [
        ("a.json", "# A.\n{ 'include': 'b.json' }\n"),
        ("b.json", "{ 'event': 'A' }\n{ 'event': 'A' }\n"),
    ];
    let folder = folder("members", &files);
    let span = |start, end| json!({ "file": "b.json", "start": start, "end": end });
    let expected = json!({
        "severity": "error",
        "code": "Redefined",
        "message": "'A' is already defined",
        "help": null,
        "file": "b.json",
        "line": 2,
        "column": null,
        "span": span(place(28, 2, 12), place(31, 2, 15)),
        "definition": { "kind": "event", "name": "A" },
        "included_from": [{ "file": "a.json", "line": 2 }],
        "related": [{
            "message": "previous definition",
            "span": span(place(0, 1, 1), place(16, 1, 17)),
        }],
    });
    assert_eq!(objects(&folder, &["check", "a.json"]), [expected]);
}

#[test]
fn json_bytes_are_file_offsets_for_every_kind_of_line_end() {
    for (test, end) in [("lf", "\n"), ("crlf", "\r\n"), ("cr", "\r")] {
        let text = [
            "# One.",
            "# Two.",
            "{ 'event': 'A',",
            "  'data': 'Nope' }",
            "",
        ]
        .join(end);
        let object = object(test, &text);
        let at = text.find("'Nope'").unwrap();
        let span = &object["span"];
        assert_eq!(span["start"], place(at, 4, 11));
        assert_eq!(span["end"], place(at + "'Nope'".len(), 4, 17));
    }
    // Over a line's end, and without one in the end.
    let text = "\r\n{ 'event': [\r\n ] }";
    let span = &object("list", text)["span"];
    assert_eq!(span["start"]["byte"], text.find('[').unwrap());
    assert_eq!(span["end"]["byte"], text.find(']').unwrap() + 1);
    let span = &object("end", "{\r\n")["span"];
    assert_eq!(span["start"], place(1, 1, 2));
    let span = &object("no-end", "# \r\n{")["span"];
    assert_eq!(span["start"], place(5, 2, 2));
}

#[test]
fn json_columns_count_characters_except_in_qemus_column() {
    let text = "{\t'event':\t'A', \t;";
    let object = object("tabs", text);
    let at = text.find(';').unwrap();
    assert_eq!(object["span"]["start"], place(at, 1, at + 1));
    // QEMU's generator lets every tab here take it back to where it was.
    assert_eq!(object["column"], 7);

    let text = "# \u{1f600}\n\u{3000}\u{a0}{ 'event': ;";
    let object = self::object("wide", text);
    assert_eq!(
        object["span"]["start"],
        place(text.find(';').unwrap(), 2, 14)
    );
    assert_eq!(object["column"], 14);
}

#[test]
fn control_characters_never_reach_a_terminal_raw() {
    // A right-to-left override, and the C1 control that begins an escape
    // sequence: in a file's name, a documented name, and source lines.
    let doc = "\u{202e}\u{9b}31mab\u{1b}]0;x\u{7}";
    let name = "\u{202e}\u{9b}\u{1b}[2J.json";
    let text = format!("##\n# @{doc}:\n##\n{{ 'event': 'A' }} # {doc}\n");
    let folder = folder(
        "controls",
        &[(name, &text), ("a.json", "# \u{202e}\n;\u{2067}")],
    );
    let is_control =
        |c: char| c != '\n' && (c.is_control() || ('\u{202a}'..='\u{2069}').contains(&c));
    for format in ["human", "json"] {
        let check = |file| run(&folder, &["check", file, "--error-format", format]).err;
        for report in [check("a.json"), check(name)] {
            assert!(!report.is_empty());
            assert!(!report.contains(is_control), "{format}: {report:?}");
        }
    }

    // Characters are counted as before, and JSON is exact.
    let human = run(&folder, &["check", "a.json"]).err;
    assert!(human.contains(r"error: stray ';\u{2067}'"), "{human}");
    assert!(human.contains("2 | ;\u{fffd}\n  | ^^"), "{human}");
    let object = &objects(&folder, &["check", "a.json"])[0];
    assert_eq!(object["message"], "stray ';\u{2067}'");
    let object = &objects(&folder, &["check", name])[0];
    assert_eq!(object["file"], name);
}

#[test]
fn help_is_given_when_the_correction_is_clear() {
    let text = "{ 'command': 'stop', 'returns': 'Anwser' }\n{ 'struct': 'Answer', 'data': {} }\n";
    assert_eq!(object("help", text)["help"], "did you mean 'Answer'?");
    let folder = folder("help", &[("a.json", text)]);
    let human = run(&folder, &["check", "a.json"]).err;
    assert!(human.contains("help: did you mean 'Answer'?"), "{human}");

    let object = object("twice", "{ 'event': 'A',\r\n  'if': 'B', 'if': 'C' }\n");
    assert_eq!(object["code"], "DuplicateKey");
    let related = &object["related"][0];
    assert_eq!(related["message"], "the same key before");
    assert_eq!(related["span"]["start"], place(19, 2, 3));
}

/// Runs a command with text on its standard input stream.
fn run_with_stdin(folder: &Path, arguments: &[&str], text: &str) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_qapi-gen"))
        .current_dir(folder)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that fails early does not read its input.
    let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
    ran(child.wait_with_output().unwrap())
}

#[test]
fn schema_is_read_from_standard_input_under_its_name() {
    let folder = folder("stdin", &[]);
    fs::create_dir(folder.join("sub")).unwrap();
    fs::write(
        folder.join("sub/part.json"),
        "{ 'enum': 'Part', 'data': [ 'a' ] }",
    )
    .unwrap();
    let buffer = "{ 'include': 'part.json' }\n{ 'command': 'a', 'returns': 'Part' }\n\
                  { 'event': 'A', 'data': 'Nope' }\n";
    let short = "--error-format=short";
    // Includes are found beside the name, which no file needs to have.
    let check = ["check", "-", "--stdin-name", "sub/new.json", short];
    let ran = run_with_stdin(&folder, &check, buffer);
    assert_eq!(ran.status, Some(1));
    let error = "sub/new.json: In command 'a':\n\
                 sub/new.json:2: command's 'returns' cannot take enum type 'Part'\n";
    assert_eq!(ran.err, error);
    // Without a name includes are found in the current folder.
    let ran = run_with_stdin(&folder.join("sub"), &["check", "-", short], buffer);
    assert_eq!(ran.err, error.replace("sub/new.json", "<stdin>"));

    let dump = ["dump", "-", "--stdin-name=sub/new.json"];
    let ran = run_with_stdin(&folder, &dump, "{ 'include': 'part.json' }");
    assert!(
        ran.out.contains("module new.json") && ran.out.contains("enum Part"),
        "{}",
        ran.out
    );
    assert_eq!((ran.status, ran.err.as_str()), (Some(0), ""));
    let rust = ["rust", "-", "--stdin-name=sub/new.json", "-o", "out"];
    assert_eq!(
        run_with_stdin(&folder, &rust, "{ 'event': 'A' }").status,
        Some(0)
    );
    assert!(folder.join("out/new.rs").exists());
}

#[test]
fn standard_input_replaces_a_module_of_the_schema() {
    let files = [
        ("main.json", "{ 'include': 'part.json' }"),
        ("part.json", "{ 'event': 'OLD' }"),
    ];
    let folder = folder("stdin-module", &files);
    let absolute = folder.join("part.json");
    for name in ["part.json", "./part.json", absolute.to_str().unwrap()] {
        let dump = ["dump", "main.json", "--stdin-name", name];
        let ran = run_with_stdin(&folder, &dump, "{ 'event': 'NEW' }");
        assert!(
            ran.out.contains("event NEW") && !ran.out.contains("OLD"),
            "{}",
            ran.out
        );
        assert_eq!(ran.status, Some(0));
    }
    // A buffer that the schema does not include must not look checked.
    let ran = run_with_stdin(
        &folder,
        &["check", "main.json", "--stdin-name=other.json"],
        "{",
    );
    assert_eq!(ran.status, Some(1));
    assert!(
        ran.err.contains("the schema does not include 'other.json'"),
        "{}",
        ran.err
    );
}

#[test]
fn main_files_are_named_when_a_module_is_checked_alone() {
    let folder = folder("module", &[]);
    for (name, text) in [
        (
            "qapi/main.json",
            "{ 'include': 'block.json' } { 'include': 'common.json' }",
        ),
        ("qapi/block.json", "{ 'include': 'core.json' }"),
        ("qapi/core.json", "{ 'command': 'a', 'returns': 'Common' }"),
        ("qapi/common.json", "{ 'struct': 'Common', 'data': {} }"),
        (
            "daemon/qapi/main.json",
            "{ 'include': '../../qapi/core.json' } { 'include': '../../qapi/common.json' }",
        ),
        ("other/main.json", "# { 'include': '../qapi/core.json' }"),
        ("target/main.json", "{ 'include': '../qapi/core.json' }"),
    ] {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fs::create_dir(folder.join(".git")).unwrap();
    let note = "note: 'qapi/core.json' belongs to 'daemon/qapi/main.json' and \
                'qapi/main.json', which may have what is missing\n";
    let alone = run(&folder, &["check", "qapi/core.json"]).err;
    assert!(alone.contains(note), "{alone}");
    assert!(alone.contains("help: give one of those files"), "{alone}");
    // A main file has no other, and QEMU's format has no notes.
    let short = run(
        &folder,
        &["check", "qapi/core.json", "--error-format=short"],
    )
    .err;
    assert!(!short.contains("belongs"), "{short}");
    fs::write(folder.join("qapi/common.json"), "").unwrap();
    let main = run(&folder, &["check", "qapi/main.json"]).err;
    assert!(
        main.contains("unknown type 'Common'") && !main.contains("belongs"),
        "{main}"
    );
    let right = run(&folder, &["check", "qapi/block.json"]).err;
    assert!(
        right.contains("'qapi/block.json' belongs to 'qapi/main.json',"),
        "{right}"
    );
}

#[test]
fn ten_warnings_are_shown_without_option_all() {
    let schema: String = (0..12)
        .map(|n| format!("##\n# @E{n}:\n#\n# One. Two.\n##\n{{ 'event': 'E{n}' }}\n"))
        .collect();
    let folder = folder("warnings", &[("a.json", &schema)]);
    let warnings = |arguments: &[&str]| {
        let ran = run(&folder, &[&["dump", "a.json"], arguments].concat());
        assert_eq!(ran.status, Some(0));
        assert!(ran.out.contains("event E11"));
        (ran.err.matches("warning: ").count(), ran.err)
    };
    let (count, human) = warnings(&[]);
    assert_eq!(count, 10);
    assert!(
        human.ends_with("\nno errors, 12 warnings (--all shows all of them)\n"),
        "{human}"
    );
    assert_eq!(warnings(&["--all"]).0, 12);
    assert_eq!(warnings(&["--error-format=short"]).0, 10);
    assert_eq!(warnings(&["--error-format=short", "--all"]).0, 12);
    let (_, json) = warnings(&["--error-format=json"]);
    assert_eq!(json.lines().count(), 12);
    // For `check` they are errors, unless it is asked for warnings.
    let check = run(&folder, &["check", "a.json"]);
    assert_eq!(check.status, Some(1));
    assert_eq!(check.err.matches("error: ").count(), 12);
    assert!(check.err.ends_with("\nqapi-gen: a.json: 12 errors\n"));
    let check = run(&folder, &["check", "a.json", "--style=warn", "--all"]);
    assert_eq!(check.status, Some(0));
    assert_eq!(check.err.matches("warning: ").count(), 12);
    let verdict = "\nqapi-gen: a.json: no errors, 12 warnings\n";
    assert!(check.err.ends_with(verdict), "{}", check.err);
}

#[test]
fn huge_lines_are_shown_near_the_problem_only() {
    let before = "{ 'command': 'c', 'gen': false } ";
    let wide = format!("# {}\n", "\u{e9}".repeat(100_000));
    let blank = " ".repeat(100_000);
    let text = format!("{wide}{before}{blank};{blank}{}\n", "x".repeat(100_000));
    let folder = folder("huge", &[("a.json", &text)]);
    let human = run(&folder, &["check", "a.json"]).err;
    assert!(human.starts_with("error: stray ';'\n"), "{}", human.len());
    let column = before.len() + blank.len() + 1;
    assert!(human.contains(&format!("a.json:2:{column}\n")));
    assert!(human.len() < 10_000, "{}", human.len());

    let long = "x".repeat(100_000);
    let text = format!("{{ 'event': '{long}' }}");
    fs::write(folder.join("a.json"), text).unwrap();
    let human = run(&folder, &["check", "a.json"]).err;
    assert!(human.contains("...'"), "{}", human.len());
    assert!(human.len() < 20_000, "{}", human.len());
}

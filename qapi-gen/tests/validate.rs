//! Messages and data against a schema.

#![cfg(feature = "cli")]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests may stop at the first surprise"
)]

mod program;

use std::fs;
use std::path::PathBuf;

use program::qapi_gen;

const SCHEMA: &str = "\
{ 'enum': 'Kind', 'data': [ 'disk', { 'name': 'tape', 'features': [ 'deprecated' ] } ] }
{ 'struct': 'Disk', 'data': { 'size': 'uint8', '*tags': [ 'str' ] } }
{ 'union': 'Drive', 'base': { 'kind': 'Kind', '*id': 'str' }, 'discriminator': 'kind',
  'data': { 'disk': 'Disk' } }
{ 'alternate': 'Ref', 'data': { 'name': 'str', 'drive': 'Drive', 'none': 'null' } }
{ 'command': 'add', 'data': { 'drive': 'Drive', '*like': 'Ref',
                              '*x-now': { 'type': 'bool', 'features': [ 'unstable' ] } } }
{ 'command': 'query', 'returns': [ 'Disk' ], 'allow-oob': true }
{ 'event': 'ADDED', 'data': { 'id': 'str' } }
";

fn folder(test: &str) -> PathBuf {
    let folder = program::folder("validate", test);
    fs::write(folder.join("a.json"), SCHEMA).unwrap();
    folder
}

/// Returns the findings, without the file and the place in the schema.
#[track_caller]
fn findings(test: &str, log: &str, arguments: &[&str]) -> Vec<String> {
    let folder = folder(test);
    fs::write(folder.join("log"), log).unwrap();
    let fixed = ["validate", "log", "--schema", "a.json"];
    let output = qapi_gen(&folder, &[&fixed, arguments].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<String> = text
        .lines()
        .map(|line| {
            let line = line.strip_prefix("log:").unwrap();
            line.split(" [a.json").next().unwrap().to_owned()
        })
        .collect();
    let status = i32::from(!lines.is_empty());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{stderr}");
    lines
}

fn request(arguments: &str) -> String {
    format!("{{\"execute\": \"add\", \"arguments\": {arguments}}}\n")
}

#[test]
fn request_is_checked_as_a_server_would() {
    for (arguments, expected) in [
        ("{'drive': {'kind': 'disk', 'size': 1}}", ""),
        ("{'drive': {'kind': 'disk', 'size': 1}, 'like': null}", ""),
        ("{'drive': {'kind': 'disk', 'size': 1}, 'like': 'a'}", ""),
        ("{}", "missing-member arguments.drive: union is mandatory"),
        (
            "{'drive': {'kind': 'disk', 'size': 256}}",
            "out-of-range arguments.drive.size: 256 does not fit uint8: 0 to 255",
        ),
        (
            "{'drive': {'kind': 'disk', 'size': 1.5}}",
            "wrong-type arguments.drive.size: an integer of 64 bits is expected, not a number",
        ),
        (
            "{'drive': {'kind': 'disk', 'size': 1, 'tags': ['a', 2]}}",
            "wrong-type arguments.drive.tags[1]: string is expected, not a number",
        ),
        (
            "{'drive': {'kind': 'disc', 'size': 1}}",
            "unknown-value arguments.drive.kind: no value 'disc' exists; is 'disk' meant?",
        ),
        (
            "{'drive': {'kind': 'tape'}}",
            "uses-deprecated arguments.drive.kind: value 'tape' is deprecated",
        ),
        (
            "{'drive': {'kind': 'disk', 'size': 1, 'id ': 'a'}}",
            "unknown-member arguments.drive.id : no member 'id ' exists; is 'id' meant?",
        ),
        (
            "{'drive': {'kind': 'disk', 'size': 1}, 'like': 3}",
            "wrong-type arguments.like: string|union|null is expected, not a number",
        ),
        (
            "{'drive': {'kind': 'disk', 'size': 1}, 'x-now': true}",
            "uses-unstable arguments.x-now: 'x-now' is unstable",
        ),
        (
            "[]",
            "wrong-type arguments: an object is expected, not an array",
        ),
    ] {
        let found = findings("request", &request(arguments), &[]);
        let expected: Vec<String> = match expected {
            "" => Vec::new(),
            finding => vec![format!("1: {finding}")],
        };
        assert_eq!(found, expected, "{arguments}");
    }
}

#[test]
fn allowed_findings_are_left_out() {
    let log = request("{'drive': {'kind': 'tape', 'more': 1}, 'x-now': true}")
        + "{\"execute\": \"gone\"}\n";
    assert_eq!(findings("allow", &log, &[]).len(), 4);
    assert_eq!(findings("allow", &log, &["--allow", "deprecated"]).len(), 3);
    let all = ["--allow", "deprecated,unstable,removed"];
    assert_eq!(findings("allow", &log, &all), [""; 0]);
}

#[test]
fn replies_are_checked_with_the_command_of_their_request() {
    let log = "{\"exec-oob\": \"query\", \"id\": 1}\n\
               {\"execute\": \"query\", \"id\": \"a\"}\n\
               {\"exec-oob\": \"add\", \"arguments\": {\"drive\": {\"kind\": \"disk\", \"size\": 1}}}\n\
               {\"return\": [{\"size\": \"1\"}], \"id\": \"a\"}\n\
               {\"return\": [{\"size\": 1, \"new\": 1}], \"id\": 1}\n\
               {\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}\n\
               {\"event\": \"ADDED\", \"data\": {}, \"timestamp\": {}}\n\
               {\"return\": 3, \"id\": 99}\n";
    assert_eq!(
        findings("replies", log, &[]),
        [
            "3: not-oob exec-oob: command 'add' cannot be executed out of band",
            "4: wrong-type return[0].size: uint8 is expected, not a string",
            "5: unknown-member return[0].new: no member 'new' exists",
            "7: missing-member data.id: string is mandatory",
        ]
    );
    assert_eq!(findings("replies", log, &["--only", "send"]).len(), 1);
    assert_eq!(findings("replies", log, &["--only", "receive"]).len(), 3);
}

#[test]
fn lines_of_messages_in_several_lines_are_those_of_the_values() {
    let log =
        "qemu.qmp: --> {\n  \"execute\": \"add\",\n  \"arguments\": {\n    \"drive\": 1\n  }\n}\n";
    assert_eq!(
        findings("lines", log, &[]),
        ["4: wrong-type arguments.drive: an object is expected, not a number",]
    );
}

#[test]
fn oldest_schema_that_takes_everything_is_named() {
    let folder = folder("oldest");
    let older = SCHEMA.replace("'*id': 'str'", "'id': 'str'");
    fs::write(folder.join("older.json"), older).unwrap();
    fs::write(
        folder.join("log"),
        request("{'drive': {'kind': 'disk', 'size': 1}}"),
    )
    .unwrap();
    let schemas = ["--schema", "older.json", "--schema", "a.json"];
    let output = qapi_gen(&folder, &[&["validate", "log"][..], &schemas].concat());
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.starts_with("older.json: log:1: missing-member arguments.drive.id: "),
        "{text}"
    );
    assert!(
        text.ends_with("the oldest schema that takes everything: a.json\n"),
        "{text}"
    );
}

#[test]
fn data_of_a_type_is_checked_with_lines_of_the_file() {
    let folder = folder("data");
    fs::write(folder.join("good"), "{ \"kind\": \"disk\", \"size\": 3 }").unwrap();
    fs::write(
        folder.join("bad"),
        "{\n \"kind\": \"disk\",\n \"size\": -1\n}",
    )
    .unwrap();
    let run = |arguments: &[&str]| {
        let output = qapi_gen(&folder, &[&["validate"], arguments].concat());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), text, errors)
    };
    let schema = ["--schema", "a.json", "--type"];
    assert_eq!(
        run(&[&["good"], &schema[..], &["Drive"]].concat()).0,
        Some(0)
    );
    let (status, text, _) = run(&[&["good", "bad"], &schema[..], &["Drive"]].concat());
    assert_eq!(status, Some(1));
    assert_eq!(
        text,
        "bad:3: out-of-range size: -1 does not fit uint8: 0 to 255\n"
    );
    let (status, _, errors) = run(&[&["good"], &schema[..], &["Driv"]].concat());
    assert_eq!(status, Some(2));
    assert!(errors.contains("a.json has no type 'Driv'"), "{errors}");
}

#[test]
fn log_without_messages_is_an_error() {
    let folder = folder("empty");
    fs::write(folder.join("log"), "hello\n").unwrap();
    let output = qapi_gen(&folder, &["validate", "log", "--schema", "a.json"]);
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains("log: there is no message in it"),
        "{errors}"
    );
}

#[test]
fn command_that_reads_its_arguments_itself_takes_any() {
    let folder = folder("open");
    let schema = "{ 'command': 'plug', 'data': { 'driver': 'str' }, 'gen': false }\n";
    fs::write(folder.join("a.json"), schema).unwrap();
    let plug = |arguments: &str| {
        let log = format!("{{\"execute\": \"plug\", \"arguments\": {arguments}}}\n");
        fs::write(folder.join("log"), log).unwrap();
        let output = qapi_gen(&folder, &["validate", "log", "--schema", "a.json"]);
        output.status.code()
    };
    assert_eq!(plug("{'driver': 'a', 'mac': 1}"), Some(0));
    assert_eq!(plug("{'driver': 1, 'mac': 1}"), Some(1));
}

#[test]
fn id_that_is_used_again_switches_no_check_off() {
    let query = "{\"execute\": \"query\", \"id\": 1}\n";
    let wrong = "{\"execute\": \"query\", \"arguments\": {\"a\": 1}, \"id\": 1}\n";
    let good_reply = "{\"return\": [], \"id\": 1}\n";
    let bad_reply = "{\"return\": 1, \"id\": 1}\n";
    let log = [
        query, query, wrong, good_reply, good_reply, query, bad_reply,
    ]
    .concat();
    assert_eq!(
        findings("ids", &log, &[]),
        [
            "3: unknown-member arguments.a: no member 'a' exists",
            "7: wrong-type return: an array is expected, not a number",
        ]
    );
}

#[test]
fn every_file_must_have_a_message() {
    let folder = folder("files");
    fs::write(folder.join("bad"), "{\"execute\": \"gone\"}\n").unwrap();
    fs::write(folder.join("empty"), "hello\n").unwrap();
    let arguments = ["validate", "bad", "empty", "--schema", "a.json"];
    let output = qapi_gen(&folder, &arguments);
    assert_eq!(output.status.code(), Some(2));
    let arguments = ["validate", "bad", "--schema", "a.json", "--only", "receive"];
    let output = qapi_gen(&folder, &arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said.contains("bad: there is no reply or event in it"),
        "{said}"
    );
}

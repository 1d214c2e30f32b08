//! `qapi-gen diff`, `paths` and `has`: where interfaces come from, the forms of the
//! output, waivers and exit statuses.

#![cfg(feature = "cli")]
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests may stop at the first surprise"
)]

mod program;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use program::qapi_gen;

const OLD: &str = "\
{ 'struct': 'Link', 'data': { 'to': 'str', '*speed': 'uint16' } }
{ 'command': 'plug', 'data': { 'link': 'Link' }, 'if': 'CONFIG_NET' }
{ 'command': 'x-peek', 'returns': { 'a': 'int' } }
{ 'event': 'GONE' }
";

const NEW: &str = "\
{ 'include': 'link.json' }
{ 'command': 'plug', 'data': { 'link': 'Wire' }, 'if': 'CONFIG_NET' }
{ 'command': 'x-peek' }
";

const NEW_LINK: &str = "{ 'struct': 'Wire', 'data': { 'to': 'str', 'mtu': 'int' } }\n";

fn folder(test: &str) -> PathBuf {
    let folder = program::folder("diff", test);
    fs::create_dir_all(folder.join("old")).unwrap();
    fs::create_dir_all(folder.join("new")).unwrap();
    let old = OLD.replace("'returns': { 'a': 'int' }", "'returns': 'Link'");
    fs::write(folder.join("old/a.json"), old).unwrap();
    fs::write(folder.join("new/a.json"), NEW).unwrap();
    fs::write(folder.join("new/link.json"), NEW_LINK).unwrap();
    folder
}

/// Runs `diff` on the two schemas. Returns the exit status, the output and what was
/// said.
fn diff(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let fixed = ["diff", "old/a.json", "new/a.json"];
    let output = qapi_gen(folder, &[&fixed, arguments].concat());
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn text_has_a_line_for_each_change_and_a_summary() {
    let folder = folder("text");
    let (status, text, said) = diff(&folder, &[]);
    assert_eq!(status, 1);
    assert_eq!(
        text,
        "+ breaking mandatory-added plug/link/mtu (send): mandatory int [new/link.json:1]\n\
         - breaking member-removed plug/link/speed (send): optional uint16 [old/a.json:1]\n\
         - risky member-removed x-peek ->/speed (receive): optional uint16; unstable \
         [old/a.json:1]\n\
         - breaking member-removed x-peek ->/to (receive): mandatory string; unstable \
         [old/a.json:1]\n\
         - breaking event-removed GONE: event [old/a.json:4]\n"
    );
    assert_eq!(
        said,
        "qapi-gen: 4 breaking (1 unstable), 1 risky (1 unstable)\n"
    );
    let (status, text, said) = diff(&folder, &["--level", "breaking", "--for", "server"]);
    assert_eq!(status, 1);
    assert!(
        text.contains("- breaking member-removed plug/link/mtu (send)"),
        "{text}"
    );
    assert!(said.contains("compatible"), "{said}");
}

#[test]
fn json_has_an_object_for_each_change() {
    let (_, text, _) = diff(&folder("json"), &["--format", "json"]);
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(
        first,
        serde_json::json!({
            "code": "mandatory-added", "level": "breaking", "category": "wire",
            "direction": "send", "path": "plug/link/mtu", "old": null,
            "new": "mandatory int", "announced": false, "unstable": false,
            "where": "new/link.json:1",
        })
    );
    assert_eq!(text.lines().count(), 5);
}

#[test]
fn forms_for_review_pages_name_file_line_and_code() {
    let folder = folder("forms");
    let (_, text, _) = diff(&folder, &["--format", "github"]);
    assert_eq!(
        text.lines().next().unwrap(),
        "::error file=new/link.json,line=1,title=mandatory-added::plug/link/mtu: mandatory int"
    );
    let (_, text, _) = diff(&folder, &["--format", "gitlab"]);
    let issues: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(issues[0]["location"]["path"], "new/link.json");
    assert_eq!(issues[0]["severity"], "critical");
    assert_ne!(issues[0]["fingerprint"], issues[1]["fingerprint"]);
    let (_, text, _) = diff(&folder, &["--format", "junit"]);
    assert!(text.contains("tests=\"5\" failures=\"3\""), "{text}");
    assert!(text.contains("name=\"x-peek -&gt;/to receive\""), "{text}");
    let (_, text, _) = diff(&folder, &["--format", "markdown"]);
    assert!(
        text.starts_with("### Breaking\n\n- `plug/link/mtu` (send): "),
        "{text}"
    );
    assert!(text.contains("\n\n### May break\n\n"), "{text}");
}

#[test]
fn waived_changes_do_not_fail_and_unused_waivers_are_named() {
    let folder = folder("waivers");
    let waivers = "\
[[waiver]]
code = 'event-removed'
path = 'GONE'
reason = 'cannot happen'
[[waiver]]
code = 'member-removed'
path = 'plug/*'
reason = 'was never read'
[[waiver]]
code = 'mandatory-added'
path = 'plug/link/mtu'
reason = 'same release'
[[waiver]]
code = 'command-removed'
path = 'other'
reason = 'mistake'
";
    fs::write(folder.join("waivers.toml"), waivers).unwrap();
    let (status, text, said) = diff(&folder, &["--waivers", "waivers.toml"]);
    assert_eq!(status, 0);
    assert!(
        text.contains("event [old/a.json:4]; waived: cannot happen\n"),
        "{text}"
    );
    let unused = "waivers.toml:13: no change needs this waiver: command-removed other\n";
    assert!(said.contains(unused), "{said}");
    fs::write(folder.join("waivers.toml"), "[[waiver]]\ncode = 'x'\n").unwrap();
    let (status, _, said) = diff(&folder, &["--waivers", "waivers.toml"]);
    assert_eq!(status, 2);
    assert!(
        said.contains("waivers.toml:2: 'x': no change has this code"),
        "{said}"
    );
}

#[test]
fn marks_and_levels_decide_the_exit_status() {
    let folder = folder("status");
    let unstable = "{ 'command': 'x-peek', 'returns': { 'a': 'int' } }";
    let schema = |text: &str| format!("{text}\n{{ 'struct': 'Ret', 'data': {{ 'a': 'int' }} }}");
    let unstable = schema(unstable).replace("{ 'a': 'int' } }\n", "'Ret' }\n");
    fs::write(folder.join("old/a.json"), unstable).unwrap();
    fs::write(folder.join("new/a.json"), "{ 'command': 'x-peek' }").unwrap();
    assert_eq!(diff(&folder, &[]).0, 0);
    assert_eq!(diff(&folder, &["--allow", "none"]).0, 1);
    let risky = "{ 'event': 'E', 'data': { '*a': 'int' } }";
    fs::write(folder.join("old/a.json"), risky).unwrap();
    fs::write(folder.join("new/a.json"), "{ 'event': 'E' }").unwrap();
    assert_eq!(diff(&folder, &[]).0, 0);
    assert_eq!(diff(&folder, &["--fail-on", "risky"]).0, 1);
    fs::write(folder.join("new/a.json"), risky).unwrap();
    let (status, text, said) = diff(&folder, &["--fail-on", "compatible"]);
    assert_eq!((status, text.as_str()), (0, ""));
    assert_eq!(said, "qapi-gen: no difference\n");
}

#[test]
fn a_build_is_judged_by_its_configuration() {
    let folder = folder("config");
    let (_, text, _) = diff(&folder, &["--config", "CONFIG_OTHER"]);
    assert!(!text.contains("plug"), "{text}");
    let (_, text, _) = diff(&folder, &["--config", "CONFIG_NET"]);
    assert!(text.contains("plug/link/mtu"), "{text}");
}

#[test]
fn what_cannot_be_compared_is_no_difference_of_none() {
    let folder = folder("errors");
    let status = |arguments: &[&str]| {
        let output = qapi_gen(&folder, &[&["diff"], arguments].concat());
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    fs::write(
        folder.join("reply"),
        "[{\"name\": \"a\", \"meta-type\": \"new\"}]",
    )
    .unwrap();
    fs::write(folder.join("other"), "{\"return\": {\"a\": 1}}").unwrap();
    fs::write(
        folder.join("bad.json"),
        "{ 'command': 'a', 'data': 'Nothing' }",
    )
    .unwrap();
    for (source, expected) in [
        ("absent.json", "absent.json"),
        (
            "old",
            "old is a folder; give the main file of the schema in it",
        ),
        ("reply", "reply: the meta-type 'new' of 'a' is unknown"),
        (
            "other",
            "other: it contains JSON, but no reply to query-qmp-schema",
        ),
        ("bad.json", "unknown type 'Nothing'"),
        ("no-such-revision:a.json", "neither a file nor a revision"),
        ("unix:absent.sock", "unix:absent.sock: "),
        ("/dev/null", "/dev/null is neither a file nor a socket"),
    ] {
        let (code, said) = status(&["old/a.json", source]);
        assert_eq!(code, 2, "{source}");
        assert!(said.contains(expected), "{source}: {said}");
    }
    fs::write(folder.join("reply"), "[]").unwrap();
    let (code, said) = status(&["reply", "old/a.json", "--config", "CONFIG_A"]);
    assert_eq!(code, 2);
    assert!(said.contains("reply tells what one build has"), "{said}");
    let (code, said) = status(&["reply", "old/a.json", "--category", "rust"]);
    assert_eq!(code, 2);
    assert!(
        said.contains("compare schemas, or give --category wire"),
        "{said}"
    );
}

fn git(folder: &Path, arguments: &[&str]) {
    let identity = [
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "-c",
        "init.defaultBranch=m",
    ];
    let mut command = Command::new("git");
    command.current_dir(folder).args(identity).args(arguments);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
}

#[test]
fn revisions_are_read_with_their_includes() {
    let folder = folder("git");
    git(&folder, &["init", "--quiet"]);
    fs::create_dir_all(folder.join("qapi/parts")).unwrap();
    fs::write(
        folder.join("qapi/a.json"),
        "{ 'include': './parts/b.json' }\n",
    )
    .unwrap();
    fs::write(folder.join("qapi/parts/b.json"), "{ 'command': 'stop' }\n").unwrap();
    git(&folder, &["add", "."]);
    git(&folder, &["commit", "--quiet", "-m", "first"]);
    fs::write(folder.join("qapi/parts/b.json"), "{ 'command': 'halt' }\n").unwrap();
    let output = qapi_gen(&folder, &["diff", "HEAD:qapi/a.json", "qapi/a.json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        text,
        "+ compatible command-added halt: command [qapi/./parts/b.json:1]\n\
         - breaking command-removed stop: command [qapi/./parts/b.json:1]\n"
    );
    let output = qapi_gen(&folder.join("qapi"), &["paths", "HEAD:./a.json"]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "stop\n");
    let output = qapi_gen(&folder, &["diff", "HEAD:qapi/none.json", "qapi/a.json"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn replies_and_live_servers_are_interfaces() {
    let folder = folder("live");
    let output = qapi_gen(&folder, &["introspect", "new/a.json"]);
    let reply = String::from_utf8(output.stdout).unwrap();
    fs::write(folder.join("array"), &reply).unwrap();
    let replies = format!(
        "{{\"execute\": \"query-chardev\"}}\n\n{{\"return\": []}}\n\n\
                           {{\"execute\": \"query-qmp-schema\"}}\n\n{{\"return\": {reply}}}\n"
    );
    fs::write(folder.join("conversation.replies"), replies).unwrap();
    let listener = UnixListener::bind(folder.join("qmp")).unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut requests = BufReader::new(stream.try_clone().unwrap());
        stream
            .write_all(b"{\"QMP\": {\"version\": {\"qemu\": \
                {\"major\": 1, \"minor\": 0, \"micro\": 0}, \"package\": \"\"}, \"capabilities\": []}}\r\n")
            .unwrap();
        for value in ["{}", &reply.replace('\n', "")] {
            let mut request = String::new();
            requests.read_line(&mut request).unwrap();
            let request: serde_json::Value = serde_json::from_str(&request).unwrap();
            let id = &request["id"];
            let event = "{\"event\": \"A\", \"timestamp\": {\"seconds\": 1, \"microseconds\": 2}}";
            let line = format!("{event}\r\n{{\"return\": {value}, \"id\": {id}}}\r\n");
            stream.write_all(line.as_bytes()).unwrap();
        }
    });
    for source in ["array", "conversation.replies", "unix:qmp"] {
        let output = qapi_gen(&folder, &["diff", "new/a.json", source]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said, "qapi-gen: no difference\n", "{source}");
        assert_eq!(output.status.code(), Some(0));
    }
    server.join().unwrap();
}

#[test]
fn introspect_of_a_reply_has_the_form_of_a_schemas() {
    let folder = folder("introspect");
    let run = |arguments: &[&str]| {
        let output = qapi_gen(&folder, arguments);
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let (_, array) = run(&["introspect", "new/a.json"]);
    let spread = array.replace(',', " ,\n ").replace(':', " : ");
    fs::write(folder.join("reply"), format!("{{\"return\": {spread}}}")).unwrap();
    assert_eq!(run(&["introspect", "reply"]), (Some(0), array));
    assert_eq!(run(&["introspect", "reply", "--unmask"]).0, Some(2));
}

#[test]
fn schema_in_a_pipe_is_read() {
    let folder = folder("pipe");
    for command in ["introspect", "dump", "paths"] {
        let mut bash = Command::new("bash");
        let script = format!("$0 {command} <(cat new/link.json; echo \"{{ 'event': 'STOP' }}\")");
        bash.args(["-c", &script, env!("CARGO_BIN_EXE_qapi-gen")]);
        let output = bash.current_dir(&folder).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{command}: {said}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("STOP"), "{command}: {text}");
    }
}

#[test]
fn paths_and_has_agree() {
    let folder = folder("paths");
    let output = qapi_gen(&folder, &["paths", "old/a.json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        text,
        "GONE\nplug\nplug/arg-type/link\nplug/arg-type/link/speed\nplug/arg-type/link/*speed\n\
         plug/arg-type/link/speed/!int\nplug/arg-type/link/to\nplug/arg-type/link/to/!str\n\
         x-peek\nx-peek/ret-type/speed\nx-peek/ret-type/*speed\nx-peek/ret-type/speed/!int\n\
         x-peek/ret-type/to\nx-peek/ret-type/to/!str\n"
    );
    let has = |path: &str| {
        qapi_gen(&folder, &["has", "old/a.json", path])
            .status
            .code()
    };
    for path in text.lines() {
        assert_eq!(has(path), Some(0), "{path}");
    }
    for path in [
        "",
        "plug/speed",
        "plug/arg-type/*link",
        "plug/arg-type/+a",
        "GONE/ret-type",
        "x",
    ] {
        assert_eq!(has(path), Some(1), "{path}");
    }
}

//! Features and the compatibility policy, in every place that a schema can say
//! that something is deprecated or unstable: `cases/rust/compat.json`.
//!
//! The texts and the order are those of QEMU's `qapi/qapi-util.c` and of the
//! code that its generator writes; `live_qemu.rs` asks a QEMU.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(
    deprecated,
    reason = "the schema marks things as deprecated to see what comes of it"
)]

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::{env, process};

use qapi_gen::{FsLoader, Options, generate};
use qapi_wire::command::{Call, CommandSet};
use qapi_wire::compat::{Input, Policy};
use qapi_wire::message::Timestamp;
use qapi_wire::{Context, Document, ErrorClass, Node, SpecialFeatures, Value, Writer};
use stats_runtime::host::{Host as _, NoHost};
use stats_runtime::qmp::{Limits, Session};
use stats_runtime::{Monitor, Registry};
use tests::compat::compat::commands::{OldCommand, Probe, XDocumented};
use tests::compat::compat::{
    self as schema, Choice, Everything, Inner, Kind, Must, OldTag, OldTagBranch, Tagged,
    TaggedBranch, events,
};
use tests::compat::{Dispatcher, FEATURES};

/// Succeeds with everything.
struct Server;

impl schema::Commands for Server {
    fn probe(&self, _: Probe) -> qapi_wire::Result<()> {
        Ok(())
    }
    fn show(&self) -> qapi_wire::Result<Everything> {
        let must = Must { old: 1, new: 2 };
        Ok(Everything {
            inner: inner(),
            list: vec![inner()],
            must: must.clone(),
            tagged: Tagged {
                id: 1,
                kind: TaggedBranch::Old(inner()),
            },
            old_tag: OldTag {
                way: OldTagBranch::Up(must),
            },
            choice: Choice::Inner(inner()),
            kind: Kind::XOld,
        })
    }
    fn old_command(&self, _: OldCommand) -> qapi_wire::Result<()> {
        Ok(())
    }
    fn x_command(&self) -> qapi_wire::Result<()> {
        Ok(())
    }
    fn x_old_command(&self) -> qapi_wire::Result<()> {
        Ok(())
    }
    fn x_raw(&self, _: Node<'_>) -> qapi_wire::Result<Value> {
        Ok(Value::Null)
    }
    fn x_documented(&self, _: XDocumented) -> qapi_wire::Result<()> {
        Ok(())
    }
    fn our_command(&self) -> qapi_wire::Result<()> {
        Ok(())
    }
}

fn inner() -> Inner {
    Inner {
        name: "n".to_owned(),
        old: Some(1),
        x_new: Some(2),
        x_old: Some(3),
    }
}

fn policy(text: &str) -> Policy {
    text.parse().unwrap()
}

fn execute(name: &str, arguments: &str, policy: Policy) -> qapi_wire::Result<String> {
    let context = Context::strict().with_policy(policy);
    let arguments = Document::parse(arguments.as_bytes())?;
    let mut reply = Vec::new();
    Dispatcher(Server).execute(
        Call {
            name,
            arguments: arguments.root(),
            context: &context,
        },
        &mut Writer::new(&mut reply).with_policy(policy),
    )?;
    Ok(String::from_utf8(reply).unwrap())
}

/// Everything that can be refused: what is sent, and what QEMU calls it.
const INPUTS: &[(&str, &str, SpecialFeatures, &str)] = &[
    (
        "old-command",
        "{'a': 1}",
        SpecialFeatures::DEPRECATED,
        "command old-command",
    ),
    (
        "x-command",
        "{}",
        SpecialFeatures::UNSTABLE,
        "command x-command",
    ),
    (
        "x-raw",
        "{'x': 1}",
        SpecialFeatures::UNSTABLE,
        "command x-raw",
    ),
    (
        "probe",
        "{'old': 1}",
        SpecialFeatures::DEPRECATED,
        "parameter old",
    ),
    (
        "probe",
        "{'inner': {'name': '', 'old': 1}}",
        SpecialFeatures::DEPRECATED,
        "parameter old",
    ),
    (
        "probe",
        "{'inner': {'name': '', 'x-new': 1}}",
        SpecialFeatures::UNSTABLE,
        "parameter x-new",
    ),
    (
        "probe",
        "{'list': [{'name': ''}, {'name': '', 'x-new': 1}]}",
        SpecialFeatures::UNSTABLE,
        "parameter x-new",
    ),
    (
        "probe",
        "{'must': {'old': 1, 'new': 2}}",
        SpecialFeatures::DEPRECATED,
        "parameter old",
    ),
    (
        "probe",
        "{'derived': {'old': 1, 'new': 2}}",
        SpecialFeatures::DEPRECATED,
        "parameter old",
    ),
    (
        "probe",
        "{'speed': 'fast'}",
        SpecialFeatures::DEPRECATED,
        "value fast",
    ),
    (
        "probe",
        "{'kinds': ['plain', 'x-new']}",
        SpecialFeatures::UNSTABLE,
        "value x-new",
    ),
    (
        "probe",
        "{'tagged': {'id': 1, 'kind': 'old', 'name': ''}}",
        SpecialFeatures::DEPRECATED,
        "value old",
    ),
    (
        "probe",
        "{'tagged': {'id': 1, 'kind': 'x-new'}}",
        SpecialFeatures::UNSTABLE,
        "value x-new",
    ),
    (
        "probe",
        "{'tagged': {'id': 1, 'kind': 'plain', 'name': '', 'old': 1}}",
        SpecialFeatures::DEPRECATED,
        "parameter old",
    ),
    (
        "probe",
        "{'old-tag': {'way': 'down'}}",
        SpecialFeatures::DEPRECATED,
        "parameter way",
    ),
    (
        "probe",
        "{'choice': 'x-new'}",
        SpecialFeatures::UNSTABLE,
        "value x-new",
    ),
    (
        "probe",
        "{'choice': {'name': '', 'old': 1}}",
        SpecialFeatures::DEPRECATED,
        "parameter old",
    ),
];

#[test]
fn input_is_rejected_when_the_policy_says_so() {
    let reject_deprecated = policy("deprecated-input=reject");
    let reject_unstable = policy("unstable-input=reject");
    for (name, arguments, special, what) in INPUTS {
        let accept = execute(name, arguments, Policy::ACCEPT);
        assert!(accept.is_ok(), "{arguments}: {accept:?}");
        let (rejects, other, adjective) = if *special == SpecialFeatures::DEPRECATED {
            (reject_deprecated, reject_unstable, "Deprecated")
        } else {
            (reject_unstable, reject_deprecated, "Unstable")
        };
        assert!(execute(name, arguments, other).is_ok(), "{arguments}");
        let error = execute(name, arguments, rejects).unwrap_err();
        assert_eq!(
            error.desc(),
            format!("{adjective} {what} disabled by policy")
        );
        let class = if what.starts_with("command") {
            ErrorClass::CommandNotFound
        } else {
            ErrorClass::GenericError
        };
        assert_eq!(*error.class(), class);
    }
}

/// Where there is more than one thing to say, QEMU says this.
#[test]
fn first_error_is_qemus_when_several_members_are_wrong() {
    let both = policy("deprecated-input=reject,unstable-input=reject");
    let unstable = policy("unstable-input=reject");
    let rows = [
        // What is both is judged as deprecated first.
        (
            "x-old-command",
            "{}",
            both,
            "Deprecated command x-old-command disabled by policy",
        ),
        (
            "x-old-command",
            "{}",
            unstable,
            "Unstable command x-old-command disabled by policy",
        ),
        (
            "probe",
            "{'kinds': ['x-old']}",
            both,
            "Deprecated value x-old disabled by policy",
        ),
        (
            "probe",
            "{'inner': {'name': '', 'x-old': 1}}",
            unstable,
            "Unstable parameter x-old disabled by policy",
        ),
        // The command before its arguments.
        (
            "old-command",
            "{}",
            both,
            "Deprecated command old-command disabled by policy",
        ),
        // A mandatory member before it is looked for.
        (
            "probe",
            "{'must': {'new': 1}}",
            both,
            "Deprecated parameter old disabled by policy",
        ),
        (
            "probe",
            "{'must': {'new': 1}}",
            unstable,
            "Parameter 'must.old' is missing",
        ),
        // A member before its value; a value before what follows it.
        (
            "probe",
            "{'inner': {'name': '', 'old': null}}",
            both,
            "Deprecated parameter old disabled by policy",
        ),
        (
            "probe",
            "{'tagged': {'id': 1, 'kind': 'old'}}",
            both,
            "Deprecated value old disabled by policy",
        ),
        (
            "probe",
            "{'inner': {'old': 1}}",
            both,
            "Parameter 'inner.name' is missing",
        ),
        (
            "probe",
            "{'speed': 'fas'}",
            both,
            "Parameter 'speed' does not accept value 'fas'",
        ),
        // Other features mean nothing.
        (
            "probe",
            "{'kinds': ['other', 1]}",
            both,
            "Invalid parameter type for 'kinds[1]', expected: string",
        ),
        (
            "our-command",
            "{'x': 1}",
            both,
            "Parameter 'x' is unexpected",
        ),
    ];
    for (name, arguments, policy, expected) in rows {
        let error = execute(name, arguments, policy).unwrap_err();
        assert_eq!(error.desc(), expected, "{arguments}");
    }
}

/// The variable that makes the test below the process that crashes.
const CRASH: &str = "TESTS_COMPAT_CRASH";

#[test]
fn process_aborts_when_the_policy_is_crash() {
    let crash = Policy {
        deprecated_input: Input::Crash,
        unstable_input: Input::Crash,
        ..Policy::ACCEPT
    };
    if let Ok(row) = env::var(CRASH) {
        let (name, arguments, ..) = INPUTS.get(row.parse::<usize>().unwrap()).unwrap();
        let outcome = execute(name, arguments, crash);
        panic!("{arguments}: {outcome:?}");
    }
    for (row, (.., what)) in INPUTS.iter().enumerate() {
        let child = process::Command::new(env::current_exe().unwrap())
            .args([
                "--exact",
                "process_aborts_when_the_policy_is_crash",
                "--nocapture",
            ])
            .env(CRASH, row.to_string())
            .output()
            .unwrap();
        // SIGABRT
        assert_eq!(child.status.signal(), Some(6), "{what}");
        let said = String::from_utf8(child.stderr).unwrap();
        let expected = format!("{what} disabled by policy: the process is aborted\n");
        assert!(said.contains(&expected), "{said}");
    }
    assert!(execute("probe", "{'inner': {'name': ''}}", crash).is_ok());
}

#[test]
fn output_is_hidden_when_the_policy_says_so() {
    let full = r#"{"name": "n", "old": 1, "x-new": 2, "x-old": 3}"#;
    let rows = [
        (
            "",
            full,
            r#"{"old": 1, "new": 2}"#,
            r#""way": "up", "#,
            r#""old": 1, "#,
        ),
        (
            "deprecated-output=hide",
            r#"{"name": "n", "x-new": 2}"#,
            r#"{"new": 2}"#,
            "",
            "",
        ),
        (
            "unstable-output=hide",
            r#"{"name": "n", "old": 1}"#,
            r#"{"old": 1, "new": 2}"#,
            r#""way": "up", "#,
            r#""old": 1, "#,
        ),
        (
            "deprecated-output=hide,unstable-output=hide",
            r#"{"name": "n"}"#,
            r#"{"new": 2}"#,
            "",
            "",
        ),
    ];
    for (policy, inner, must, way, old) in rows {
        let members = inner.strip_prefix('{').unwrap();
        // Values of enumerations stay, as in QEMU.
        let expected = format!(
            "{{\"inner\": {inner}, \"list\": [{inner}], \"must\": {must}, \"tagged\": {{\"id\": 1, \
             \"kind\": \"old\", {members}, \"old-tag\": {{{way}{old}\"new\": 2}}, \"choice\": \
             {inner}, \"kind\": \"x-old\"}}"
        );
        assert_eq!(
            execute("show", "{}", self::policy(policy)).unwrap(),
            expected
        );
    }
}

/// A session over the schema that has negotiated out-of-band execution.
fn session(policy: Policy) -> (Session, Context<'static>) {
    let context = Context::strict().with_policy(policy);
    let mut session = Session::new(&NoHost.version(), Limits::default());
    session.receive(b"{'execute': 'qmp_capabilities', 'arguments': {'enable': ['oob']}}");
    session.run(&Dispatcher(Server), &context);
    session.sent(session.output().len());
    (session, context)
}

fn answers(policy: Policy, requests: &str) -> Vec<String> {
    let (mut session, context) = session(policy);
    session.receive(requests.as_bytes());
    session.run(&Dispatcher(Server), &context);
    let output = String::from_utf8(session.output().to_vec()).unwrap();
    output.split_terminator("\r\n").map(str::to_owned).collect()
}

#[test]
fn session_follows_the_policy_of_its_context() {
    let requests = "{'execute': 'old-command', 'id': 1}
        {'exec-oob': 'x-command', 'id': 2}
        {'execute': 'probe', 'arguments': {'old': 1}}
        {'execute': 'probe', 'arguments': {'inner': {'name': ''}}}";
    assert_eq!(
        answers(
            policy("deprecated-input=reject,unstable-input=reject"),
            requests
        ),
        [
            r#"{"id": 1, "error": {"class": "CommandNotFound", "desc": "Deprecated command old-command disabled by policy"}}"#,
            r#"{"id": 2, "error": {"class": "CommandNotFound", "desc": "Unstable command x-command disabled by policy"}}"#,
            r#"{"error": {"class": "GenericError", "desc": "Deprecated parameter old disabled by policy"}}"#,
            r#"{"return": {}}"#,
        ]
    );
    assert_eq!(
        answers(Policy::ACCEPT, requests),
        [
            r#"{"id": 1, "error": {"class": "GenericError", "desc": "Parameter 'a' is missing"}}"#,
            r#"{"id": 2, "error": {"class": "GenericError", "desc": "The command x-command does not support OOB"}}"#,
            r#"{"return": {}}"#,
            r#"{"return": {}}"#,
        ]
    );
    let [shown] = answers(policy("deprecated-output=hide"), "{'execute': 'show'}")
        .try_into()
        .unwrap();
    assert!(
        shown.contains("x-new") && !shown.contains("\"old\":"),
        "{shown}"
    );
}

#[test]
fn monitor_passes_its_policy_to_its_sessions() {
    let policy = policy("unstable-input=crash,deprecated-output=hide");
    let monitor = Monitor::new(Registry::new(), NoHost);
    assert_eq!(monitor.context().policy(), Policy::ACCEPT);
    assert_eq!(monitor.with_policy(policy).context().policy(), policy);
}

#[test]
fn policy_is_parsed_like_qemus_option() {
    assert_eq!(policy(""), Policy::ACCEPT);
    for text in [
        "deprecated-input",
        "deprecated-input=hide",
        "unstable-output=reject",
        "x=accept",
    ] {
        let error = text.parse::<Policy>().unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("'{text}' is not a part of a compatibility policy")
        );
    }
}

#[test]
fn event_or_member_is_hidden_when_it_is_deprecated() {
    let rows = [
        ("", vec!["OLD_EVENT", "X_EVENT", "PARTLY old x-new"]),
        ("deprecated-output=hide", vec!["X_EVENT", "PARTLY x-new"]),
        ("unstable-output=hide", vec!["OLD_EVENT", "PARTLY old"]),
        // Data of which nothing is left are left out.
        (
            "deprecated-output=hide,unstable-output=hide",
            vec!["PARTLY"],
        ),
    ];
    let at = Timestamp::UNKNOWN;
    for (policy, expected) in rows {
        let (mut session, _) = session(self::policy(policy));
        session.emit(&events::OldEvent { a: None }, at);
        session.emit(&events::XEvent {}, at);
        let partly = events::Partly {
            old: Some(1),
            x_new: Some(2),
        };
        session.emit(&partly, at);
        let lines = str::from_utf8(session.output()).unwrap();
        let said: Vec<String> = lines
            .split_terminator("\r\n")
            .map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                let mut said = vec![line["event"].as_str().unwrap().to_owned()];
                if let Some(data) = line.get("data") {
                    let data = data.as_object().unwrap();
                    assert!(!data.is_empty(), "{line}");
                    said.extend(data.keys().cloned());
                }
                said.join(" ")
            })
            .collect();
        assert_eq!(said, expected, "{policy}");
    }
}

#[test]
fn feature_table_finds_features_by_path() {
    let rows: [(&str, &[&str]); 12] = [
        ("old-command", &["deprecated"]),
        ("x-old-command", &["unstable", "deprecated"]),
        ("probe.old", &["deprecated"]),
        ("Inner.x-new", &["unstable"]),
        ("Derived", &["of-our-own"]),
        // Inherited.
        ("Derived.old", &["deprecated"]),
        ("OldTag.way", &["deprecated"]),
        ("Kind.x-old", &["unstable", "deprecated"]),
        ("X_EVENT", &["unstable"]),
        ("PARTLY.old", &["deprecated"]),
        ("Inner", &[]),
        ("nosuch", &[]),
    ];
    for (path, features) in rows {
        assert_eq!(FEATURES.get(path), features, "{path}");
    }
    let special = FEATURES.special("Kind.x-old");
    assert!(
        special.contains(SpecialFeatures::DEPRECATED)
            && special.contains(SpecialFeatures::UNSTABLE)
    );
    assert_eq!(FEATURES.special("our-command"), SpecialFeatures::NONE);
    // Sorted, and without entries that say nothing.
    let all: Vec<_> = FEATURES.iter().collect();
    assert!(all.is_sorted_by(|a, b| a.0 < b.0));
    assert!(all.iter().all(|(_, features)| !features.is_empty()));
}

#[test]
fn rust_item_is_deprecated_when_the_schema_says_so() {
    let generate = |options: &Options| {
        let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/rust/compat.json");
        let files = generate(schema, &FsLoader, options).into_files().unwrap();
        files.into_iter().map(|file| file.text).collect::<String>()
    };
    let text = generate(&Options::default());
    for expected in [
        "    #[deprecated(note = \"Value `old` is deprecated. Use `plain` instead.\")]\n    Old,",
        "    #[deprecated(note = \"Value `old` is deprecated. Use `plain` instead.\")]\n    Old(Inner),",
        "    /// Feature `unstable`: Values with a prefix may change.\n    XNew,",
        "    /// Feature `unstable`: This command is experimental.",
        "        /// Feature `deprecated`: Argument `old` is deprecated.\n        #[deprecated(note = \
         \"Argument `old` is deprecated.\")]\n        pub old: Option<i64>,",
        "    #[deprecated]\n    #[derive(Clone, Debug, PartialEq, Eq, Hash)]\n    pub struct OldCommand",
    ] {
        assert!(text.contains(expected), "{expected}");
    }
    // Without the schema's words only the fact remains.
    let mut options = Options::default();
    options.docs = false;
    let text = generate(&options);
    assert!(text.contains("#[deprecated]") && !text.contains("note ="));
}

//! Conversations with a session: what goes in, what comes out, wherever the
//! input is cut.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use proptest::prelude::*;
use qapi_stats::stats::StatsTarget;
use qapi_stats::wire::command::{Call, CommandInfo, CommandSet, Event};
use qapi_stats::wire::{DecodeMembers, EncodeMembers, Error, Members, ObjectWriter, Writer, json};
use stats_runtime::qmp::{Limits, Session, Timestamp};
use stats_runtime::{Host, Monitor, NoHost, ProviderError, Registry};

fn monitor() -> Monitor {
    let registry = Registry::new();
    registry
        .add_stats_callbacks(
            "xyz",
            |query, sink| {
                match query.target() {
                    StatsTarget::Vm => {
                        sink.result(None);
                        sink.scalar("a", 1);
                        sink.boolean("b", true);
                        sink.histogram("c", &[1, 2, 3]);
                    }
                    StatsTarget::Vcpu => {
                        for path in ["/vcpu/1", "/vcpu/0"] {
                            sink.result(Some(path));
                            sink.scalar("exits", 7);
                        }
                    }
                    _ => {
                        sink.result(None);
                        sink.scalar("half", 1);
                        return Err(ProviderError::new("no such device"));
                    }
                }
                Ok(())
            },
            |_| Ok(()),
        )
        .unwrap();
    Monitor::new(registry, NoHost)
}

fn session() -> Session {
    let mut session = Session::new(&NoHost.version(), Limits::default());
    let greeting = session.output().len();
    session.sent(greeting);
    session
}

/// What a session answers to these pieces, executing each as soon as it can.
fn converse(pieces: &[&[u8]]) -> String {
    let monitor = monitor();
    let mut session = session();
    let mut answers = String::new();
    for piece in pieces {
        session.receive(piece);
        session.run(&monitor, &monitor.context());
        answers.push_str(str::from_utf8(session.output()).unwrap());
        let count = session.output().len();
        session.sent(count);
    }
    answers
}

const NEGOTIATE: &str = "{'execute': 'qmp_capabilities'}";

/// Checks the answers to `requests` after negotiation: one line each.
fn check(requests: &str, expected: &[&str]) {
    let input = format!("{NEGOTIATE}{requests}");
    let lines: String = expected.iter().map(|line| format!("{line}\r\n")).collect();
    let expected = format!("{{\"return\": {{}}}}\r\n{lines}");
    assert_eq!(converse(&[input.as_bytes()]), expected, "{requests}");
    let bytes: Vec<&[u8]> = input.as_bytes().chunks(1).collect();
    assert_eq!(converse(&bytes), expected, "by bytes: {requests}");
}

fn generic(id: &str, desc: &str) -> String {
    format!("{{{id}\"error\": {{\"class\": \"GenericError\", \"desc\": \"{desc}\"}}}}")
}

#[test]
fn greets_with_version_and_capabilities() {
    let session = Session::new(&NoHost.version(), Limits::default());
    let package = NoHost.version().package;
    assert_eq!(
        str::from_utf8(session.output()).unwrap(),
        format!(
            "{{\"QMP\": {{\"version\": {{\"qemu\": {{\"major\": 10, \"minor\": 2, \"micro\": 0}}, \
             \"package\": \"{package}\"}}, \"capabilities\": [\"oob\"]}}}}\r\n"
        )
    );
}

#[test]
fn negotiation_comes_first_and_once() {
    let early = "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"Expecting capabilities \
                 negotiation with 'qmp_capabilities'\"}}\r\n";
    assert_eq!(converse(&[b"{'execute': 'query-version'}"]), early);
    assert_eq!(converse(&[b"{'execute': 'nosuch'}"]), early);
    let bogus = b"{'execute': 'qmp_capabilities', 'arguments': {'enable': ['bogus']}}";
    let answer = generic("", "Parameter 'null' does not accept value 'bogus'");
    assert_eq!(converse(&[bogus]), answer + "\r\n");
    check(
        "{'execute': 'qmp_capabilities', 'id': 1}",
        &[
            "{\"id\": 1, \"error\": {\"class\": \"CommandNotFound\", \"desc\": \"Capabilities \
         negotiation is already complete, command ignored\"}}",
        ],
    );
}

#[test]
fn ids_of_any_type_come_back() {
    for id in [
        "1",
        "\"x\"",
        "null",
        "[1, {\"a\": true}]",
        "1.5",
        "18446744073709551615",
    ] {
        check(
            &format!("{{'execute': 'query-name', 'id': {id}}}"),
            &[&format!("{{\"return\": {{}}, \"id\": {id}}}")],
        );
        check(
            &format!("{{'id': {id}}}"),
            &[&generic(
                &format!("\"id\": {id}, "),
                "QMP input lacks member 'execute'",
            )],
        );
    }
}

#[test]
fn malformed_requests() {
    check("{}", &[&generic("", "QMP input lacks member 'execute'")]);
    check(
        "[] 1 ",
        &[
            &generic("", "QMP input must be a JSON object"),
            &generic("", "QMP input must be a JSON object"),
        ],
    );
    check(
        "{'execute': 1}",
        &[&generic("", "QMP input member 'execute' must be a string")],
    );
    check(
        "{'execute': 'x', 'arguments': null}",
        &[&generic(
            "",
            "QMP input member 'arguments' must be an object",
        )],
    );
    check(
        "{'execute': 'x', 'control': 1}",
        &[&generic("", "QMP input member 'control' is unexpected")],
    );
    check(
        "{'exec-oob': 'x'}",
        &[&generic("", "QMP input member 'exec-oob' is unexpected")],
    );
    check(
        "{'execute': 'nosuch', 'id': 1}",
        &[
            "{\"id\": 1, \"error\": {\"class\": \"CommandNotFound\", \"desc\": \"The command nosuch \
         has not been found\"}}",
        ],
    );
    check(
        "{'a': 1, 'a': 2}",
        &[&generic("", "JSON parse error, duplicate key")],
    );
    check(
        "\u{1b}{'execute': 'query-name'}",
        &[
            &generic("", "JSON parse error, stray '\\u001B'"),
            "{\"return\": {}}",
        ],
    );
}

#[test]
fn statistics() {
    let query = |arguments: &str| format!("{{'execute': 'query-stats', 'arguments': {arguments}}}");
    check(
        &query("{'target': 'vm'}"),
        &[
            "{\"return\": [{\"provider\": \"xyz\", \"stats\": [{\"name\": \"a\", \"value\": 1}, \
         {\"name\": \"b\", \"value\": true}, {\"name\": \"c\", \"value\": [3, 2, 1]}]}]}",
        ],
    );
    let one = "{\"return\": [{\"provider\": \"xyz\", \"qom-path\": \"/vcpu/0\", \"stats\": \
               [{\"name\": \"exits\", \"value\": 7}]}]}";
    check(
        &query("{'target': 'vcpu', 'vcpus': ['/vcpu/0', 'x', '/vcpu/0']}"),
        &[one],
    );
    for nothing in [
        "{'target': 'vcpu', 'vcpus': []}",
        "{'target': 'vcpu', 'vcpus': ['/vcpu/0/']}",
        "{'target': 'vm', 'providers': []}",
        "{'target': 'vm', 'providers': [{'provider': 'xyz', 'names': []}]}",
        "{'target': 'vm', 'providers': [{'provider': 'xyz', 'names': ['nosuch']}]}",
        "{'target': 'vm', 'providers': [{'provider': 'cryptodev'}]}",
    ] {
        check(&query(nothing), &["{\"return\": []}"]);
    }
    let twice = "{'target': 'vm', 'providers': [{'provider': 'xyz', 'names': ['a', 'nosuch', \
                 'a']}, {'provider': 'xyz', 'names': ['b']}]}";
    check(
        &query(twice),
        &[
            "{\"return\": [{\"provider\": \"xyz\", \"stats\": [{\"name\": \"b\", \"value\": true}]}, \
         {\"provider\": \"xyz\", \"stats\": [{\"name\": \"a\", \"value\": 1}]}]}",
        ],
    );
    // Nothing of what a failing provider wrote is left.
    check(
        &query("{'target': 'cryptodev'}"),
        &[&generic("", "no such device")],
    );
}

#[test]
fn arguments_are_checked_in_qemus_order() {
    let check_query = |arguments: &str, desc: &str| {
        let request = format!("{{'execute': 'query-stats', 'arguments': {arguments}}}");
        check(&request, &[&generic("", desc)]);
    };
    check_query("{}", "Parameter 'target' is missing");
    check_query(
        "{'target': null}",
        "Invalid parameter type for 'target', expected: string",
    );
    check_query(
        "{'target': 'VM', 'x': 1}",
        "Parameter 'target' does not accept value 'VM'",
    );
    check_query(
        "{'target': 'vm', 'vcpus': []}",
        "Parameter 'vcpus' is unexpected",
    );
    check_query(
        "{'target': 'vcpu', 'vcpus': [1], 'providers': null}",
        "Invalid parameter type for 'providers', expected: array",
    );
    check_query(
        "{'target': 'vcpu', 'vcpus': [1], 'x': 1}",
        "Invalid parameter type for 'vcpus[0]', expected: string",
    );
    check_query(
        "{'target': 'vm', 'providers': ['kvm']}",
        "Invalid parameter type for 'providers[0]', expected: object",
    );
    check_query(
        "{'target': 'vm', 'providers': [{}]}",
        "Parameter 'providers[0].provider' is missing",
    );
    check_query(
        "{'target': 'vm', 'providers': [{'provider': 'xyz', 'foo': 1}]}",
        "Parameter 'providers[0].foo' is unexpected",
    );
    check_query(
        "{'target': 'vm', 'providers': [{'provider': 'abc'}]}",
        "Parameter 'provider' does not accept value 'abc'",
    );
    check(
        "{'execute': 'query-stats-schemas', 'arguments': {'target': 'vm'}}",
        &[&generic("", "Parameter 'target' is unexpected")],
    );
    check(
        "{'execute': 'query-name', 'arguments': {'x': 1}}",
        &[&generic("", "Parameter 'x' is unexpected")],
    );
}

#[test]
fn commands_are_listed() {
    let answer = converse(&[NEGOTIATE.as_bytes(), b"{'execute': 'query-commands'}"]);
    for name in [
        "qmp_capabilities",
        "query-version",
        "query-commands",
        "human-monitor-command",
        "query-name",
        "query-stats",
        "query-stats-schemas",
    ] {
        assert!(
            answer.contains(&format!("{{\"name\": \"{name}\"}}")),
            "{name}"
        );
    }
}

#[test]
fn behind_the_end_there_is_nothing() {
    let monitor = monitor();
    let mut session = session();
    session.receive(b"{'execute': 'qmp_capabilities'}{'execute': 'quer");
    session.end_of_input();
    session.run(&monitor, &monitor.context());
    session.sent(session.output().len());
    session.receive(b"y-name'}{'execute': 'query-name'}");
    session.run(&monitor, &monitor.context());
    assert!(session.output().is_empty());
    assert!(session.is_over());
}

#[test]
fn a_message_that_is_broken_off_gets_no_answer() {
    let monitor = monitor();
    let mut session = session();
    session.receive(b"{'execute': 'qmp_capabilities'}{'execute': ");
    session.end_of_input();
    session.run(&monitor, &monitor.context());
    assert_eq!(session.output(), b"{\"return\": {}}\r\n");
    assert!(!session.is_over());
    session.sent(session.output().len());
    assert!(session.is_over());
}

/// Two commands, of which one may overtake.
struct OobCommands;

static SLOW: CommandInfo = info("slow", false);
static FAST: CommandInfo = info("fast", true);

const fn info(name: &'static str, allow_oob: bool) -> CommandInfo {
    CommandInfo {
        name,
        allow_oob,
        allow_preconfig: false,
        success_response: true,
        coroutine: false,
        features: &[],
    }
}

impl CommandSet for OobCommands {
    fn commands(&self) -> Vec<&'static CommandInfo> {
        vec![&SLOW, &FAST]
    }

    fn command(&self, name: &str) -> Option<&'static CommandInfo> {
        self.commands().into_iter().find(|info| info.name == name)
    }

    fn execute(&self, _: Call<'_>, _: &mut Writer<'_>) -> Result<(), Error> {
        panic!("the test executes them itself")
    }
}

#[test]
fn out_of_band_commands_overtake_and_the_queue_is_bounded() {
    let mut session = session();
    session.receive(b"{'execute': 'qmp_capabilities', 'arguments': {'enable': ['oob']}}");
    for id in 0..20 {
        session.receive(format!("{{'execute': 'slow', 'id': {id}}}").as_bytes());
    }
    let first = session.next(&OobCommands).unwrap();
    assert_eq!((first.info.name, first.oob), ("slow", false));
    assert!(session.next(&OobCommands).is_none());
    assert!(!session.wants_input(), "8 wait, so reading stops");
    session.finish(first.ticket, |out| {
        out.raw(b"1");
        Ok(())
    });
    let second = session.next(&OobCommands).unwrap();
    session.finish(second.ticket, |_| Err(Error::generic("late")));
    session.finish(second.ticket, |_| panic!("a ticket counts once"));

    let mut session = self::session();
    session.receive(
        b"{'execute': 'qmp_capabilities', 'arguments': {'enable': ['oob']}}
          {'execute': 'slow', 'id': 1} {'exec-oob': 'fast', 'id': 2} {'exec-oob': 'slow', 'id': 3}",
    );
    let slow = session.next(&OobCommands).unwrap();
    let fast = session.next(&OobCommands).unwrap();
    assert_eq!((fast.info.name, fast.oob), ("fast", true));
    assert!(session.next(&OobCommands).is_none());
    for command in [fast, slow] {
        session.finish(command.ticket, |out| {
            out.raw(b"{}");
            Ok(())
        });
        assert!(session.next(&OobCommands).is_none());
    }
    let expected = [
        "{\"return\": {}}",
        "{\"return\": {}, \"id\": 2}",
        &generic("\"id\": 3, ", "The command slow does not support OOB"),
        "{\"return\": {}, \"id\": 1}",
        "",
    ]
    .join("\r\n");
    assert_eq!(str::from_utf8(session.output()).unwrap(), expected);
}

/// An event with data, as generated code would have it.
struct Moved {
    by: i64,
}

impl DecodeMembers for Moved {
    fn decode_members(members: &mut Members<'_>) -> Result<Self, Error> {
        Ok(Self {
            by: members.required("by")?,
        })
    }
}

impl EncodeMembers for Moved {
    fn encode_members(&self, out: &mut ObjectWriter<'_, '_>) {
        out.required("by", &self.by);
    }
}

impl Event for Moved {
    const NAME: &'static str = "MOVED";
    const HAS_DATA: bool = true;
    const FEATURES: &'static [&'static str] = &[];
}

#[test]
fn events_go_to_those_who_have_negotiated() {
    let monitor = monitor();
    let at = Timestamp {
        seconds: 1,
        microseconds: 2,
    };
    let mut session = session();
    session.emit(&Moved { by: 1 }, at);
    assert!(session.output().is_empty());
    session.receive(NEGOTIATE.as_bytes());
    session.run(&monitor, &monitor.context());
    session.sent(session.output().len());
    session.emit(&Moved { by: 2 }, at);
    assert_eq!(
        str::from_utf8(session.output()).unwrap(),
        "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"MOVED\", \"data\": \
         {\"by\": 2}}\r\n"
    );
}

#[test]
fn a_client_that_does_not_read_is_waited_for_and_then_given_up() {
    let monitor = monitor();
    let limits = Limits::default()
        .with_output_bytes_high(100)
        .with_output_bytes_max(500);
    let mut session = Session::new(&NoHost.version(), limits);
    session.receive(NEGOTIATE.as_bytes());
    session.run(&monitor, &monitor.context());
    // The greeting alone is more than it may leave unread.
    assert!(!session.wants_input());
    session.sent(session.output().len());
    session.run(&monitor, &monitor.context());
    for _ in 0..100 {
        session.receive(b"{'execute': 'query-name'}");
    }
    session.run(&monitor, &monitor.context());
    assert!(session.output().len() < 200, "{}", session.output().len());
    for _ in 0..100 {
        session.emit(
            &Moved { by: 1 },
            Timestamp {
                seconds: -1,
                microseconds: -1,
            },
        );
    }
    assert!(session.is_over());
}

#[test]
fn a_reply_is_bounded_however_often_a_provider_is_asked_for() {
    let monitor = monitor();
    let limits = Limits::default().with_reply_bytes_max(10_000);
    let mut session = Session::new(&NoHost.version(), limits);
    let requests = vec!["{'provider': 'xyz'}"; 100_000].join(",");
    let query = format!(
        "{NEGOTIATE}{{'execute': 'query-stats', 'arguments': {{'target': 'vm', 'providers': \
         [{requests}]}}, 'id': 1}}{{'execute': 'query-name'}}"
    );
    session.receive(query.as_bytes());
    session.run(&monitor, &monitor.context());
    let expected = generic("\"id\": 1, ", "The reply is longer than 10000 bytes");
    let output = str::from_utf8(session.output()).unwrap();
    let lines: Vec<&str> = output.lines().skip(2).collect();
    assert_eq!(lines, [expected.as_str(), "{\"return\": {}}"]);
}

/// Whoever leaves a byte unread must not make the session grow.
#[test]
fn events_do_not_pile_up_behind_what_has_been_sent() {
    let monitor = monitor();
    let mut session = session();
    session.receive(NEGOTIATE.as_bytes());
    session.run(&monitor, &monitor.context());
    let at = Timestamp {
        seconds: 1,
        microseconds: 2,
    };
    for _ in 0..100_000 {
        session.emit(&Moved { by: 1 }, at);
        let unsent = session.output().len();
        session.sent(unsent - 1);
        assert!(unsent < 1000);
    }
    assert!(
        format!("{session:?}").len() < 10_000_000,
        "what was sent is forgotten"
    );
}

#[test]
fn a_flood_without_an_end_is_bounded() {
    let limits =
        Limits::default().with_message(json::Limits::default().with_message_bytes_max(1000));
    let monitor = monitor();
    let mut session = Session::new(&NoHost.version(), limits);
    session.receive(NEGOTIATE.as_bytes());
    session.run(&monitor, &monitor.context());
    session.sent(session.output().len());
    session.receive(b"{'execute': '");
    for _ in 0..1000 {
        session.receive(&[b'x'; 100]);
        session.run(&monitor, &monitor.context());
    }
    let answer = generic("", "JSON token size limit exceeded") + "\r\n";
    assert_eq!(str::from_utf8(session.output()).unwrap(), answer);
}

proptest! {
    #[test]
    fn cutting_a_conversation_anywhere_changes_nothing(
        requests in prop::collection::vec(prop::sample::select(vec![
            "{'execute': 'query-name', 'id': 1}", "{'execute': 'nosuch'}", "{}", "[", "]", "}",
            "{'execute': 'query-stats', 'arguments': {'target': 'vm'}}", "\u{1b}", "1 ", "'x",
            "\n", "{'execute': 'query-stats', 'arguments': {'target': 'vcpu'}, 'id': 'é'}",
            "{'a': 1, 'a': 2}",
        ]), 0..12),
        cuts in prop::collection::vec(1usize..40, 1..60),
    ) {
        let input = format!("{NEGOTIATE}{}", requests.concat());
        let mut rest = input.as_bytes();
        let mut pieces = Vec::new();
        for cut in cuts {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces.push(rest);
        prop_assert_eq!(converse(&pieces), converse(&[input.as_bytes()]));
    }
}

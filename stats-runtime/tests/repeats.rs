//! A request that comes again is answered as if it had been read again:
//! whatever its id, and whatever providers came and went meanwhile.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use proptest::prelude::*;
use qapi_stats::stats::commands::QueryStats;
use qapi_stats::stats::{StatsProvider, StatsTarget};
use qapi_stats::wire::command::{Call, CommandInfo, CommandSet, Request as _};
use qapi_stats::wire::{Error, Writer};
use stats_runtime::qmp::{Limits, Session};
use stats_runtime::{Monitor, NoHost, Registry};

/// One step of a conversation.
#[derive(Clone, Debug)]
enum Step {
    Request(String),
    /// Registers or removes the provider "abc".
    Toggle,
}

/// Answers a statistic that counts how often it was asked for.
fn register(registry: &Registry, name: &str) {
    let asked = std::sync::atomic::AtomicU64::new(0);
    let query = move |query: &stats_runtime::StatsQuery<'_>,
                      sink: &mut dyn stats_runtime::StatsSink| {
        if *query.target() == StatsTarget::Vcpu {
            for path in ["/b", "/a"] {
                sink.result(Some(path));
                sink.scalar(
                    "asked",
                    asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
                );
                sink.boolean("flag", true);
            }
        }
        Ok(())
    };
    let name = StatsProvider::Unknown(name.into());
    registry
        .add_stats_callbacks(name, query, |_| Ok(()))
        .unwrap();
}

/// Ids that are written as they are read, and those that are not.
fn id() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "1",
        "0",
        "-7",
        "-0",
        "01",
        "1.0",
        "1e2",
        "123456789012345678",
        "9223372036854775808",
        "18446744073709551616",
        "\"\"",
        "\"a\"",
        "\"b c\"",
        "\"\\u0041\"",
        "\"\u{e9}\"",
        "\"\u{7f}\"",
        "'a'",
        "null",
        "true",
        "[1]",
        "{\"id\": 1}",
        "\"id\"",
        "\"a\", \"x\": 1",
        "1, \"id\": 2",
        "1}{\"execute\": \"stop\"",
        "",
    ])
}

fn request() -> impl Strategy<Value = String> {
    let arguments = prop::sample::select(vec![
        "\"target\": \"vcpu\"",
        "\"target\": \"vm\"",
        "\"target\": \"vcpu\", \"vcpus\": [\"/a\"]",
        "\"target\": \"vcpu\", \"providers\": [{\"provider\": \"abc\"}]",
        "\"target\": \"vcpu\", \"providers\": [{\"provider\": \"xyz\", \"names\": [\"flag\", \"id\"]}]",
        "'target': 'vcpu'",
        "\"target\": \"vcpu\", \"id\": 1",
        "\"target\": \"nonsense\"",
    ]);
    let shape = prop::sample::select(vec![
        "{\"execute\": \"query-stats\", \"arguments\": {ARGS}, \"id\": ID}",
        "{\"id\": ID, \"execute\": \"query-stats\", \"arguments\": {ARGS}}",
        "{\"execute\": \"query-stats\", \"id\" :ID ,\"arguments\": {ARGS}}",
        "{\"execute\": \"query-stats\", \"arguments\": {ARGS}}",
        "{'id': ID, \"execute\": \"query-stats\", \"arguments\": {ARGS}}",
        "{\"execute\": \"query-name\", \"id\": ID}",
        "{\"execute\": \"id\", \"id\": ID}",
        "nonsense {\"execute\": \"query-stats\", \"arguments\": {ARGS}, \"id\": ID}",
    ]);
    (shape, arguments, id())
        .prop_map(|(shape, arguments, id)| shape.replace("ARGS", arguments).replace("ID", id))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => request().prop_map(Step::Request),
        1 => Just(Step::Toggle),
    ]
}

/// What a client gets that says all this: one session for everything, or one
/// for each request, which knows none yet.
fn converse(steps: &[Step], is_fresh: bool) -> Vec<String> {
    let registry = Arc::new(Registry::new());
    register(&registry, "xyz");
    let monitor = Monitor::new(Arc::clone(&registry), Arc::new(NoHost));
    let subscription = monitor.subscribe(|| {});
    let ask = |session: &mut Session, request: &str| {
        session.receive(request.as_bytes());
        // So that what was left unfinished does not change what comes next.
        session.receive(b"\xff");
        subscription.run(session, &monitor, &monitor.context());
        let reply = str::from_utf8(session.output()).unwrap().to_owned();
        session.sent(reply.len());
        reply
    };
    let begin = || {
        let mut session = Session::new(&monitor.host().version(), Limits::default());
        ask(&mut session, "{'execute': 'qmp_capabilities'}");
        session
    };
    let mut session = begin();
    let mut replies = Vec::new();
    for step in steps {
        match step {
            Step::Request(request) => {
                if is_fresh {
                    session = begin();
                }
                replies.push(ask(&mut session, request));
            }
            Step::Toggle => {
                if !registry.remove(&StatsProvider::Unknown("abc".into())) {
                    register(&registry, "abc");
                }
            }
        }
    }
    replies
}

/// Commands of a VMM's own, one of which is called like ours.
struct Own;

impl CommandSet for Own {
    fn commands(&self) -> Vec<&'static CommandInfo> {
        vec![&QueryStats::INFO]
    }

    fn command(&self, name: &str) -> Option<&'static CommandInfo> {
        self.commands().into_iter().find(|info| info.name == name)
    }

    fn execute(&self, _: Call<'_>, reply: &mut Writer<'_>) -> Result<(), Error> {
        reply.raw(b"\"own\"");
        Ok(())
    }
}

#[test]
fn what_one_monitor_knows_is_not_executed_for_another() {
    let registry = Arc::new(Registry::new());
    register(&registry, "xyz");
    let monitor = Monitor::new(registry, Arc::new(NoHost));
    let extended = monitor.clone().extended(&[], Arc::new(Own));
    let subscription = monitor.subscribe(|| {});
    let mut session = Session::new(&monitor.host().version(), Limits::default());
    session.receive(b"{'execute': 'qmp_capabilities'}");
    let mut ask = |monitor: &Monitor| {
        session.receive(b"{'execute': 'query-stats', 'arguments': {'target': 'vcpu'}}");
        subscription.run(&mut session, monitor, &monitor.context());
        let reply = str::from_utf8(session.output()).unwrap().to_owned();
        session.sent(reply.len());
        reply
    };
    for _ in 0..3 {
        assert!(ask(&monitor).contains("\"qom-path\": \"/a\""));
    }
    assert_eq!(ask(&extended).trim_end(), "{\"return\": \"own\"}");
    assert!(ask(&monitor).contains("\"qom-path\": \"/a\""));
}

proptest! {
    #[test]
    fn a_request_means_the_same_each_time(steps in prop::collection::vec(step(), 1..60)) {
        let known = converse(&steps, false);
        let read = converse(&steps, true);
        prop_assert_eq!(known, read);
    }
}

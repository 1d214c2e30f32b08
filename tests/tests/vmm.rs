//! A VMM whose schema includes ours: its own commands and events, and our
//! statistics, in one session with one introspection. `cases/vmm` is its
//! schema, `build.rs` what its build script does, this file the rest of it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use qapi_gen::{FsLoader, IncludeFolders, Introspection, Loader, check};
use qapi_stats::introspect::commands::QueryQmpSchema;
use qapi_stats::introspect::{SchemaInfo, SchemaInfoBranch};
use qapi_stats::stats::{StatsProvider, StatsTarget};
use qapi_wire::command::{CommandInfo, CommandSet, Request};
use qapi_wire::introspect::{Meta, find};
use qapi_wire::{Context, Document, Error, Value, from_json, json, to_json};
use stats_runtime::qmp::{Session, Timestamp};
use stats_runtime::server::{Listener, Options, Server};
use stats_runtime::{Monitor, NoHost, Registry};
use tests::vmm::balloon::commands::Balloon;
use tests::vmm::balloon::{self, BalloonInfo, BalloonScopeBranch, events::BalloonChange};
use tests::vmm::{Event, OwnDispatcher, SCHEMA};

/// The VMM's own part.
#[derive(Default)]
struct Machine {
    balloon_bytes: AtomicU64,
}

impl Machine {
    fn info(&self) -> BalloonInfo {
        BalloonInfo {
            actual: self.balloon_bytes.load(Ordering::Relaxed),
            counted_by: Some(StatsProvider::Unknown("balloon".into())),
        }
    }
}

impl balloon::Commands for Machine {
    fn query_balloon(&self) -> Result<BalloonInfo, Error> {
        Ok(self.info())
    }

    fn balloon(&self, arguments: Balloon) -> Result<(), Error> {
        if let Some(scope) = arguments.scope
            && let BalloonScopeBranch::Vcpu(_) = scope.target
        {
            return Err(Error::generic("A vCPU has no balloon"));
        }
        self.balloon_bytes.store(arguments.value, Ordering::Relaxed);
        Ok(())
    }
}

fn registry() -> Registry {
    let registry = Registry::new();
    registry
        .add_stats_callbacks(
            "balloon",
            |query, sink| {
                if *query.target() == StatsTarget::Vm {
                    sink.result(None);
                    sink.scalar("inflations", 3);
                }
                Ok(())
            },
            |_| Ok(()),
        )
        .unwrap();
    registry
}

/// The VMM's monitor: everything there is to write for both in one session.
fn monitor() -> Monitor {
    let own = OwnDispatcher(Machine::default());
    Monitor::new(registry(), NoHost)
        .with_extension(SCHEMA, Arc::new(own))
        .with_control(true)
}

/// A session after its negotiation.
fn session(monitor: &Monitor) -> Session {
    let mut session = Session::new(&monitor.host().version(), Default::default());
    session.receive(b"{'execute': 'qmp_capabilities'}");
    session.run(monitor, &monitor.context());
    session.sent(session.output().len());
    session
}

/// What is answered to one line.
fn answer(session: &mut Session, monitor: &Monitor, request: &str) -> String {
    session.receive(request.as_bytes());
    session.run(monitor, &monitor.context());
    let text = String::from_utf8(session.output().to_vec()).unwrap();
    session.sent(text.len());
    text.trim_end().to_owned()
}

/// The value that is returned.
fn returned(monitor: &Monitor, request: &str) -> String {
    let text = answer(&mut session(monitor), monitor, request);
    let value = text.strip_prefix("{\"return\": ");
    let value = value.and_then(|value| value.strip_suffix('}'));
    value.unwrap_or_else(|| panic!("{text}")).to_owned()
}

fn tests_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// What `qapi-gen introspect` prints, in our spelling, with the provider that
/// is registered here.
fn introspected(schema: &Path, loader: &dyn Loader) -> String {
    let schema = check(schema, loader).schema.unwrap();
    let text = Introspection::default().json(&schema);
    let text = to_json(&json::parse(text.as_bytes()).unwrap());
    let (members, values) = (r#"{"name": "cryptodev"}], "values": ["#, r#""cryptodev"]"#);
    // Other enumerations end in the same way, but only one has this value.
    let begin = text.find(r#"{"name": "kvm"}"#).unwrap();
    let (head, tail) = text.split_at(begin);
    let more_members = r#"{"name": "cryptodev"}, {"name": "balloon"}], "values": ["#;
    let tail = tail.replacen(members, more_members, 1);
    let tail = tail.replacen(values, r#""cryptodev", "balloon"]"#, 1);
    format!("{head}{tail}")
}

#[test]
fn session_serves_the_vmms_schema_and_ours() {
    let monitor = monitor();
    let mut session = session(&monitor);
    let rows = [
        (
            "{'execute': 'query-stats', 'arguments': {'target': 'vm'}}",
            "{\"return\": [{\"provider\": \"balloon\", \"stats\": [{\"name\": \"inflations\", \
             \"value\": 3}]}]}",
        ),
        (
            "{'execute': 'balloon', 'arguments': {'value': 4096, 'scope': {'target': 'vm'}}}",
            "{\"return\": {}}",
        ),
        (
            "{'execute': 'query-balloon'}",
            "{\"return\": {\"actual\": 4096, \"counted-by\": \"balloon\"}}",
        ),
        (
            "{'execute': 'balloon', 'arguments': {'value': 1, 'scope': {'target': 'vcpu'}}}",
            "{\"error\": {\"class\": \"GenericError\", \"desc\": \"A vCPU has no balloon\"}}",
        ),
        (
            "{'execute': 'balloon', 'arguments': {'value': 1, 'scope': {'target': 'x'}}}",
            "{\"error\": {\"class\": \"GenericError\", \"desc\": \"Parameter 'target' does not \
             accept value 'x'\"}}",
        ),
        // Our schema has it, the VMM's has not.
        (
            "{'execute': 'query-name'}",
            "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"The command query-name has \
             not been found\"}}",
        ),
    ];
    for (request, expected) in rows {
        assert_eq!(answer(&mut session, &monitor, request), expected);
    }
}

/// Everything that the schema lists is served, and nothing else.
#[test]
fn query_commands_lists_both_schemas() {
    let names =
        |infos: Vec<&CommandInfo>| -> Vec<_> { infos.into_iter().map(|info| info.name).collect() };
    let monitor = monitor();
    let listed = names(monitor.commands());
    assert_eq!(listed, names(tests::vmm::COMMANDS.to_vec()));
    let reply = returned(&monitor, "{'execute': 'query-commands'}");
    for name in listed {
        assert!(
            reply.contains(&format!("{{\"name\": \"{name}\"}}")),
            "{name}"
        );
        let info = find(SCHEMA, name).unwrap();
        assert!(matches!(info.meta, Meta::Command { .. }), "{name}");
        assert_eq!(monitor.command(name).unwrap().name, name);
    }
}

/// One introspection, numbered once, with registered values.
#[test]
fn introspection_covers_both_schemas() {
    let loader = IncludeFolders::new(
        &FsLoader,
        tests_folder().join("cases/vmm/qapi-schema.json"),
        [("qapi-stats", tests_folder().join("../qapi/schema"))],
    );
    let expected = introspected(&tests_folder().join("cases/vmm/qapi-schema.json"), &loader);
    let reply = returned(&monitor(), "{'execute': 'query-qmp-schema'}");
    assert_eq!(reply, expected);
    assert_eq!(reply.matches("{\"name\": \"balloon\"}").count(), 1);
    assert!(reply.contains("BALLOON_CHANGE"));
}

/// The same over a socket, by the server that every monitor has.
#[test]
fn server_serves_the_vmms_schema_and_ours() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let listener = Listener::unix(&path).unwrap();
    let _server = Server::start(monitor(), [listener], Options::new()).unwrap();
    let mut client = UnixStream::connect(&path).unwrap();
    for command in ["qmp_capabilities", "query-balloon", "query-qmp-schema"] {
        write!(client, "{{'execute': '{command}'}}").unwrap();
    }
    // The greeting, then three replies.
    let lines: Vec<_> = BufReader::new(client).lines().take(4).collect();
    let line = |index: usize| lines[index].as_ref().unwrap();
    assert!(line(0).starts_with("{\"QMP\""));
    assert!(line(2).starts_with("{\"return\": {\"actual\": 0"));
    let schema = returned(&monitor(), "{'execute': 'query-qmp-schema'}");
    assert_eq!(*line(3), format!("{{\"return\": {schema}}}"));
}

/// A monitor that nothing is added to tells our schema.
#[test]
fn monitor_introspects_only_its_schema_when_not_extended() {
    let schema = tests_folder().join("../qapi/schema/qapi-schema.json");
    let monitor = Monitor::new(registry(), NoHost).with_control(true);
    let reply = returned(&monitor, "{'execute': 'query-qmp-schema'}");
    assert_eq!(reply, introspected(&schema, &FsLoader));
}

/// The reply is what the schema says that it is, also to a strict client.
#[test]
fn client_reads_introspection_with_generated_types() {
    let reply = returned(&monitor(), "{'execute': 'query-qmp-schema'}");
    type Reply = <QueryQmpSchema as Request>::Reply;
    let infos: Reply = from_json(reply.as_bytes(), &Context::strict()).unwrap();
    let named = |name: &str| -> &SchemaInfo { infos.iter().find(|it| it.name == name).unwrap() };
    let SchemaInfoBranch::Command(balloon) = &named("query-balloon").meta_type else {
        panic!("{:?}", named("query-balloon"))
    };
    let SchemaInfoBranch::Object(info) = &named(&balloon.ret_type).meta_type else {
        panic!("{:?}", named(&balloon.ret_type))
    };
    let members: Vec<_> = info.members.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(members, ["actual", "counted-by"]);
    assert_eq!(info.members[1].default, Some(Value::Null));
}

#[test]
fn event_of_the_vmm_is_decoded_by_the_client() {
    let monitor = monitor();
    let mut session = session(&monitor);
    let event = BalloonChange(Machine::default().info());
    session.emit(&event, Timestamp::from(SystemTime::UNIX_EPOCH));
    let line = answer(&mut session, &monitor, "");
    assert_eq!(
        line,
        "{\"timestamp\": {\"seconds\": 0, \"microseconds\": 0}, \"event\": \"BALLOON_CHANGE\", \
         \"data\": {\"actual\": 0, \"counted-by\": \"balloon\"}}"
    );
    let message = Document::parse(line.as_bytes()).unwrap();
    let data = message.root().get("data").unwrap();
    let received = Event::decode("BALLOON_CHANGE", data, &Context::tolerant());
    assert_eq!(received.unwrap(), Event::BalloonChange(event));
}

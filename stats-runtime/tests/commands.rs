//! The monitor's commands about the machine, and the refusals of a read-only
//! monitor.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use qapi_stats::machine::{CpuInstanceProperties, KvmInfo, SysEmuTarget};
use qapi_stats::run_state::RunState;
use qapi_stats::stats::StatsProvider;
use qapi_stats::wire::command::{Call, CommandInfo, CommandSet};
use qapi_stats::wire::compat::{Output, Policy};
use qapi_stats::wire::{Error, Writer};
use stats_runtime::host::{Change, HostState, Vcpu};
use stats_runtime::qmp::Session;
use stats_runtime::{Host, Monitor, NoHost, Registry};

/// A host of another architecture that counts what it is told to do.
struct Mainframe {
    told: AtomicU32,
    state: RunState,
}

impl Mainframe {
    fn in_state(state: RunState) -> Arc<Self> {
        let told = AtomicU32::new(0);
        Arc::new(Self { told, state })
    }

    fn tell(&self) {
        self.told.fetch_add(1, Ordering::Relaxed);
    }
}

impl Host for Mainframe {
    fn target(&self) -> SysEmuTarget {
        SysEmuTarget::S390x
    }

    fn machine_type(&self) -> String {
        "s390-ccw-virtio-machine".to_owned()
    }

    fn run_state(&self) -> RunState {
        self.state.clone()
    }

    fn kvm(&self) -> Option<KvmInfo> {
        Some(KvmInfo {
            enabled: false,
            present: true,
        })
    }

    fn vcpus(&self) -> Option<Vec<Vcpu>> {
        let book = CpuInstanceProperties {
            book_id: Some(2),
            ..CpuInstanceProperties::default()
        };
        let named = |number| format!("/machine/books/cpu[{number}]");
        let mut first = Vcpu::new(0, named(0)).on_thread(Some(77)).at(book);
        first.qom_type = Some("z17-s390x-cpu".to_owned());
        Some(vec![first, Vcpu::new(7, named(7))])
    }

    fn stop(&self) -> Result<Change, Error> {
        self.tell();
        Ok(Change::Made)
    }

    fn cont(&self) -> Result<Change, Error> {
        self.tell();
        Ok(Change::Unchanged)
    }

    fn system_powerdown(&self) -> Result<Change, Error> {
        self.tell();
        Ok(Change::Made)
    }

    fn quit(&self) -> Result<Change, Error> {
        Ok(Change::Made)
    }

    fn end(&self) {
        self.tell();
    }
}

fn monitor(host: impl Host + 'static) -> Monitor {
    Monitor::new(Registry::new(), host)
}

/// What is answered to a request, events before it included.
fn answers(monitor: &Monitor, request: &str) -> Vec<String> {
    let subscription = monitor.subscribe(|| {});
    let mut session = Session::new(&NoHost.version(), Default::default());
    session.receive(b"{'execute': 'qmp_capabilities'}");
    subscription.run(&mut session, monitor, &monitor.context());
    session.sent(session.output().len());
    session.receive(request.as_bytes());
    subscription.run(&mut session, monitor, &monitor.context());
    let text = String::from_utf8(session.output().to_vec()).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn check(monitor: &Monitor, request: &str, expected: &str) {
    assert_eq!(answers(monitor, request), [expected], "{request}");
}

#[test]
fn monitor_answers_as_a_bare_vm_when_the_host_has_only_defaults() {
    let monitor = monitor(NoHost).with_control(true);
    let rows = [
        ("query-cpus-fast", "[]"),
        (
            "query-uuid",
            r#"{"UUID": "00000000-0000-0000-0000-000000000000"}"#,
        ),
        (
            "query-status",
            r#"{"running": true, "singlestep": false, "status": "running"}"#,
        ),
        ("query-kvm", r#"{"enabled": false, "present": false}"#),
    ];
    for (command, value) in rows {
        let expected = format!("{{\"return\": {value}}}");
        check(&monitor, &format!("{{'execute': '{command}'}}"), &expected);
    }
    for command in ["stop", "cont", "system_powerdown", "quit"] {
        let found = answers(&monitor, &format!("{{'execute': '{command}'}}"));
        assert_eq!(found.len(), 1, "{command}");
        assert!(found.concat().contains("GenericError"), "{command}");
    }
}

#[test]
fn query_kvm_says_yes_when_a_kvm_provider_is_registered() {
    let registry = Registry::new();
    registry
        .add_stats_callbacks(StatsProvider::Kvm, |_, _| Ok(()), |_| Ok(()))
        .unwrap();
    let monitor = Monitor::new(registry, NoHost);
    let expected = r#"{"return": {"enabled": true, "present": true}}"#;
    check(&monitor, "{'execute': 'query-kvm'}", expected);
}

#[test]
fn monitor_passes_on_what_the_host_answers() {
    let monitor = monitor(Mainframe::in_state(RunState::GuestPanicked));
    let rows = [
        (
            "{'execute': 'query-cpus-fast'}",
            r#"[{"cpu-index": 0, "qom-path": "/machine/books/cpu[0]", "thread-id": 77, "props": {"book-id": 2}, "target": "s390x", "cpu-state": "stopped"}, {"cpu-index": 7, "qom-path": "/machine/books/cpu[7]", "thread-id": 0, "target": "s390x", "cpu-state": "stopped"}]"#,
        ),
        (
            "{'execute': 'query-kvm'}",
            r#"{"enabled": false, "present": true}"#,
        ),
        (
            "{'execute': 'query-status'}",
            r#"{"running": false, "singlestep": false, "status": "guest-panicked"}"#,
        ),
        (
            "{'execute': 'human-monitor-command', 'arguments': {'command-line': 'info status'}}",
            r#""VM status: paused (guest-panicked)\r\n""#,
        ),
        (
            "{'execute': 'human-monitor-command', 'arguments': {'command-line': 'info kvm'}}",
            r#""kvm support: disabled\r\n""#,
        ),
    ];
    for (request, value) in rows {
        check(&monitor, request, &format!("{{\"return\": {value}}}"));
    }
}

#[test]
fn qom_commands_resolve_paths_as_qemu_does() {
    let monitor = monitor(Mainframe::in_state(RunState::Running));
    let list = |path: &str| format!("{{'execute': 'qom-list', 'arguments': {{'path': '{path}'}}}}");
    let get = |path: &str, property: &str| {
        format!(
            "{{'execute': 'qom-get', 'arguments': {{'path': '{path}', 'property': '{property}'}}}}"
        )
    };
    let not_found = |path: &str| {
        format!(
            "{{\"error\": {{\"class\": \"DeviceNotFound\", \"desc\": \"Device '{path}' not found\"}}}}"
        )
    };
    let returned = |value: &str| format!("{{\"return\": {value}}}");
    let generic = |desc: &str| {
        format!("{{\"error\": {{\"class\": \"GenericError\", \"desc\": \"{desc}\"}}}}")
    };
    let rows = [
        (
            list("/machine/books"),
            returned(
                r#"[{"name": "type", "type": "string"}, {"name": "cpu[0]", "type": "child<z17-s390x-cpu>"}, {"name": "cpu[7]", "type": "child<s390x-cpu>"}]"#,
            ),
        ),
        (
            list("cpu[0]"),
            returned(
                r#"[{"name": "type", "type": "string"}, {"name": "realized", "type": "bool"}, {"name": "hotplugged", "type": "bool"}, {"name": "hotpluggable", "type": "bool"}, {"name": "book-id", "type": "int"}]"#,
            ),
        ),
        (get("books/cpu[0]", "book-id"), returned("2")),
        (
            get("/machine", "type"),
            returned(r#""s390-ccw-virtio-machine""#),
        ),
        (
            get("books", "cpu[7]"),
            returned(r#""/machine/books/cpu[7]""#),
        ),
        (
            get("cpu[7]", "book-id"),
            generic("Property 's390x-cpu.book-id' not found"),
        ),
        (list(""), generic("Path '' is ambiguous")),
        (get("", "type"), not_found("")),
        (list("/books"), not_found("/books")),
        (
            get("/machine/books/cpu[1]", "type"),
            not_found("/machine/books/cpu[1]"),
        ),
    ];
    for (request, expected) in rows {
        check(&monitor, &request, &expected);
    }
}

#[test]
fn monitor_emits_an_event_only_when_the_host_has_changed() {
    let host = Mainframe::in_state(RunState::Running);
    let monitor = monitor(Arc::clone(&host) as Arc<dyn Host>).with_control(true);
    let rows = [
        ("stop", Some("\"event\": \"STOP\"}")),
        ("cont", None),
        ("system_powerdown", Some("\"event\": \"POWERDOWN\"}")),
        (
            "quit",
            Some(
                "\"event\": \"SHUTDOWN\", \"data\": {\"guest\": false, \"reason\": \"host-qmp-quit\"}}",
            ),
        ),
    ];
    for (command, event) in rows {
        let mut found = answers(&monitor, &format!("{{'execute': '{command}'}}"));
        assert_eq!(found.pop().unwrap(), "{\"return\": {}}", "{command}");
        assert_eq!(found.len(), usize::from(event.is_some()), "{command}");
        assert!(
            found.concat().ends_with(event.unwrap_or_default()),
            "{found:?}"
        );
    }
    assert_eq!(host.told.load(Ordering::Relaxed), 4);
}

#[test]
fn read_only_monitor_refuses_commands_that_change_the_machine() {
    let host = Mainframe::in_state(RunState::Running);
    let monitor = monitor(Arc::clone(&host) as Arc<dyn Host>);
    let listed = answers(&monitor, "{'execute': 'query-commands'}").concat();
    let introspected = answers(&monitor, "{'execute': 'query-qmp-schema'}").concat();
    for command in ["stop", "cont", "system_powerdown", "quit"] {
        let expected = format!(
            "{{\"error\": {{\"class\": \"GenericError\", \"desc\": \
             \"The command {command} is refused: this monitor is read-only\"}}}}"
        );
        check(&monitor, &format!("{{'execute': '{command}'}}"), &expected);
        // Whatever its arguments are.
        let request = format!("{{'execute': '{command}', 'arguments': {{'x': 1}}}}");
        check(&monitor, &request, &expected);
        let request = format!(
            "{{'execute': 'human-monitor-command', 'arguments': {{'command-line': '{command}'}}}}"
        );
        let expected = format!(
            "{{\"return\": \"Error: The command {command} is refused: this monitor is read-only\\r\\n\"}}"
        );
        check(&monitor, &request, &expected);
        assert!(!listed.contains(&format!("\"{command}\"")), "{command}");
        assert!(
            !introspected.contains(&format!("\"{command}\"")),
            "{command}"
        );
    }
    assert_eq!(host.told.load(Ordering::Relaxed), 0);
    for command in [
        "query-stats",
        "query-status",
        "qom-list",
        "human-monitor-command",
    ] {
        assert!(listed.contains(&format!("\"{command}\"")), "{command}");
        assert!(
            introspected.contains(&format!("\"{command}\"")),
            "{command}"
        );
    }
    check(&monitor, "{'execute': 'query-name'}", "{\"return\": {}}");
    // The same machine, for others.
    let control = monitor.clone().with_control(true);
    assert_eq!(answers(&control, "{'execute': 'stop'}").len(), 2);
    assert_eq!(host.told.load(Ordering::Relaxed), 1);
}

#[test]
fn query_status_omits_singlestep_when_deprecated_members_are_hidden() {
    let policy = Policy {
        deprecated_output: Output::Hide,
        ..Policy::ACCEPT
    };
    let monitor = monitor(NoHost).with_policy(policy);
    let expected = r#"{"return": {"running": true, "status": "running"}}"#;
    check(&monitor, "{'execute': 'query-status'}", expected);
}

/// A VMM's own commands, which all succeed.
struct Fan;

const FAN_COMMANDS: [CommandInfo; 3] = [
    CommandInfo::new("query-fan"),
    CommandInfo::new("query-name"),
    CommandInfo::new("set-fan"),
];

impl CommandSet for Fan {
    fn commands(&self) -> Vec<&'static CommandInfo> {
        FAN_COMMANDS.iter().collect()
    }

    fn command(&self, name: &str) -> Option<&'static CommandInfo> {
        FAN_COMMANDS.iter().find(|info| info.name == name)
    }

    fn execute(&self, _: Call<'_>, reply: &mut Writer<'_>) -> Result<(), Error> {
        reply.raw(b"{}");
        Ok(())
    }
}

#[test]
fn read_only_monitor_executes_own_commands_only_when_they_are_declared() {
    let undeclared = monitor(NoHost).with_extension(&[], Arc::new(Fan));
    let declared = undeclared.clone().with_read_only_commands(&["query-fan"]);
    let control = undeclared.clone().with_control(true);
    let rows = [
        // The name begins like those of commands that only observe.
        ("query-fan", [false, true, true]),
        // The command replaces one of ours, which only observes.
        ("query-name", [true, true, true]),
        ("set-fan", [false, false, true]),
    ];
    for (command, expected) in rows {
        let request = format!("{{'execute': '{command}'}}");
        for (monitor, is_executed) in [&undeclared, &declared, &control].into_iter().zip(expected) {
            let found = answers(monitor, &request).concat();
            assert_eq!(found == "{\"return\": {}}", is_executed, "{found}");
            assert_eq!(found.contains("read-only"), !is_executed, "{found}");
        }
    }
}

#[test]
fn monitor_answers_what_was_set_when_the_host_is_data() {
    let uuid = "7f8b1a52-7d0c-4a04-9f0e-6a1f5b0d2c11";
    let state = HostState::new().with_name("web-1").with_uuid(uuid);
    let monitor = monitor(Arc::new(state.clone())).with_control(true);
    state.set_run_state(RunState::Paused);
    state.set_vcpus(vec![Vcpu::new(0, "/machine/vcpu[0]")]);
    for (command, expected) in [
        ("query-name", "{\"return\": {\"name\": \"web-1\"}}"),
        ("query-uuid", uuid),
        ("query-status", "\"status\": \"paused\""),
        ("query-cpus-fast", "\"qom-path\": \"/machine/vcpu[0]\""),
        ("stop", "This monitor cannot stop the machine"),
    ] {
        let answers = answers(&monitor, &format!("{{'execute': '{command}'}}"));
        assert!(answers[0].contains(expected), "{answers:?}");
    }
}

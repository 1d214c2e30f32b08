//! `vmstats shell`, as a script and as a person would use it, with our monitor,
//! with a real QEMU, and with servers that are none.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod program;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use program::{Qemu, Server, stderr, stdout, vmstats};
use rustix::event::PollFlags;
use serde_json::Value;

fn recording(folder: &Path) -> Server {
    Server::recording(folder, &["--name", "recorded"])
}

fn shell(socket: &str, options: &[&str], input: &str) -> Output {
    let mut arguments = vec!["shell", socket];
    arguments.extend(options);
    vmstats(&arguments, input)
}

#[test]
fn script_is_answered_line_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let server = recording(folder.path());
    let output = shell(
        &server.socket,
        &[],
        "# a comment, and a blank line\n\nquery-name\n\
         query-stats target=vm\n\
         query-stats target=vcpu vcpus=['/machine/unattached/device[1]'] \
         providers=[{\"provider\": \"kvm\", \"names\": [\"exits\"]}]\n\
         {'execute': 'query-name'}\n\
         {\"execute\": \"query-name\", \"id\": [1]}\n\
         exit\nnosuch\n",
    );
    assert_eq!(stderr(&output), "");
    assert!(output.status.success());
    assert_eq!(
        stdout(&output).lines().collect::<Vec<_>>(),
        [
            r#"{"name": "recorded"}"#,
            r#"[{"provider": "kvm", "stats": [{"name": "pages", "value": 7}]}]"#,
            "[{\"provider\": \"kvm\", \"qom-path\": \"/machine/unattached/device[1]\", \
             \"stats\": [{\"name\": \"exits\", \"value\": 41}]}]",
            r#"{"return": {"name": "recorded"}}"#,
            r#"{"return": {"name": "recorded"}, "id": [1]}"#,
        ]
    );
    let output = shell(&server.socket, &["--pretty"], "query-stats target=vcpu\n");
    assert!(
        stdout(&output).contains("\n    \"stats\": ["),
        "{}",
        stdout(&output)
    );
    assert!(
        !stdout(&output).contains('\u{1b}'),
        "colour without a terminal"
    );
    let help = stdout(&shell(&server.socket, &[], "help query-stats\nhelp\n"));
    assert!(help.contains("  target: vm|vcpu|cryptodev\n"), "{help}");
    assert!(help.contains("\n  query-stats-schemas\n"), "{help}");
}

#[test]
fn line_is_named_when_it_fails() {
    let folder = tempfile::tempdir().unwrap();
    let server = recording(folder.path());
    let rows = [
        (
            "nosuch",
            "the server refuses: The command nosuch has not been found (CommandNotFound)",
        ),
        (
            "query-stats target=x",
            "the server refuses: Parameter 'target' does not accept value 'x'",
        ),
        ("query-stats vm", "expected NAME=VALUE, got 'vm'"),
        (
            "query-stats target=[",
            "argument 'target': the JSON ends before it is complete",
        ),
        ("{'execute'}", "JSON parse error, missing : in object pair"),
        (
            "{'execute': 1}",
            "{\"error\": {\"class\": \"GenericError\", \
             \"desc\": \"QMP input member 'execute' must be a string\"}}",
        ),
        ("help nosuch", "the server has no command nosuch"),
    ];
    for (line, expected) in rows {
        let output = shell(
            &server.socket,
            &[],
            &format!("query-name\n{line}\nquery-name\n"),
        );
        assert_eq!(stderr(&output), format!("vmstats: line 2: {expected}\n"));
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(stdout(&output).lines().count(), 1, "it stops there");
    }
    let output = shell(
        &server.socket,
        &["--keep-going"],
        "nosuch\nquery-name\nquery-stats\n",
    );
    assert_eq!(stdout(&output), "{\"name\": \"recorded\"}\n");
    assert_eq!(output.status.code(), Some(1));
    let errors = stderr(&output);
    assert!(errors.starts_with("vmstats: line 1: "), "{errors}");
    assert!(errors.contains("\nvmstats: line 3: "), "{errors}");
    assert!(errors.ends_with("\nvmstats: 2 lines failed\n"), "{errors}");
}

#[test]
fn lines_of_the_human_monitor_are_sent_through_qmp() {
    let folder = tempfile::tempdir().unwrap();
    let server = recording(folder.path());
    let output = shell(
        &server.socket,
        &["--hmp"],
        "info stats vm\n\nnosuch\ninfo stats vcpu exits kvm\n",
    );
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(
        stdout(&output),
        "provider: kvm\n    pages (instant): 7\nunknown command: 'nosuch'\n    \
         exits (cumulative): 40\n"
    );
}

/// A server that does what a test says with its first client.
fn impostor(folder: &Path, act: impl FnOnce(UnixStream) + Send + 'static) -> String {
    let path = folder.join("impostor.sock");
    let listener = UnixListener::bind(&path).unwrap();
    thread::spawn(move || act(listener.accept().unwrap().0));
    path.to_str().unwrap().to_owned()
}

const GREETING: &[u8] = b"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 0, \
    \"major\": 9}, \"package\": \"\"}, \"capabilities\": []}}\r\n";

/// The answer to the first request.
const NEGOTIATED: &str = "{\"return\": {}, \"id\": ID}\r\n";

/// Answers each line with the text that is next, its id filled in.
fn answer(stream: &UnixStream, answers: &[&str]) {
    let mut stream = stream;
    stream.write_all(GREETING).unwrap();
    let mut lines = BufReader::new(stream).lines();
    for answer in answers {
        let line = lines.next().unwrap().unwrap();
        let request: Value = serde_json::from_str(&line).unwrap();
        let reply = answer.replace("ID", &request["id"].to_string());
        stream.write_all(reply.as_bytes()).unwrap();
    }
}

#[test]
fn events_and_unexpected_replies_do_not_reach_the_output() {
    let folder = tempfile::tempdir().unwrap();
    let socket = impostor(folder.path(), |stream| {
        answer(
            &stream,
            &[
                NEGOTIATED,
                "{\"event\": \"STOP\", \"data\": {\"a\": 1}, \"timestamp\": {\"seconds\": 1, \
                 \"microseconds\": 2}}\r\n{\"return\": \"late\", \"id\": \"old\"}\r\n\
                 {\"return\": \"now\", \"id\": ID}\r\n",
                // A reply without an id is nobody's.
                "{\"return\": \"bare\"}\r\n{\"return\": \"own\", \"id\": ID}\r\n",
            ],
        );
    });
    let output = shell(&socket, &[], "a\nb\n");
    assert_eq!(stdout(&output), "\"now\"\n\"own\"\n");
    assert_eq!(
        stderr(&output),
        "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"STOP\", \
         \"data\": {\"a\": 1}}\n\
         vmstats: The server sent a reply that nobody asked for; such replies are dropped.\n"
    );
}

/// The memory of a process in bytes.
fn resident_bytes(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().nth(1));
    kibibytes.unwrap().parse::<usize>().unwrap() << 10
}

#[test]
fn idle_shell_keeps_no_replies_that_nobody_asked_for() {
    const REPLY: &[u8] = b"{\"return\": [{}, {}, {}, {}], \"id\": \"nobody\"}\r\n";
    let folder = tempfile::tempdir().unwrap();
    let (sender, flooded) = std::sync::mpsc::channel();
    let (go_on, is_measured) = std::sync::mpsc::channel::<()>();
    let socket = impostor(folder.path(), move |mut stream| {
        answer(&stream, &[NEGOTIATED]);
        let replies = REPLY.repeat(1000);
        for _ in 0..200 {
            stream.write_all(&replies).unwrap();
        }
        sender.send(()).unwrap();
        let _ = is_measured.recv();
    });
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_vmstats"))
        .args(["shell", &socket])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    flooded.recv_timeout(PATIENCE * 3).unwrap();
    let used_bytes = resident_bytes(child.id());
    assert!(used_bytes < 40 << 20, "{used_bytes} bytes");
    drop(child.stdin.take());
    let mut text = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(text.matches("nobody asked for").count(), 1, "{text}");
    drop(go_on);
}

#[test]
fn greeting_is_refused_when_it_does_not_end() {
    let folder = tempfile::tempdir().unwrap();
    let socket = impostor(folder.path(), |mut stream| {
        stream.write_all(b"{\"QMP\": \"").unwrap();
        while stream.write_all(&[b'x'; 64 << 10]).is_ok() {}
    });
    let output = shell(&socket, &[], "");
    let begin = "vmstats: not a QMP server: no greeting in the first 8388608 bytes; ";
    assert!(stderr(&output).starts_with(begin), "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn line_is_refused_when_it_does_not_end() {
    let folder = tempfile::tempdir().unwrap();
    let server = recording(folder.path());
    let output = shell(&server.socket, &[], &"x".repeat((64 << 20) + 1));
    assert_eq!(
        stderr(&output),
        "vmstats: line 1: cannot read: the line is longer than 67108864 bytes\n"
    );
}

#[test]
fn text_of_a_server_is_escaped_when_it_is_printed() {
    let hostile = "\\u001b[31m\\u009b\\r";
    let folder = tempfile::tempdir().unwrap();
    let socket = impostor(folder.path(), move |stream| {
        let reply = format!("{{\"return\": {{\"{hostile}\": \"{hostile}\"}}, \"id\": ID}}\r\n");
        let error = format!(
            "{{\"error\": {{\"class\": \"{hostile}\", \"desc\": \"{hostile}\"}}, \"id\": ID}}\r\n"
        );
        answer(&stream, &[NEGOTIATED, &reply, &error]);
    });
    let output = shell(&socket, &["--pretty"], "a\nb\n");
    let text = stdout(&output) + &stderr(&output);
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(!text.contains(['\u{1b}', '\u{9b}', '\r']), "{text:?}");

    let folder = tempfile::tempdir().unwrap();
    let socket = impostor(folder.path(), move |stream| {
        let reply = format!("{{\"return\": \"a\\tb{hostile}!\\n\", \"id\": ID}}\r\n");
        answer(&stream, &[NEGOTIATED, &reply]);
    });
    let output = shell(&socket, &["--hmp"], "x\n");
    assert_eq!(stdout(&output), "a\tb\\u{1b}[31m\\u{9b}\\r!\n");
}

/// How long a shell may take for what it does at once.
const PATIENCE: Duration = Duration::from_secs(20);

/// The shell on a terminal of the test's own.
struct Typist {
    shell: program::Running,
    terminal: std::fs::File,
    seen: String,
}

impl Typist {
    fn start(arguments: &[&str], home: &Path) -> Self {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
        let theirs = || {
            let file = std::fs::File::options().read(true).write(true).open(&name);
            Stdio::from(file.unwrap())
        };
        let child = std::process::Command::new(env!("CARGO_BIN_EXE_vmstats"))
            .args(arguments)
            .env("TERM", "xterm")
            .env_remove("NO_COLOR")
            .env("XDG_STATE_HOME", home)
            .stdin(theirs())
            .stdout(theirs())
            .stderr(theirs())
            .spawn()
            .unwrap();
        Self {
            shell: program::Running(child),
            terminal: ours.into(),
            seen: String::new(),
        }
    }

    /// Waits until a text has come, and forgets what stands before its end.
    fn expect(&mut self, text: &str) {
        let begin = Instant::now();
        loop {
            if let Some(at) = self.seen.find(text) {
                self.seen.drain(..at + text.len());
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "{text}: {:?}", self.seen);
            let mut bytes = [0; 4096];
            let mut ready = [rustix::event::PollFd::new(&self.terminal, PollFlags::IN)];
            let pause = rustix::event::Timespec {
                tv_sec: 1,
                tv_nsec: 0,
            };
            if rustix::event::poll(&mut ready, Some(&pause)).unwrap() == 0 {
                continue;
            }
            match self.terminal.read(&mut bytes) {
                Ok(count) => self.seen += &String::from_utf8_lossy(&bytes[..count]),
                Err(error) => panic!("{text}: {error}: {:?}", self.seen),
            }
        }
    }

    fn enter(&mut self, keys: &str) {
        self.enter_bytes(keys.as_bytes());
    }

    fn enter_bytes(&mut self, keys: &[u8]) {
        self.terminal.write_all(keys).unwrap();
    }

    /// Whether it ends by itself, and well.
    fn ends(mut self) -> bool {
        self.has_ended_by(Instant::now() + PATIENCE)
    }

    /// Whether it ends when lines without a command come, the first of which
    /// may come before it has seen why to end.
    fn ends_at_a_line(mut self) -> bool {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            // It may have ended a moment ago, and its terminal with it.
            let _ = self.terminal.write_all(b"\r");
            if self.has_ended_by(Instant::now() + Duration::from_millis(500)) {
                return true;
            }
        }
        false
    }

    fn has_ended_by(&mut self, deadline: Instant) -> bool {
        while Instant::now() < deadline {
            if let Some(status) = self.shell.0.try_wait().unwrap() {
                return status.success();
            }
            thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

#[test]
fn terminal_has_completion_history_and_events() {
    let folder = tempfile::tempdir().unwrap();
    let server = recording(folder.path());
    let home = tempfile::tempdir().unwrap();
    let mut typist = Typist::start(&["shell", &server.socket], home.path());
    typist.expect("Tab completes");
    typist.expect("(qmp) ");
    // One candidate is filled in, several are listed.
    typist.enter("query-na\t\r");
    typist.expect("\"recorded\"");
    typist.expect("(qmp) ");
    typist.enter("query-stats target=\t\t");
    typist.expect("cryptodev");
    typist.expect("vcpu");
    typist.expect("target=");
    typist.enter("vm\r");
    typist.expect("\"pages\"");
    typist.expect("(qmp) ");
    // A request over several lines.
    typist.enter("{\"execute\":\r\"query-name\"}\r");
    typist.expect("return");
    typist.expect("(qmp) ");
    typist.enter(" query-version\r");
    typist.expect("major");
    typist.expect("(qmp) ");
    typist.enter("nosuch\r");
    typist.expect("has not been found");
    typist.expect("(qmp) ");
    typist.enter("half a li\u{3}");
    typist.expect("Ctrl-D leaves");
    typist.expect("(qmp) ");
    // The history.
    typist.enter("\u{1b}[A\r");
    typist.expect("has not been found");
    typist.expect("(qmp) ");
    typist.enter("\u{4}");
    assert!(typist.ends());
    let history = home.path().join("vmstats/qmp-history");
    let kept = std::fs::read_to_string(&history).unwrap();
    assert!(kept.contains("query-stats target=vm\n"), "{kept}");
    assert!(
        !kept.contains("query-version"),
        "it began with a blank: {kept}"
    );
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(&history).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let mut typist = Typist::start(
        &["shell", "--hmp", "--no-history", &server.socket],
        home.path(),
    );
    typist.expect("(qemu) ");
    typist.enter("info stats\tvm\r");
    typist.expect("    pages (instant): 7");
    typist.expect("(qemu) ");
    drop(server);
    typist.expect("The server closed the connection.");
    typist.enter("\u{4}");
    assert!(typist.ends());
    assert!(!home.path().join("vmstats/hmp-history").exists());
}

#[test]
fn lines_that_come_together_are_all_executed() {
    let folder = tempfile::tempdir().unwrap();
    let server = recording(folder.path());
    let mut typist = Typist::start(&["shell", "--no-history", &server.socket], folder.path());
    typist.expect("(qmp) ");
    typist.enter("query-name\rquery-version\rquery-uuid\r");
    for part in ["recorded", "major", "UUID"] {
        typist.expect(part);
    }
    typist.expect("(qmp) ");
    // A bracketed paste, whose second line is a request over two lines.
    typist.enter("\u{1b}[200~query-name\n{\"execute\":\n\"query-uuid\"}\n\u{1b}[201~");
    typist.enter("\r");
    for part in ["recorded", "UUID"] {
        typist.expect(part);
    }
    typist.expect("(qmp) ");
    typist.enter_bytes(b"x \xe9\r");
    typist.expect("a key is not UTF-8");
    typist.expect("(qmp) ");
    typist.enter("query-name\r");
    typist.expect("recorded");
    typist.expect("(qmp) ");
    typist.enter("\u{4}");
    assert!(typist.ends());
}

#[test]
fn script_needs_yes_when_a_line_changes_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    let server = recording(folder.path());
    for (options, line) in [
        (&[][..], "stop"),
        (&[], "{\"execute\": \"quit\"}"),
        (&[], "human-monitor-command command-line=system_reset"),
        (&["--hmp"], "q"),
    ] {
        let output = shell(&server.socket, options, &format!("{line}\n"));
        assert_eq!(output.status.code(), Some(1), "{line}");
        let error = stderr(&output);
        assert!(error.contains("and --yes was not given"), "{error}");
    }
    // The monitor only observes, and says so once the line is sent.
    let output = shell(&server.socket, &["--yes"], "stop\n");
    assert!(
        stderr(&output).contains("the server refuses"),
        "{}",
        stderr(&output)
    );
    server.interrupt();
}

#[test]
fn script_may_begin_with_a_byte_order_mark_and_have_bad_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let server = recording(folder.path());
    let run = |options: &[&str], script: &[u8]| {
        let path = folder.path().join("script");
        std::fs::write(&path, script).unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_vmstats"));
        command.args(["shell", &server.socket]).args(options);
        command.stdin(std::fs::File::open(&path).unwrap());
        command.output().unwrap()
    };
    let output = run(&[], b"\xef\xbb\xbfquery-name\n");
    assert!(output.status.success(), "{}", stderr(&output));
    let output = run(&["--keep-going"], b"x \xe9\nquery-name\n");
    assert_eq!(output.status.code(), Some(1));
    let error = stderr(&output);
    assert!(
        error.starts_with("vmstats: line 1: byte 3 of the line is not UTF-8\n"),
        "{error}"
    );
    assert!(stdout(&output).contains("recorded"));
}

#[test]
fn human_monitors_own_socket_is_spoken_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (ours, theirs) = (path("ours.sock"), path("theirs.sock"));
    let offer = format!("unix:{ours}");
    let _server = Server::recording(folder.path(), &["--hmp", &offer]);
    let monitor = format!("unix:{theirs},server=on,wait=off");
    let qemu = Qemu::start(folder.path(), &["-S", "-monitor", &monitor]);
    let sockets = [Some(&ours), qemu.as_ref().map(|_| &theirs)];
    for socket in sockets.into_iter().flatten() {
        let script = "info status\n\nnosuch\ninfo version\n";
        let output = shell(socket, &["--hmp"], script);
        assert!(output.status.success(), "{}", stderr(&output));
        let text = stdout(&output);
        let [status, unknown, _version] = text.lines().collect::<Vec<_>>()[..] else {
            panic!("not one line for each: {text}");
        };
        assert!(status.starts_with("VM status: paused"), "{text}");
        assert_eq!(unknown, "unknown command: 'nosuch'");

        let mut typist = Typist::start(&["shell", "--hmp", "--no-history", socket], folder.path());
        typist.expect("Tab completes");
        typist.expect("(qemu) ");
        typist.enter("info stat\t\t");
        typist.expect("status");
        typist.enter("\u{15}info status\r");
        typist.expect("VM status: paused");
        typist.expect("(qemu) ");
        typist.enter("\u{4}");
        assert!(typist.ends());
    }
    // Without --hmp, the error says what to write.
    let refused = shell(&ours, &[], "info status\n");
    assert!(
        stderr(&refused).contains("shell --hmp"),
        "{}",
        stderr(&refused)
    );
    if let Some(_qemu) = &qemu {
        let output = shell(&theirs, &["--hmp", "--yes"], "quit\n");
        assert!(output.status.success(), "{}", stderr(&output));
    }
}

#[test]
fn terminal_works_when_the_server_has_no_introspection() {
    let folder = tempfile::tempdir().unwrap();
    let socket = impostor(folder.path(), |stream| {
        let refusal = "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"The command \
                       query-qmp-schema has not been found\"}, \"id\": ID}\r\n";
        answer(
            &stream,
            &[
                NEGOTIATED,
                refusal,
                "{\"event\": \"RESET\"}\r\n{\"return\": 42, \"id\": ID}\r\n",
            ],
        );
    });
    let mut typist = Typist::start(&["shell", "--no-history", &socket], folder.path());
    typist.expect("Without completion: the server does not say what commands it has");
    typist.expect("(qmp) ");
    typist.enter("answer\r");
    typist.expect("RESET");
    typist.expect("42");
    // It is gone now.
    assert!(typist.ends_at_a_line());
}

#[test]
fn event_leaves_the_edited_line_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let socket = impostor(folder.path(), move |mut stream| {
        answer(&stream, &[NEGOTIATED, "{\"return\": [], \"id\": ID}\r\n"]);
        told.recv().unwrap();
        stream.write_all(b"{\"event\": \"RESET\"}\r\n").unwrap();
        told.recv().unwrap();
    });
    let mut typist = Typist::start(&["shell", "--no-history", &socket], folder.path());
    typist.expect("(qmp) ");
    typist.enter("half a");
    // Drawn key by key, or at once: its last letter comes in any case.
    typist.expect("a");
    thread::sleep(Duration::from_millis(200));
    tell.send(()).unwrap();
    typist.expect("RESET");
    typist.expect("(qmp) half a");
    typist.enter("\u{3}");
    typist.expect("Ctrl-D leaves");
    tell.send(()).unwrap();
    typist.expect("The server closed the connection.");
    typist.enter("\r");
    assert!(typist.ends());
}

#[test]
fn demo_offers_the_human_monitor_at_its_own_terminal() {
    if !program::kvm_opens() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let mut typist = Typist::start(&["demo", "--hmp", "-"], home.path());
    typist.expect("(qemu) ");
    typist.enter("info stats vcpu exits\r");
    typist.expect("exits (cumulative): ");
    typist.expect("(qemu) ");
    typist.enter("\u{4}");
    assert!(typist.ends());
    let refused = vmstats(&["demo", "--hmp", "-"], "");
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("needs a terminal"));
}

/// A human monitor's socket, from which one prompt after the other is read.
struct HumanSocket(UnixStream);

impl HumanSocket {
    fn connect(path: &Path) -> Self {
        let begin = Instant::now();
        loop {
            match UnixStream::connect(path) {
                Ok(stream) => {
                    let limit = Some(Duration::from_secs(10));
                    stream.set_read_timeout(limit).unwrap();
                    return Self(stream);
                }
                Err(error) => assert!(begin.elapsed() < Duration::from_secs(10), "{error}"),
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What comes until the next prompt, the prompt included.
    fn read(&mut self) -> String {
        let mut text = Vec::new();
        let mut byte = [0];
        while !text.ends_with(b"(qemu) ") {
            self.0.read_exact(&mut byte).unwrap();
            text.extend(byte);
        }
        String::from_utf8(text).unwrap()
    }

    fn ask(&mut self, line: &str) -> String {
        self.0.write_all(format!("{line}\n").as_bytes()).unwrap();
        self.read()
    }
}

#[test]
fn human_monitor_on_a_socket_answers_as_qemus_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (ours, theirs) = (path("ours.sock"), path("theirs.sock"));
    let offer = format!("unix:{}", ours.display());
    let monitor = format!("unix:{},server=on,wait=off", theirs.display());
    let Some(_server) = Server::demo(&["--hmp", &offer]) else {
        return;
    };
    let Some(_qemu) = Qemu::start(folder.path(), &["-monitor", &monitor]) else {
        return;
    };
    let mut ours = HumanSocket::connect(&ours);
    let mut theirs = HumanSocket::connect(&theirs);
    // The versions differ.
    let greeting = |text: String| {
        let words: Vec<&str> = text.splitn(3, ' ').collect();
        (words[0].to_owned(), words[2].to_owned())
    };
    assert_eq!(greeting(ours.read()), greeting(theirs.read()));
    for line in [
        "",
        "nosuch",
        "info nosuch",
        "info stats",
        "info stats xyz",
        "info stats vm * xyz",
        "info stats vm nosuch",
        "info stats vm remote_tlb_flush kvm more",
        "help info stats",
        "help nosuch",
    ] {
        // The line itself comes first, drawn again after each key.
        assert_eq!(ours.ask(line), theirs.ask(line), "{line}");
    }
    let exits = |socket: &mut HumanSocket| {
        let text = socket.ask("info stats vcpu exits");
        let at = text.find("provider: kvm").unwrap();
        text[at..].replace(char::is_numeric, "")
    };
    assert_eq!(exits(&mut ours), exits(&mut theirs));
}

#[test]
fn shell_talks_to_a_real_qemu() {
    let folder = tempfile::tempdir().unwrap();
    let Some(qemu) = Qemu::start(folder.path(), &[]) else {
        return;
    };
    for target in ["vm", "vcpu"] {
        let query = [
            "query",
            &qemu.socket,
            "--target",
            target,
            "--format",
            "json",
        ];
        let output = vmstats(&query, "");
        let results: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(results[0]["provider"], "kvm");
    }
    let output = shell(
        &qemu.socket,
        &["--yes"],
        "stop\nquery-status\nhelp query-stats\n\
         blockdev-add driver=null-co node-name=null0 size=4096 read-only=on\n",
    );
    let text = stdout(&output);
    assert!(text.contains("\"status\": \"paused\""), "{text}");
    assert!(text.contains("  target: "), "{text}");
    assert!(
        stderr(&output).contains("\"event\": \"STOP\""),
        "{}",
        stderr(&output)
    );
    assert!(
        stderr(&output).ends_with(
            "vmstats: line 4: the server refuses: Invalid parameter type for 'read-only', \
             expected: boolean\n"
        ),
        "{}",
        stderr(&output)
    );
    let output = shell(
        &qemu.socket,
        &["--hmp"],
        "info status\ninfo name\ncpu 1\ninfo cpus\n",
    );
    let text = stdout(&output);
    assert!(text.starts_with("VM status: paused\ntried\n"), "{text}");

    let mut typist = Typist::start(&["shell", "--no-history", &qemu.socket], folder.path());
    typist.expect("(qmp) ");
    typist.enter("cont\r");
    typist.expect("RESUME");
    typist.expect("(qmp) ");
    // The members of a branch that the tag chooses, and of an object in it.
    typist.enter("blockdev-add driver=null-co si\t");
    typist.expect("size=");
    typist.enter("1024 node-name=n\r");
    typist.expect("{}");
    typist.expect("(qmp) ");
    typist.enter("object-add qom-type=memory-backend-ram po\t");
    typist.expect("policy=");
    typist.enter("\u{15}quit\r");
    typist.expect("'quit' ends the virtual machine. Really? (y/n)");
    typist.expect("(qmp) ");
    typist.enter("n\r");
    typist.expect("Not done.");
    typist.enter("quit\r");
    typist.expect("Really?");
    typist.expect("(qmp) ");
    typist.enter("y\r");
    typist.expect("SHUTDOWN");
    assert!(typist.ends());
}

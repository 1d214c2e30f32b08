//! The human monitor on a byte stream: whatever way its bytes are cut.

#![cfg(feature = "hmp")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::sync::Arc;

use proptest::prelude::*;
use qapi_stats::stats::{StatsProvider, StatsSchemaValue, StatsTarget, StatsType};
use stats_runtime::hmp::{LINE_BYTES_MAX, LineMonitor};
use stats_runtime::host::{Host, Vcpu};
use stats_runtime::{Monitor, NoHost, Registry};

struct TwoVcpus;

impl Host for TwoVcpus {
    fn vcpus(&self) -> Option<Vec<Vcpu>> {
        let vcpu = |index| Vcpu::new(index, format!("/vcpu/{index}"));
        Some((0..2).map(vcpu).collect())
    }
}

fn monitor() -> Monitor {
    let registry = Registry::new();
    let exits = StatsSchemaValue::new("exits", StatsType::Cumulative);
    registry
        .add_stats_callbacks(
            StatsProvider::Kvm,
            |query, sink| {
                if *query.target() == StatsTarget::Vcpu {
                    for index in [1, 0] {
                        sink.result(Some(&format!("/vcpu/{index}")));
                        sink.scalar("exits", 40 + index);
                    }
                }
                Ok(())
            },
            move |sink| {
                sink.schema(StatsTarget::Vcpu);
                sink.stat(&exits);
                Ok(())
            },
        )
        .unwrap();
    Monitor::new(registry, Arc::new(TwoVcpus))
}

/// What a client sees that sends these pieces, then ends its input.
fn conversation<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
    let monitor = monitor();
    let mut lines = LineMonitor::new(&monitor.host().version());
    let mut seen = Vec::new();
    let drain = |lines: &mut LineMonitor, seen: &mut Vec<u8>| {
        seen.extend(lines.output());
        lines.sent(lines.output().len());
    };
    drain(&mut lines, &mut seen);
    for mut piece in pieces {
        while !piece.is_empty() {
            let count = lines.receive(piece);
            piece = &piece[count..];
            lines.run(&monitor);
            // No more input is taken before the output is gone.
            assert!(lines.output().is_empty() || lines.receive(b"x") == 0);
            drain(&mut lines, &mut seen);
        }
    }
    lines.end_of_input();
    assert!(lines.is_over());
    // A line that is being typed may end within a character.
    String::from_utf8_lossy(&seen).into_owned()
}

const GREETING: &str = "QEMU 10.2.0 monitor - type 'help' for more information\r\n(qemu) ";

/// Returns a conversation without the greeting and the echo of each line.
fn answers(conversation: &str) -> String {
    let mut rest = conversation.strip_prefix(GREETING).unwrap();
    let mut answers = String::new();
    while let Some((_echo, text)) = rest.split_once("\r\n") {
        let (answer, more) = text.split_once("(qemu) ").unwrap();
        answers.push_str(&format!("{answer}(qemu) "));
        rest = more;
    }
    answers
}

fn check(input: &str, expected: &str) {
    let conversation = conversation([input.as_bytes()]);
    assert_eq!(answers(&conversation), expected, "{input:?}");
}

const EXITS: &str = "provider: kvm\r\n    exits (cumulative): 40\r\n(qemu) ";

#[test]
fn line_monitor_answers_each_line_and_prompts() {
    check("", "");
    check("info stats vcpu", "");
    check("\n \n", "(qemu) (qemu) ");
    check("info stats vcpu\n", EXITS);
    check("info stats vcpu\r\n", &format!("{EXITS}(qemu) "));
    check("info stats vcpu\r", EXITS);
    check(
        "nosuch\ninfo stats vcpu\n",
        &format!("unknown command: 'nosuch'\r\n(qemu) {EXITS}"),
    );
}

#[test]
fn line_monitor_handles_keys_when_a_line_is_edited() {
    check("info stats vmä\u{7f}\u{8}cpu\n", EXITS);
    check(
        "info\tstats\u{1b}[A\u{1b}[1;5C\u{1b}OB\u{1b}x vcpu\u{7}\n",
        EXITS,
    );
    check("\u{8}\u{8}info stats vcpu\u{1b}\n", EXITS);
    check("info stats vcpu\u{1b}[\n", EXITS);
}

#[test]
fn line_monitor_draws_the_line_again_after_each_key() {
    let text = conversation([&b"ab\x7fc\x07"[..], b"\n"]);
    let echo = "a\x1b[K\x1b[Dab\x1b[K\x1b[D\x1b[Da\x1b[K\x1b[Dac\x1b[K\r\n";
    let expected = format!("{GREETING}{echo}unknown command: 'ac'\r\n(qemu) ");
    assert_eq!(text, expected);
}

#[test]
fn line_monitor_buffers_little_echo_when_a_line_is_long() {
    let monitor = monitor();
    let mut lines = LineMonitor::new(&monitor.host().version());
    let line = vec![b'x'; LINE_BYTES_MAX];
    let mut rest = line.as_slice();
    let mut largest = 0;
    while !rest.is_empty() {
        lines.sent(lines.output().len());
        rest = &rest[lines.receive(rest)..];
        largest = largest.max(lines.output().len());
    }
    assert!(largest < 128 << 10, "{largest} bytes");
}

#[test]
fn line_monitor_refuses_a_line_when_it_is_too_long() {
    let blank = " ".repeat(LINE_BYTES_MAX - "info stats vcpu".len());
    check(&format!("info stats vcpu{blank}\n"), EXITS);
    let too_long = format!("info stats vcpu {blank}{}", "x".repeat(100_000));
    let refused = "the line is longer than 4095 bytes\r\n(qemu) ";
    check(
        &format!("{too_long}\ninfo stats vcpu\n"),
        &format!("{refused}{EXITS}"),
    );
}

proptest! {
    #[test]
    fn line_monitor_answers_alike_however_the_input_is_split(cuts in prop::collection::vec(0_usize..60, 0..12)) {
        let input = b"nosuch\r\ninfo st\x1b[1;5Cats vm\x08cpu\r\n\n\xff\xc3\x7f\xe2\x82info stats vcpu\n";
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(input.len())).collect();
        cuts.extend([0, input.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|cut| &input[cut[0]..cut[1]]);
        prop_assert_eq!(conversation(pieces), conversation([input.as_slice()]));
    }
}

#[cfg(feature = "server")]
fn serve(path: &std::path::Path, monitor: Monitor) -> stats_runtime::server::Server {
    use stats_runtime::server::{Listener, Options, Server};

    let listener = Listener::unix(path).unwrap().human_monitor();
    Server::start(monitor, [listener], Options::new()).unwrap()
}

#[cfg(feature = "server")]
#[test]
fn server_of_the_human_monitor_serves_several_clients_at_once() {
    use std::io::{Read, Write};
    use std::net::Shutdown;
    use std::os::unix::net::UnixStream;
    use std::time::{Duration, Instant};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hmp.sock");
    let server = serve(&path, monitor());
    let mut first = UnixStream::connect(&path).unwrap();
    let mut greeting = vec![0; GREETING.len()];
    first.read_exact(&mut greeting).unwrap();
    // Who says nothing keeps nobody waiting.
    let mut second = UnixStream::connect(&path).unwrap();
    second.read_exact(&mut greeting).unwrap();
    for client in [&mut first, &mut second] {
        client.write_all(b"info stats vcpu\n\n").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
    }
    let mut text = String::new();
    first.read_to_string(&mut text).unwrap();
    assert_eq!(
        answers(&format!("{GREETING}{text}")),
        format!("{EXITS}(qemu) ")
    );
    text.clear();
    second.read_to_string(&mut text).unwrap();
    assert_eq!(
        answers(&format!("{GREETING}{text}")),
        format!("{EXITS}(qemu) ")
    );

    // Those that say nothing are so many and no more, and do not keep it from
    // stopping.
    let begin = Instant::now();
    let mut silent = Vec::new();
    while silent.len() < 16 && begin.elapsed() < Duration::from_secs(10) {
        // The two of before may not be gone yet.
        let mut client = UnixStream::connect(&path).unwrap();
        if client.read_exact(&mut greeting).is_ok() {
            silent.push(client);
        }
    }
    assert_eq!(silent.len(), 16);
    let mut further = UnixStream::connect(&path).unwrap();
    assert_eq!(further.read(&mut greeting).unwrap(), 0);
    drop(server);
    assert!(!path.exists());
    // A socket that has taken its place since is not its own.
    let replaced = serve(&path, monitor());
    std::fs::remove_file(&path).unwrap();
    let _other = stats_runtime::server::bind_private(&path).unwrap();
    drop(replaced);
    assert!(path.exists());
    for mut client in silent {
        assert_eq!(client.read(&mut greeting).unwrap(), 0);
    }
}

/// The thread of the client that asked is left behind, and ends with the call.
#[cfg(feature = "server")]
#[test]
fn server_of_the_human_monitor_stops_in_time_when_a_provider_hangs() {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::sync::{Mutex, mpsc};
    use std::time::{Duration, Instant};

    let (asked, was_asked) = mpsc::channel();
    let (let_go, go) = mpsc::channel::<()>();
    let go = Mutex::new(go);
    let registry = Registry::new();
    registry
        .add_stats_callbacks(
            StatsProvider::Kvm,
            move |_, _| {
                asked.send(()).unwrap();
                // Should the server wait after all, the test fails and ends.
                let _ = go.lock().unwrap().recv_timeout(Duration::from_secs(15));
                Ok(())
            },
            |_| Ok(()),
        )
        .unwrap();
    let host = Arc::new(NoHost);
    let kept = Arc::downgrade(&host);
    let monitor = Monitor::new(registry, host);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hmp.sock");
    let mut server = serve(&path, monitor);
    let mut client = UnixStream::connect(&path).unwrap();
    client.write_all(b"info stats vm\n").unwrap();
    was_asked.recv().unwrap();
    let begin = Instant::now();
    server.stop();
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert!(!path.exists());
    assert!(UnixStream::connect(&path).is_err());
    client.read_to_end(&mut Vec::new()).unwrap();
    drop(server);
    let_go.send(()).unwrap();
    while kept.strong_count() > 0 {
        assert!(begin.elapsed() < Duration::from_secs(10), "a thread stays");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A host's panic costs a line.
#[test]
fn line_monitor_answers_with_an_error_when_a_command_panics() {
    struct Panicking;

    impl Host for Panicking {
        fn uuid(&self) -> Option<String> {
            panic!("on purpose")
        }
    }

    let monitor = Monitor::new(Registry::default(), Arc::new(Panicking));
    let mut lines = LineMonitor::new(&NoHost.version());
    for (line, expected) in [
        ("info uuid\n", "Error: The command panicked\r\n(qemu) "),
        ("info status\n", "VM status: running\r\n(qemu) "),
    ] {
        lines.sent(lines.output().len());
        assert_eq!(lines.receive(line.as_bytes()), line.len());
        lines.run(&monitor);
        let text = str::from_utf8(lines.output()).unwrap();
        let (_echo, answer) = text.split_once("\r\n").unwrap();
        assert_eq!(answer, expected);
    }
}

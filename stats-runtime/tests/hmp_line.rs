//! The human monitor on a byte stream: whatever way its bytes are cut.

#![cfg(feature = "hmp")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::sync::Arc;

use proptest::prelude::*;
use qapi::stats::{StatsProvider, StatsSchemaValue, StatsTarget, StatsType};
use stats_runtime::hmp::{LINE_BYTES_MAX, LineMonitor};
use stats_runtime::host::{Host, Vcpu};
use stats_runtime::{Monitor, Registry};

struct TwoVcpus;

impl Host for TwoVcpus {
    fn vcpus(&self) -> Vec<Vcpu> {
        let vcpu = |index| Vcpu::new(index, format!("/vcpu/{index}"));
        (0..2).map(vcpu).collect()
    }
}

fn monitor() -> Monitor {
    let registry = Registry::new();
    let exits = StatsSchemaValue {
        name: "exits".to_owned(),
        type_: StatsType::Cumulative,
        unit: None,
        base: None,
        exponent: 0,
        bucket_size: None,
    };
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
    Monitor::new(Arc::new(registry), Arc::new(TwoVcpus))
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
            // Nothing is taken before the answer is gone.
            assert!(lines.output().is_empty() || lines.receive(b"x") == 0);
            drain(&mut lines, &mut seen);
        }
    }
    lines.end_of_input();
    assert!(lines.is_over());
    String::from_utf8(seen).unwrap()
}

const GREETING: &str = "QEMU 10.2.0 monitor - type 'help' for more information\r\n(qemu) ";

fn check(input: &str, expected: &str) {
    let expected = format!("{GREETING}{expected}");
    assert_eq!(conversation([input.as_bytes()]), expected, "{input:?}");
}

const EXITS: &str = "provider: kvm\r\n    exits (cumulative): 40\r\n(qemu) ";

#[test]
fn lines_and_prompts() {
    check("", "");
    check("info stats vcpu", "");
    check("\n \n", "(qemu) (qemu) ");
    check("info stats vcpu\n", EXITS);
    check("info stats vcpu\r\n", EXITS);
    check("info stats vcpu\r", EXITS);
    check(
        "nosuch\ninfo stats vcpu\n",
        &format!("unknown command: 'nosuch'\r\n(qemu) {EXITS}"),
    );
}

#[test]
fn keys() {
    check("info stats vmä\u{7f}\u{8}cpu\n", EXITS);
    check("nosuch\u{15}info stats vcpu\n", EXITS);
    check(
        "info\tstats\u{1b}[A\u{1b}[1;5C\u{1b}OB\u{1b}x vcpu\u{7}\n",
        EXITS,
    );
    check("\u{8}\u{8}info stats vcpu\u{1b}\n", EXITS);
    check("info stats vcpu\u{1b}[\n", EXITS);
}

#[test]
fn a_line_has_an_end() {
    let blank = " ".repeat(LINE_BYTES_MAX - "info stats vcpu".len());
    check(&format!("info stats vcpu{blank}\n"), EXITS);
    let too_long = format!("info stats vcpu {blank}{}", "x".repeat(100_000));
    let refused = "the line is longer than 4095 bytes\r\n(qemu) ";
    check(
        &format!("{too_long}\ninfo stats vcpu\n"),
        &format!("{refused}{EXITS}"),
    );
    check(&format!("{too_long}\u{15}info stats vcpu\n"), EXITS);
}

proptest! {
    #[test]
    fn cuts_do_not_matter(cuts in prop::collection::vec(0_usize..60, 0..12)) {
        let input = b"nosuch\r\ninfo st\x1b[1;5Cats vm\x08cpu\r\n\n\xff\xc3\x7f\xe2\x82info stats vcpu\n";
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(input.len())).collect();
        cuts.extend([0, input.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|cut| &input[cut[0]..cut[1]]);
        prop_assert_eq!(conversation(pieces), conversation([input.as_slice()]));
    }
}

#[cfg(feature = "server")]
#[test]
fn on_a_socket_one_after_the_other() {
    use std::io::{Read, Write};
    use std::net::Shutdown;
    use std::os::unix::net::UnixStream;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hmp.sock");
    let server = stats_runtime::hmp::LineServer::start(&path, monitor()).unwrap();
    let mut first = UnixStream::connect(&path).unwrap();
    let mut greeting = vec![0; GREETING.len()];
    first.read_exact(&mut greeting).unwrap();
    let mut second = UnixStream::connect(&path).unwrap();
    for client in [&mut first, &mut second] {
        client.write_all(b"info stats vcpu\n\n").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
    }
    let mut text = String::new();
    first.read_to_string(&mut text).unwrap();
    assert_eq!(text, format!("{EXITS}(qemu) "));
    text.clear();
    second.read_to_string(&mut text).unwrap();
    assert_eq!(text, format!("{GREETING}{EXITS}(qemu) "));

    // One that says nothing, and one that waits, do not keep it from stopping.
    let mut silent = UnixStream::connect(&path).unwrap();
    silent.read_exact(&mut greeting).unwrap();
    let mut waiting = UnixStream::connect(&path).unwrap();
    drop(server);
    assert!(!path.exists());
    text.clear();
    silent.read_to_string(&mut text).unwrap();
    // The kernel resets who was never accepted, or ends the connection.
    let _ = waiting.read_to_string(&mut text);
    assert_eq!(text, "");
}

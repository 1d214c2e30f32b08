//! The vectors of `docs/handover.md`: what is sent, and what is refused.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod pair;

use std::path::Path;

use pair::{next, pair, sealed};
use proptest::prelude::*;
use stats_handover::receive::{Message, ParseFault, Statement};
use stats_handover::{Handover, PACKET_FILES_MAX, PACKET_SIZE_MAX, VERSION};

/// Returns the section of the document that has the vectors, or `None` in a package
/// of the registry, which has no documents.
fn section() -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let document = std::fs::read_to_string(root.join("docs/handover.md"));
    let Ok(document) = document else {
        skip::because("docs/handover.md is not there");
        return None;
    };
    Some(
        document
            .split_once("## Test vectors\n")
            .unwrap()
            .1
            .to_owned(),
    )
}

/// Returns the first block after a text.
fn block<'a>(section: &'a str, title: &str) -> &'a str {
    let after = section.split_once(title).unwrap().1;
    let block = after.split_once("```text\n").unwrap().1;
    block.split_once("```\n").unwrap().0
}

#[test]
fn packets_are_those_of_the_document() {
    let Some(section) = section() else { return };
    let (theirs, ours) = pair();
    let mut handover = Handover::new("web 1").unwrap();
    handover
        .set_uuid("4f9f0a2e-9b5c-4b7e-8a55-0d6f3f6f2f11")
        .unwrap();
    let disk = "/machine/disk 0";
    handover.add_object("block", disk, sealed(4)).unwrap();
    for index in 0..2 {
        let path = format!("/machine/cpu[{index}]");
        handover.add_vcpu_fd(index, &path, sealed(2)).unwrap();
    }
    handover.set_vm_fd(sealed(1)).unwrap();
    handover.give(theirs).unwrap();
    handover
        .add_vcpu_fd(2, "/machine/cpu[2]", sealed(3))
        .unwrap();
    handover.remove_vcpu(1).unwrap();
    handover.remove_object("block", disk).unwrap();
    handover.remove_vm().unwrap();
    for (number, files) in (1..).zip([4, 1, 0, 0, 0]) {
        let packet = next(&ours);
        let title = format!("Packet {number}, with {files} file");
        let text = str::from_utf8(&packet.text).unwrap();
        assert_eq!(text, block(&section, &title));
        assert_eq!(packet.files.len(), files);
        Message::parse(&packet.text, files).unwrap();
        if number == 1 {
            let digits: String = packet
                .text
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            let hexadecimal = block(&section, "in hexadecimal:").replace('\n', "");
            assert_eq!(digits, hexadecimal);
        }
    }
}

/// Returns the bytes of a text with escapes as in C.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next().unwrap() {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'x' => {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                other => panic!("{other}"),
            },
            other => other,
        });
    }
    bytes
}

#[test]
fn packets_of_the_document_are_refused_by_line_and_reason() {
    let Some(section) = section() else { return };
    let rows: Vec<Vec<&str>> = section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches(['|', ' ']).split(" | ").collect())
        .collect();
    assert!(rows.len() > 40, "{}", rows.len());
    for row in rows {
        let [text, files, line, reason] = row[..] else {
            panic!("{row:?}")
        };
        let bytes = unescaped(text.trim_matches('`'));
        let error = Message::parse(&bytes, files.parse().unwrap()).unwrap_err();
        assert_eq!(error.line.to_string(), line, "{text}: {error}");
        let message = error.to_string();
        assert!(message.contains(reason), "{text}: {message}");
    }
}

#[test]
fn packet_is_refused_when_it_exceeds_a_limit() {
    let long = |size| format!("{VERSION}\nname {}\n", "x".repeat(size));
    assert!(Message::parse(long(255).as_bytes(), 0).is_ok());
    assert!(Message::parse(long(256).as_bytes(), 0).is_err());

    let removal = "remove vm\n".repeat((PACKET_SIZE_MAX - VERSION.len() - 1) / 10);
    let text = format!("{VERSION}\n{removal}");
    let count = Message::parse(text.as_bytes(), 0).unwrap().statements.len();
    assert_eq!(count, 6551);
    let error = Message::parse(&vec![b'x'; PACKET_SIZE_MAX + 1], 0).unwrap_err();
    assert!(matches!(error.fault, ParseFault::TooLong { .. }), "{error}");
    let error = Message::parse(text.as_bytes(), PACKET_FILES_MAX + 1).unwrap_err();
    assert!(
        matches!(error.fault, ParseFault::TooManyFiles { .. }),
        "{error}"
    );
    // A peer cannot make an error long.
    let error = Message::parse("é".repeat(30_000).as_bytes(), 0).unwrap_err();
    assert!(error.to_string().len() < 300, "{error}");
    let text = format!("{VERSION}\n{}\n", "\u{feff}".repeat(20_000));
    let error = Message::parse(text.as_bytes(), 0).unwrap_err();
    assert!(error.to_string().len() < 800, "{error}");
}

#[test]
fn process_is_taken_with_its_pidfd() {
    let text = "stats-handover/1\nname a\nprocess\nvm\nmore\n";
    let message = Message::parse(text.as_bytes(), 2).unwrap();
    assert!(!message.is_complete);
    assert_eq!(
        message.statements[1..],
        [Statement::Process { file: 0 }, Statement::Vm { file: 1 }]
    );
}

/// Returns the index of the statement's file.
fn file(statement: &Statement<'_>) -> Option<usize> {
    match statement {
        Statement::Process { file }
        | Statement::Vm { file }
        | Statement::Vcpu { file, .. }
        | Statement::Object { file, .. } => Some(*file),
        _ => None,
    }
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        "(name|uuid|vcpu|object|remove|remove vcpu|remove object|more|vm|process) ?[ -~]{0,20}",
        "vcpu [0-9]{1,4} /[a-c ]{0,5}",
        "object [a-z]{1,6} /[a-c ]{0,5}",
        Just("vm".to_owned()),
        Just("process".to_owned()),
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_parsed_or_refused(text in any::<Vec<u8>>(), files in 0_usize..300) {
        let _ = Message::parse(&text, files);
    }

    #[test]
    fn every_file_has_one_statement_when_lines_are_parsed(
        lines in prop::collection::vec(line(), 0..8),
        files in 0_usize..8,
    ) {
        let text = format!("{VERSION}\n{}", lines.iter().map(|line| format!("{line}\n")).collect::<String>());
        match Message::parse(text.as_bytes(), files) {
            Ok(message) => {
                let taken: Vec<_> = message.statements.iter().filter_map(file).collect();
                prop_assert_eq!(taken, (0..files).collect::<Vec<_>>());
            }
            Err(error) => prop_assert!((1..=lines.len() + 1).contains(&error.line)),
        }
    }
}

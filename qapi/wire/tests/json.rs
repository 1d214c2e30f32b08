//! JSON as QEMU reads and writes it: each row a fact of its lexer, its parser
//! or its writer.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use proptest::prelude::*;
use qapi_wire::json::{Limits, MessageReader, NESTING_MAX, Scan, Scanner, parse};
use qapi_wire::{Dict, Document, Value, Writer, to_json};

/// Feeds `pieces` to a scanner as a session does, and writes down what comes
/// out: each message as JSON, each error as `! text`.
fn read(pieces: &[&[u8]]) -> Vec<String> {
    read_limited(pieces, Limits::default())
}

fn read_limited(pieces: &[&[u8]], limits: Limits) -> Vec<String> {
    let mut scanner = Scanner::new(limits);
    let mut bytes = Vec::new();
    let mut found = Vec::new();
    for piece in pieces {
        bytes.extend_from_slice(piece);
        loop {
            let end = match scanner.scan(&bytes) {
                Scan::Incomplete => break,
                Scan::Invalid { end, error } => {
                    found.push(format!("! {error}"));
                    end
                }
                Scan::Message { start, end, .. } => {
                    found.push(match parse(&bytes[start..end]) {
                        Ok(value) => to_json(&value),
                        Err(error) => format!("! {error}"),
                    });
                    end
                }
            };
            bytes.drain(..end);
            scanner.discard(end);
        }
        let needed_from = scanner.needed_from();
        bytes.drain(..needed_from);
        scanner.discard(needed_from);
    }
    found
}

fn check(input: &[u8], expected: &[&str]) {
    let whole = read(&[input]);
    assert_eq!(whole, expected, "input: {}", input.escape_ascii());
    let bytes: Vec<&[u8]> = input.chunks(1).collect();
    assert_eq!(read(&bytes), expected, "by bytes: {}", input.escape_ascii());
}

#[test]
fn messages_end_at_their_last_byte() {
    check(b"{}", &["{}"]);
    check(b"{}{}", &["{}", "{}"]);
    check(b" \r\n\t {'a':[1,2]} [ ]\n", &[r#"{"a": [1, 2]}"#, "[]"]);
    check(b"\"x\"", &["\"x\""]);
    check(b"1 true null\n", &["1", "true", "null"]);
    check(b"{\"execute\": \"quit\"", &[]);
}

#[test]
fn numbers_have_three_ranges() {
    check(
        b"[-9223372036854775808, 9223372036854775807]",
        &["[-9223372036854775808, 9223372036854775807]"],
    );
    check(
        b"[18446744073709551615, 18446744073709551616]",
        &["[18446744073709551615, 1.8446744073709552e+19]"],
    );
    check(
        b"[1.5, 0.1, -0.0, 1e3, 1e-7, 12345678901234567890e9, -0]",
        &[
            "[1.5, 0.10000000000000001, -0, 1000, 9.9999999999999995e-08, \
         1.2345678901234568e+28, 0]",
        ],
    );
    check(b"[1e999]", &["[1e999]"]);
}

#[test]
fn strings_have_qemus_escapes_and_utf8() {
    check(
        br#"['it\'s', "\"\\\/\b\f\n\r\t"]"#,
        &[r#"["it's", "\"\\/\b\f\n\r\t"]"#],
    );
    check(
        r#"["é", "\ud83d\ude00", "😀"]"#.as_bytes(),
        &[r#"["\u00E9", "\uD83D\uDE00", "\uD83D\uDE00"]"#],
    );
    check(b"[\"\x7f\", \"\xc0\x80\"]", &[r#"["\u007F", "\u0000"]"#]);
    check(
        br#"["\ud800"]"#,
        &["! JSON parse error, \\ud800 is not a valid Unicode character"],
    );
    check(
        br#"["\uffff"]"#,
        &["! JSON parse error, \\uffff is not a valid Unicode character"],
    );
    check(
        br#"["\q"]"#,
        &["! JSON parse error, invalid escape sequence in string"],
    );
    for invalid in [
        &b"\x80"[..],
        b"\xc1\x81",
        b"\xed\xa0\x80",
        b"\xef\xbf\xbf",
        b"\xf5",
    ] {
        let input = [b"[\"", invalid, b"\"]"].concat();
        check(
            &input,
            &["! JSON parse error, invalid UTF-8 sequence in string"],
        );
    }
}

#[test]
fn syntax_errors_have_qemus_words() {
    check(
        b"{'a' 1}",
        &["! JSON parse error, missing : in object pair"],
    );
    check(
        b"{1: 1}",
        &["! JSON parse error, key is not a string in object"],
    );
    check(
        b"{'a': 1 'b': 2}",
        &["! JSON parse error, expected separator in dict"],
    );
    check(
        b"[1 2]",
        &["! JSON parse error, expected separator in list"],
    );
    check(b"[1,]", &["! JSON parse error, expecting value"]);
    check(
        b"{'a': {'b': 1, 'b': 2}}",
        &["! JSON parse error, duplicate key"],
    );
    check(b"[nil]", &["! JSON parse error, invalid keyword 'nil'"]);
    check(b"]{}", &["! JSON parse error, expecting value", "{}"]);
}

#[test]
fn scanner_recovers_when_a_token_is_invalid() {
    check(b"\x1b{}", &["! JSON parse error, stray '\x1b'", "{}"]);
    check(
        b"{'a': \xff{}",
        &["! JSON parse error, stray '\u{fffd}'", "{}"],
    );
    check(b"{'a\x1b {}", &["! JSON parse error, stray ''a\x1b'", "{}"]);
    check(b"# comment\n{}", &["! JSON parse error, stray '#'", "{}"]);
    check(b"01\n{}", &["! JSON parse error, stray '01'", "{}"]);
    check(b"+1\n{}", &["! JSON parse error, stray '+'", "{}"]);
    check(b"True\n{}", &["! JSON parse error, stray 'T'", "{}"]);
}

#[test]
fn messages_are_refused_when_they_exceed_a_limit() {
    let nested = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
    assert_eq!(read(&[&nested(NESTING_MAX)]).len(), 1);
    let too_deep = read(&[&nested(NESTING_MAX + 1)]);
    assert_eq!(too_deep[0], "! JSON nesting depth limit exceeded");
    let limits = Limits::default()
        .with_message_bytes_max(100)
        .with_tokens_max(10)
        .with_nesting_max(5);
    let long = [b"['", &[b'x'; 200][..], b"'] {}"].concat();
    assert_eq!(
        read_limited(&[&long], limits),
        [
            "! JSON token size limit exceeded",
            "! JSON parse error, expecting value",
            "{}"
        ]
    );
    assert_eq!(read_limited(&[&[b' '; 1000]], limits), [""; 0]);
    let many = read_limited(&[b"[1,1,1,1,1,1]"], limits);
    assert_eq!(many[0], "! JSON token count limit exceeded");
}

#[test]
fn message_is_parsed_and_written_on_a_small_stack_when_it_nests_as_deep_as_it_may() {
    let depth = NESTING_MAX / 2;
    let text = format!("{}1{}", "{\"a\": [".repeat(depth), "]}".repeat(depth));
    let work = move || {
        let document = Document::parse(text.as_bytes()).unwrap();
        assert_eq!(to_json(&document.root()), text);
    };
    // Three quarters of what a thread of Rust has by default.
    let thread = std::thread::Builder::new().stack_size(3 << 19);
    thread.spawn(work).unwrap().join().unwrap();
}

#[test]
fn parse_takes_exactly_one_value() {
    assert_eq!(parse(b" 1 "), Ok(Value::Int(1)));
    assert!(parse(b"").is_err());
    assert!(parse(b"{").is_err());
    assert!(parse(b"1 2").is_err());
    // Two tokens, as QEMU has it, though they look like one number.
    for text in ["[0e5]", "[1-2]"] {
        let error = parse(text.as_bytes()).unwrap_err();
        assert_eq!(
            error.desc(),
            "JSON parse error, expected separator in list",
            "{text}"
        );
    }
    assert!(parse(&vec![b'['; 100_000]).is_err());
}

#[test]
fn big_objects_take_linear_time() {
    let names: Vec<String> = (0..100_000).map(|n| format!("\"k{n}\": {n}")).collect();
    let Ok(Value::Object(dict)) = parse(format!("{{{}}}", names.join(",")).as_bytes()) else {
        panic!("an object")
    };
    assert_eq!(dict.len(), 100_000);
}

#[test]
fn object_is_refused_when_a_name_comes_twice_however_many_members_it_has() {
    for count in [1, 15, 16, 17, 18, 40] {
        let members: Vec<String> = (0..count).map(|n| format!("\"k{n}\": {{}}")).collect();
        for twice in 0..count {
            let text = format!("{{{}, \"k{twice}\": 1}}", members.join(", "));
            let error = parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.desc(), "JSON parse error, duplicate key", "{text}");
        }
        assert!(parse(format!("{{{}}}", members.join(", ")).as_bytes()).is_ok());
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let string = "(\\PC|[\\x00-\\x7f]){0,8}".prop_filter("QEMU refuses noncharacters", |s| {
        s.chars()
            .all(|c| !(0xFDD0..=0xFDEF).contains(&u32::from(c)) && u32::from(c) & 0xFFFE != 0xFFFE)
    });
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<u64>().prop_map(Value::from),
        (-1e300..1e300).prop_map(|x: f64| Value::Double(x + 0.1)),
        string.clone().prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::btree_map(string.clone(), inner, 0..20)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Dict>())),
        ]
    })
}

/// Doubles that are whole numbers come back as integers: JSON has no other.
fn as_read(value: &Value) -> Value {
    match value {
        Value::Double(_) => parse(to_json(value).as_bytes()).unwrap(),
        Value::Array(elements) => Value::Array(elements.iter().map(as_read).collect()),
        Value::Object(dict) => Value::Object(
            dict.iter()
                .map(|(name, value)| (name.to_owned(), as_read(value)))
                .collect(),
        ),
        _ => value.clone(),
    }
}

const PIECES: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"'",
    b"\\",
    b"\x1b",
    b"\xff",
    b"-1.5e3",
    b"0",
    b"true",
    b" ",
    b"\n",
    b"{'a': 1}",
    b"#",
];

proptest! {
    #[test]
    fn values_read_back_as_they_were_written(value in any_value()) {
        let text = to_json(&value);
        prop_assert!(text.is_ascii());
        prop_assert_eq!(parse(text.as_bytes()).unwrap(), as_read(&value));
        let document = Document::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(&to_json(&document.root()), &text);
        prop_assert_eq!(&to_json(&Document::try_from(&value).unwrap().root()), &text);
        let other: serde_json::Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(parse(other.to_string().as_bytes()).is_ok(), true);
    }

    #[test]
    fn messages_are_the_same_wherever_the_stream_is_cut(
        input in prop::collection::vec(prop::sample::select(PIECES), 0..40),
        cut in 1usize..7,
    ) {
        let input = input.concat();
        let pieces: Vec<&[u8]> = input.chunks(cut).collect();
        prop_assert_eq!(read(&pieces), read(&[&input]));
    }

    /// A whole text is parsed without the scanner, if it is right; then it has
    /// to be right to the scanner too.
    #[test]
    fn the_scanner_refuses_nothing_that_is_parsed(
        input in prop::collection::vec(prop::sample::select(PIECES), 0..12),
    ) {
        let text = [&input.concat()[..], b" "].concat();
        if let Ok(value) = parse(&text) {
            prop_assert_eq!(read(&[&text]), [to_json(&value)]);
        }
    }
}

#[test]
fn reader_gives_memory_back_when_a_long_message_is_handed_out() {
    const KEPT: usize = 8 << 10;
    let long = format!("[\"{}\"]\r\n", "x".repeat(4 << 20));
    let mut reader = MessageReader::new(Limits::default());
    for rest in ["", "[1"] {
        reader.receive(long.as_bytes());
        reader.receive(rest.as_bytes());
        assert!(reader.held_bytes() >= long.len());
        assert!(reader.next_message().unwrap().is_ok());
        assert!(reader.held_bytes() <= KEPT, "{}", reader.held_bytes());
        assert!(reader.next_message().is_none());
        reader.receive(&b"[1]"[rest.len()..]);
        let message = reader.next_message().unwrap().unwrap();
        assert_eq!(to_json(&message.root()), "[1]");
    }
}

#[test]
fn reader_keeps_no_blanks_between_messages() {
    let mut reader = MessageReader::new(Limits::default());
    reader.receive(&vec![b' '; 4 << 20]);
    assert!(reader.next_message().is_none());
    assert_eq!(reader.pending_bytes(), 0);
    assert!(reader.held_bytes() <= 8 << 10, "{}", reader.held_bytes());
}

#[test]
fn writer_stops_at_its_limit_whatever_is_written() {
    type Write = fn(&mut Writer<'_>);
    let all: [Write; 5] = [
        |out| {
            out.integer(u64::MAX);
            out.raw(b", ");
        },
        |out| out.double(0.1),
        |out| out.string("text"),
        |out| out.boolean(true),
        |out| out.raw(b"[]"),
    ];
    for write in all {
        let mut text = Vec::new();
        let mut out = Writer::limited(&mut text, 64);
        for _ in 0..1000 {
            write(&mut out);
        }
        assert!(out.overflowed());
        assert!((64..128).contains(&text.len()), "{}", text.len());
    }
}

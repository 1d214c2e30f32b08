//! What a server sends, as a client reads it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use qapi_wire::message::{Message, Messages, Timestamp};
use qapi_wire::{ErrorClass, Value, to_json};

/// All messages of a stream as text, read in pieces of `size` bytes.
fn read(stream: &str, size: usize) -> Vec<String> {
    let mut messages = Messages::default();
    let mut read = Vec::new();
    for piece in stream.as_bytes().chunks(size) {
        messages.receive(piece);
        while let Some(message) = messages.next_message() {
            read.push(message.map_or_else(|error| error.to_string(), |message| said(&message)));
        }
    }
    read
}

fn said(message: &Message) -> String {
    let text = |id: &Option<Value>| id.as_ref().map_or("-".to_owned(), to_json);
    match message {
        Message::Greeting {
            version,
            capabilities,
        } => format!("greeting {} {capabilities:?}", to_json(version)),
        Message::Return { id, value } => format!("return {} {}", text(id), to_json(value)),
        Message::Error { id, error } => {
            format!("error {} {:?} {error}", text(id), error.class())
        }
        Message::Event {
            name,
            data,
            timestamp: at,
        } => format!(
            "event {name} {} {}.{}",
            to_json(data),
            at.seconds,
            at.microseconds
        ),
    }
}

#[test]
fn messages_are_read_however_they_are_cut() {
    let rows = [
        (
            r#"{"QMP": {"version": {"package": ""}, "capabilities": ["oob", "newer"]}}"#,
            r#"greeting {"package": ""} ["oob", "newer"]"#,
        ),
        // A server that offers nothing may say so by saying nothing.
        (r#"{"QMP": {"version": {}}}"#, "greeting {} []"),
        (r#"{"return": {}, "id": {"a": 1}}"#, r#"return {"a": 1} {}"#),
        (r#"{"return": null, "id": null}"#, "return null null"),
        (r#"{"return": [1]}"#, "return - [1]"),
        (
            r#"{"id": 7, "error": {"class": "GenericError", "desc": "no", "more": 1}}"#,
            "error 7 GenericError no",
        ),
        (
            r#"{"error": {"class": "NewerError", "desc": "no"}}"#,
            r#"error - Unknown("NewerError") no"#,
        ),
        (
            r#"{"timestamp": {"seconds": 1, "microseconds": 2, "nanoseconds": 3}, "event": "STOP"}"#,
            "event STOP {} 1.2",
        ),
        (
            r#"{"timestamp": {"seconds": -1, "microseconds": -1}, "event": "NEWER", "data": {"x": []}, "more": 1}"#,
            r#"event NEWER {"x": []} -1.-1"#,
        ),
        (r#"{"event": "STOP"}"#, "event STOP {} -1.-1"),
    ];
    let stream: Vec<&str> = rows.iter().map(|(text, _)| *text).collect();
    let stream = stream.join("\r\n");
    let expected: Vec<&str> = rows.iter().map(|(_, said)| *said).collect();
    for size in [1, 7, stream.len()] {
        assert_eq!(read(&stream, size), expected);
    }
}

#[test]
fn what_is_no_message_is_told_and_passed_over() {
    let rows = [
        ("[]", "a message is no object"),
        ("{}", "a message is no greeting, no reply and no event"),
        (
            "{'QMP': 1}",
            "Invalid parameter type for 'QMP', expected: object",
        ),
        (
            "{'error': {'class': 'X'}}",
            "Parameter 'error.desc' is missing",
        ),
        (
            "{'event': 1}",
            "Invalid parameter type for 'event', expected: string",
        ),
        (
            "{'event': 'X', 'timestamp': {'seconds': 1}}",
            "Parameter 'timestamp.microseconds' is missing",
        ),
        (
            "{'event': 'X', 'data': 1}",
            "Invalid parameter type for 'data', expected: object",
        ),
        (
            "{'return': 1, 'return': 2}",
            "JSON parse error, duplicate key",
        ),
    ];
    for (text, expected) in rows {
        let stream = format!("{text}{{'return': 1}}");
        assert_eq!(read(&stream, 3), [expected, "return - 1"], "{text}");
    }
}

/// A class that nobody knows yet is written as it was read.
#[test]
fn error_classes_are_kept() {
    for name in ["GenericError", "KVMMissingCap", "NewerError"] {
        assert_eq!(ErrorClass::from(name).name(), name);
    }
}

#[test]
fn times_before_1970_are_unknown() {
    let later = UNIX_EPOCH + Duration::new(5, 6_007);
    let timestamp = Timestamp::from(later);
    assert_eq!((timestamp.seconds, timestamp.microseconds), (5, 6));
    let earlier: SystemTime = UNIX_EPOCH - Duration::from_secs(1);
    assert_eq!(Timestamp::from(earlier), Timestamp::UNKNOWN);
}

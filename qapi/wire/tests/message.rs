//! What a server sends, as a client reads it; requests and events as written.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use qapi_wire::command::{CommandInfo, Empty, Event, Request};
use qapi_wire::compat::{Output, Policy};
use qapi_wire::message::{
    Message, Messages, Outcome, RequestIds, Timestamp, write_event, write_oob_request,
    write_request,
};
use qapi_wire::{ErrorClass, Node, to_json};

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
    let text = |id: Option<Node<'_>>| id.map_or("-".to_owned(), |id| to_json(&id));
    match message {
        Message::Greeting(greeting) => {
            let (version, capabilities) = (greeting.version(), greeting.capabilities());
            format!("greeting {} {capabilities:?}", to_json(&version))
        }
        Message::Reply(reply) => {
            let id = text(reply.id());
            match reply.clone().open_any() {
                Outcome::Return(reply) => format!("return {id} {}", to_json(&reply.value())),
                Outcome::Error(reply) => {
                    let error = reply.error();
                    format!("error {id} {:?} {error}", error.class())
                }
            }
        }
        Message::Event(event) => {
            let (name, data, at) = (event.name(), event.data(), event.timestamp());
            let data = to_json(&data);
            format!("event {name} {data} {}.{}", at.seconds, at.microseconds)
        }
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
fn invalid_messages_are_reported_and_skipped() {
    let rows = [
        ("[]", "a message is not an object"),
        (
            "{}",
            "a message is neither a greeting nor a reply nor an event",
        ),
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
fn error_class_is_kept_when_it_is_unknown() {
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

/// A request's arguments, an event's data: as many members as there are values.
#[derive(Debug, PartialEq)]
struct Members {
    size: Option<i64>,
    old: Option<i64>,
}

qapi_wire::object!(Members {
    size: optional("size"),
    old: optional_special("old", qapi_wire::SpecialFeatures::DEPRECATED),
});

impl Request for Members {
    type Reply = Empty;
    const INFO: &'static CommandInfo = &CommandInfo::new("resize");
}

impl Event for Members {
    const NAME: &'static str = "RESIZED";
    const HAS_DATA: bool = true;
    const FEATURES: &'static [&'static str] = &[];
}

#[test]
fn request_is_written_as_a_line() {
    let id = RequestIds::new().next_id();
    let request = |size| Members { size, old: None };
    let mut out = b"before ".to_vec();
    write_request(&mut out, &id, &request(Some(1)));
    write_request(&mut out, &id, &request(None));
    write_oob_request(&mut out, &id, &request(None));
    assert_eq!(
        String::from_utf8(out).unwrap(),
        format!(
            "before {{\"execute\": \"resize\", \"arguments\": {{\"size\": 1}}, \"id\": \"{id}\"}}\n\
             {{\"execute\": \"resize\", \"id\": \"{id}\"}}\n\
             {{\"exec-oob\": \"resize\", \"id\": \"{id}\"}}\n"
        )
    );
}

#[test]
fn outcome_opens_with_the_id_of_its_request_only() {
    let mut ids = RequestIds::new();
    let (id, other) = (ids.next_id(), RequestIds::new().next_id());
    let mut messages = Messages::default();
    for foreign in [format!("\"{other}\""), "1".to_owned(), "null".to_owned()] {
        messages.receive(format!("{{\"return\": 1, \"id\": {foreign}}}\r\n").as_bytes());
    }
    messages.receive(b"{\"return\": 1}\r\n");
    messages.receive(format!("{{\"return\": 2, \"id\": \"{id}\"}}\r\n").as_bytes());
    let mut next = || match messages.next_message() {
        Some(Ok(Message::Reply(reply))) => reply.open(&id),
        message => panic!("{message:?}"),
    };
    for _ in 0..4 {
        assert!(next().is_err());
    }
    let Ok(Outcome::Return(reply)) = next() else {
        panic!("the reply to the request is refused");
    };
    assert_eq!(to_json(&reply.value()), "2");
}

#[test]
fn events_are_read_as_they_were_written() {
    let hiding = Policy {
        deprecated_output: Output::Hide,
        ..Policy::default()
    };
    let at = Timestamp {
        seconds: 1,
        microseconds: 2,
    };
    let written = |policy, size, old| {
        let mut out = Vec::new();
        write_event(&mut out, policy, &Members { size, old }, at);
        String::from_utf8(out).unwrap()
    };
    let expected = "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"RESIZED\"";
    assert_eq!(
        written(Policy::default(), Some(3), Some(4)),
        format!("{expected}, \"data\": {{\"size\": 3, \"old\": 4}}}}\r\n")
    );
    assert_eq!(
        written(hiding, Some(3), Some(4)),
        format!("{expected}, \"data\": {{\"size\": 3}}}}\r\n")
    );
    assert_eq!(written(hiding, None, Some(4)), format!("{expected}}}\r\n"));
    let stream = written(Policy::default(), Some(3), None);
    assert_eq!(read(&stream, 5), ["event RESIZED {\"size\": 3} 1.2"]);
}

//! The part without I/O, which both clients share.

use std::time::{Duration, Instant};

use qapi_wire::client::{ClientError, Options, Session, decode_reply};
use qapi_wire::json::Limits;
use qapi_wire::message::RequestId;
use serde_json::Value;

use crate::commands::{Leave, Sizes, Yank};
use crate::server::{EMPTY, GREETING, SIZES, fill};

const SECOND: Duration = Duration::from_secs(1);
const EVENT: &str =
    "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"STOP\"}\r\n";

/// Takes what the session wants to send, and returns the id of each request, last
/// one first.
fn send_all(session: &mut Session) -> Vec<String> {
    let mut sent = Vec::new();
    loop {
        let bytes = session.unsent().to_vec();
        if bytes.is_empty() {
            break;
        }
        session.sent(bytes.len());
        sent.extend(bytes);
    }
    let lines = sent.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    let ids = lines.map(|line| {
        let request: Value = serde_json::from_slice(line).unwrap();
        request["id"].to_string()
    });
    ids.collect::<Vec<_>>().into_iter().rev().collect()
}

/// Sends the requests, and receives a text with their ids.
fn answer(session: &mut Session, text: &str) {
    let ids = send_all(session);
    session.receive(fill(text, &ids).as_bytes());
}

fn ready(options: Options) -> Session {
    let mut session = Session::new(options);
    session.receive(GREETING.as_bytes());
    answer(&mut session, EMPTY);
    assert!(session.version().is_some(), "{:?}", session.error());
    session
}

/// The sizes that a call has got.
fn sizes(session: &mut Session, call: &RequestId) -> Option<Result<Vec<i64>, String>> {
    let outcome = session.take_reply(call)?;
    Some(decode_reply::<Sizes>(outcome).map_err(|error| error.to_string()))
}

fn error(session: &Session) -> String {
    session.error().map(ToString::to_string).unwrap_or_default()
}

#[test]
fn calls_get_their_replies_however_the_bytes_are_cut() {
    let foreign = "{\"return\": [1], \"id\": \"other-1\"}\r\n{\"return\": [2]}\r\n";
    let opening = format!("a\", \"b\": 1}}]}}\r\n{foreign}{EVENT}{GREETING}");
    let whole = opening.len() + EMPTY.len() + 2 * SIZES.len();
    for cut in 1..whole {
        let mut session = Session::new(Options::default());
        let subscriber = session.subscribe(usize::MAX);
        // Each part is cut into pieces of `cut` bytes, so that every place is one
        // at which a part is cut.
        let receive = |session: &mut Session, text: &str| {
            for piece in text.as_bytes().chunks(cut) {
                session.receive(piece);
            }
        };
        receive(&mut session, &opening);
        let ids = send_all(&mut session);
        receive(&mut session, &(foreign.to_owned() + &fill(EMPTY, &ids)));
        let version = session.version().unwrap().to_string();
        assert_eq!(version, "7.2.22");

        let calls = [(); 2].map(|()| session.call(&Sizes::default()).unwrap());
        let ids = send_all(&mut session);
        let replies = fill(
            "{\"return\": [2], \"id\": $0}\r\n{\"return\": [1], \"id\": $1}\r\n",
            &ids,
        );
        receive(&mut session, &(EVENT.to_owned() + foreign + &replies));
        assert_eq!(sizes(&mut session, &calls[0]), Some(Ok(vec![1])));
        assert_eq!(sizes(&mut session, &calls[1]), Some(Ok(vec![2])));
        assert_eq!(sizes(&mut session, &calls[1]), None);
        let event = session.next_event(subscriber).unwrap().unwrap();
        assert_eq!(event.name(), "STOP");
        assert!(session.next_event(subscriber).is_none());
        assert_eq!((session.late_replies(), session.foreign_replies()), (0, 4));
    }
}

#[test]
fn late_reply_is_set_aside_when_its_call_has_been_given_up() {
    let mut session = ready(Options::default());
    let first = session.call(&Sizes::default()).unwrap();
    let mut ids = send_all(&mut session);
    let overdue = session.give_up(&first, SECOND).to_string();
    assert!(
        overdue.starts_with("no reply to sizes within 1 s: the server may still execute it"),
        "{overdue}"
    );
    let second = session.call(&Sizes::default()).unwrap();
    ids = [send_all(&mut session), ids].concat();
    session.receive(fill("{\"return\": [1], \"id\": $1}\r\n", &ids).as_bytes());
    assert_eq!(sizes(&mut session, &second), None);
    assert!(session.awaits_reply());
    session.receive(fill("{\"return\": [2], \"id\": $0}\r\n", &ids).as_bytes());
    assert!(!session.awaits_reply());
    // A second reply to the same request does not replace the first.
    session.receive(fill("{\"return\": [3], \"id\": $0}\r\n", &ids).as_bytes());
    assert_eq!(sizes(&mut session, &second), Some(Ok(vec![2])));
    assert_eq!(sizes(&mut session, &first), None);
    assert_eq!((session.late_replies(), session.foreign_replies()), (1, 1));
}

#[test]
fn request_is_not_sent_when_its_call_was_given_up_before() {
    let mut session = ready(Options::default());
    let begun = session.call(&Sizes::default()).unwrap();
    let length = session.unsent().len();
    session.sent(3);
    let waiting = session.call(&Sizes::default()).unwrap();
    let kept = session.call(&Yank).unwrap();
    let overdue = session.give_up(&waiting, SECOND).to_string();
    let expected = "sizes could not be sent within 1 s and will not be executed";
    assert!(overdue.starts_with(expected), "{overdue}");
    let overdue = session.give_up(&begun, SECOND).to_string();
    assert!(
        overdue.contains("the server may still execute it"),
        "{overdue}"
    );
    // The rest of the request of which a part was sent, then the other.
    assert_eq!(session.unsent().len(), length - 3);
    session.sent(length - 3);
    let ids = send_all(&mut session);
    assert_eq!(ids, [format!("\"{kept}\"")]);
    // A server that never reads makes the session keep one request at most.
    session.call(&Yank).unwrap();
    assert!(!session.unsent().is_empty());
    for _ in 0..1000 {
        let of = Some("x".repeat(1000));
        let call = session.call(&Sizes { of }).unwrap();
        session.give_up(&call, SECOND);
    }
    assert_eq!(send_all(&mut session).len(), 1);
}

#[test]
fn oldest_events_are_dropped_and_counted_when_nobody_reads() {
    let mut session = ready(Options::default());
    let (first, second) = (session.subscribe(100_000), session.subscribe(100_000));
    let numbered = |number: usize| format!("{{\"event\": \"E{number}\", \"data\": {{}}}}\r\n");
    for number in 0..100_000 {
        session.receive(numbered(number).as_bytes());
        if number % 10 == 0 {
            while let Some(event) = session.next_event(second) {
                event.unwrap();
            }
        }
    }
    let Some(Err(ClientError::EventsLost { count })) = session.next_event(first) else {
        panic!("events are lost");
    };
    let (mut names, mut bytes) = (Vec::new(), 0);
    while let Some(event) = session.next_event(first) {
        let event = event.unwrap();
        bytes += size_of_val(&event) + event.held_bytes();
        names.push(event.name().to_owned());
    }
    assert!((50_000..100_000).contains(&bytes), "{bytes}");
    assert_eq!(count + names.len() as u64, 100_000);
    assert_eq!(names.first().unwrap(), &format!("E{count}"));
    assert_eq!(names.last().unwrap(), "E99999");

    // An event that is larger than the bound is counted too.
    let large = format!(
        "{{\"event\": \"LARGE\", \"data\": {{\"a\": \"{}\"}}}}",
        "x".repeat(200_000)
    );
    session.receive(large.as_bytes());
    let lost = session.next_event(first).unwrap().unwrap_err().to_string();
    assert!(lost.starts_with("1 events were lost"), "{lost}");
    assert!(session.next_event(first).is_none());
    // Nobody's queue remains.
    session.unsubscribe(first);
    assert!(session.next_event(first).is_none());
}

#[test]
fn events_that_have_come_are_returned_when_the_connection_has_ended() {
    let mut session = ready(Options::default());
    let subscriber = session.subscribe(usize::MAX);
    session.receive(EVENT.as_bytes());
    session.receive_end();
    let event = session.next_event(subscriber).unwrap().unwrap();
    assert_eq!(event.timestamp().microseconds, 2);
    for _ in 0..2 {
        let end = session.next_event(subscriber).unwrap();
        assert!(matches!(end, Err(ClientError::Closed)));
    }
    assert!(matches!(session.call(&Yank), Err(ClientError::Closed)));
}

#[test]
fn session_ends_with_a_reason_when_the_server_closes_at_any_byte() {
    let greeting = GREETING.as_bytes();
    for end in 0..greeting.len() {
        let mut session = Session::new(Options::default());
        session.receive(&greeting[..end]);
        session.receive_end();
        let expected = match end {
            0 => "closed the connection without a greeting",
            // The closing brace is the last byte but two.
            _ if end < greeting.len() - 2 => "the greeting is not complete; it begins with '{",
            _ => "the server closed the connection",
        };
        assert!(
            error(&session).contains(expected),
            "{end}: {}",
            error(&session)
        );
    }
    for end in 0..SIZES.len() {
        let mut session = ready(Options::default());
        let call = session.call(&Sizes::default()).unwrap();
        let reply = fill(SIZES, &send_all(&mut session));
        let end = end.min(reply.len());
        session.receive(&reply.as_bytes()[..end]);
        session.receive_end();
        let expected = match end {
            _ if end < reply.len() - 2 => Err(ClientError::Closed.to_string()),
            _ => Ok(vec![7, 8]),
        };
        assert_eq!(sizes(&mut session, &call), Some(expected), "{end}");
        assert!(error(&session).contains("connect again"));
    }
}

#[test]
fn session_ends_with_advice_when_the_server_breaks_the_rules() {
    let limits = Limits::default()
        .with_message_bytes_max(1000)
        .with_nesting_max(20);
    let long = format!("{{\"return\": \"{}\"}}", "x".repeat(1000));
    let deep = format!("{{\"return\": {}", "[".repeat(20));
    for (bytes, expected) in [
        ("nonsense\r\n", "not a QMP server: it sends something that"),
        ("{\"id\": 1}", "neither a greeting nor a reply nor an event"),
        ("[]", "a message is not an object"),
        ("{\"error\": 1}", "expected: object"),
        ("\u{0}", "not a QMP server"),
        (GREETING, "it greets a second time"),
        (
            &long,
            "is too large (JSON token size limit exceeded); raise",
        ),
        (&deep, "is too large (JSON nesting depth limit exceeded)"),
    ] {
        let mut session = ready(Options::default().with_limits(limits));
        let call = session.call(&Sizes::default()).unwrap();
        let ids = send_all(&mut session);
        session.receive(bytes.as_bytes());
        // What follows is not believed.
        session.receive(fill(SIZES, &ids).as_bytes());
        let outcome = sizes(&mut session, &call).unwrap().unwrap_err();
        assert!(outcome.contains(expected), "{bytes}: {outcome}");
        assert_eq!(outcome, error(&session));
        assert!(session.error().unwrap().is_fatal());
    }
}

#[test]
fn error_says_what_the_server_is_when_it_does_not_greet() {
    let begin = Instant::now();
    for (opening, expected) in [
        ("", "no greeting in time: QEMU serves one client at a time"),
        (" \r\n", "no greeting in time"),
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "it is a web server"),
        (
            "QEMU 7.2.22 monitor - type 'help'\r\n(qemu) ",
            "a human monitor",
        ),
        ("\x15\x03\x01\0\x02\x02\x46", "connect with TLS"),
        ("{\"return\": {}}\n", "like a guest agent"),
        ("{\"QMP\": {}}\r\n", "'QMP.version' is missing"),
        ("{\"QMP\": {\"version\": \"1\"}}\r\n", "the greeting: "),
        ("\x1b[2Jlogin: ", "it begins with '\\u{1b}[2Jlogin: '"),
    ] {
        let mut session = Session::new(Options::default());
        session.receive(opening.as_bytes());
        session.opening_deadline(begin + SECOND, begin);
        let reason = session.give_up_opening(SECOND).to_string();
        assert!(reason.contains(expected), "{opening}: {reason}");
        assert_eq!(reason, error(&session));
    }
    // A greeting has to come soon after garbage, and may come late otherwise.
    let hour = begin + 3600 * SECOND;
    let mut session = Session::new(Options::default());
    assert_eq!(session.opening_deadline(hour, begin), hour);
    session.receive(b"]");
    assert_eq!(session.opening_deadline(hour, begin), begin + SECOND);
    assert_eq!(
        session.opening_deadline(hour, begin + SECOND),
        begin + SECOND
    );
    session.receive(&vec![b' '; 9 << 20]);
    assert!(error(&session).contains("no greeting in the first 8388608 bytes"));
}

#[test]
fn refusal_has_its_class_when_the_server_refuses() {
    let refusal = "{\"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"no\"}, \"id\": $0}\r\n";
    let mut session = ready(Options::default());
    let call = session.call(&Sizes::default()).unwrap();
    answer(&mut session, refusal);
    let error = decode_reply::<Sizes>(session.take_reply(&call).unwrap()).unwrap_err();
    let refused = error.refusal().unwrap();
    assert_eq!(
        (refused.class().name(), refused.desc()),
        ("DeviceNotFound", "no")
    );
    assert_eq!(error.to_string(), "the server refuses: no (DeviceNotFound)");
    assert!(!error.is_fatal() && session.error().is_none());

    let mut session = Session::new(Options::default());
    session.receive(GREETING.as_bytes());
    answer(&mut session, refusal);
    let error = session.give_up_opening(SECOND);
    assert!(error.refusal().is_some() && session.has_ended());
}

#[test]
fn error_names_the_member_when_the_result_has_another_type() {
    let mut session = ready(Options::default());
    let call = session.call(&Sizes::default()).unwrap();
    let reply = "{\"return\": [1, \"x\"], \"id\": $0}";
    answer(&mut session, reply);
    let error = sizes(&mut session, &call).unwrap().unwrap_err();
    assert!(error.starts_with("the reply to sizes: "), "{error}");
    assert!(error.contains("'[1]'") || error.contains("[1]"), "{error}");
    assert!(
        error.contains("a schema of the server's release"),
        "{error}"
    );
}

#[test]
fn error_tells_of_replies_without_ids_when_no_other_comes() {
    for (reply, expected) in [
        (
            "{\"return\": []}",
            "the server's replies lack the requests' ids",
        ),
        (
            "{\"error\": {\"class\": \"GenericError\", \"desc\": \"x\"}}",
            "the server's only reply is an error without an id: x",
        ),
    ] {
        let mut session = ready(Options::default());
        session.receive(b"{\"return\": {\"earlier\": 1}}");
        let call = session.call(&Sizes::default()).unwrap();
        let error = session.give_up(&call, SECOND);
        assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
        let call = session.call(&Sizes::default()).unwrap();
        send_all(&mut session);
        session.receive(reply.as_bytes());
        assert_eq!(sizes(&mut session, &call), None);
        let error = session.give_up(&call, SECOND).to_string();
        assert!(error.contains(expected), "{error}");
        // The next call is not blamed for it.
        let call = session.call(&Sizes::default()).unwrap();
        let error = session.give_up(&call, SECOND);
        assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
    }
}

#[test]
fn command_overtakes_others_when_the_server_offers_it() {
    let mut session = ready(Options::default());
    let error = session.call_out_of_band(&Yank).unwrap_err().to_string();
    assert!(error.contains("with_out_of_band"), "{error}");

    let options = Options::default().with_out_of_band();
    let mut session = Session::new(options);
    session.receive(GREETING.as_bytes());
    let request = String::from_utf8(session.unsent().to_vec()).unwrap();
    assert!(request.contains("\"enable\": [\"oob\"]"), "{request}");
    answer(&mut session, EMPTY);
    assert!(session.is_out_of_band());
    session.call_out_of_band(&Yank).unwrap();
    let request = String::from_utf8(session.unsent().to_vec()).unwrap();
    assert!(request.starts_with("{\"exec-oob\": \"yank\""), "{request}");
    let error = session.call_out_of_band(&Sizes::default()).unwrap_err();
    assert!(error.to_string().contains("its schema does not allow it"));

    // Without an offer the negotiation is the usual one.
    let mut session = Session::new(options);
    session.receive(GREETING.replace("\"oob\"", "").as_bytes());
    let request = String::from_utf8(session.unsent().to_vec()).unwrap();
    assert!(!request.contains("enable"), "{request}");
}

#[test]
fn command_without_success_response_succeeds_when_no_error_comes() {
    let silent = |end: fn(&mut Session, &RequestId) -> Result<_, ClientError>| {
        let mut session = ready(Options::default());
        let call = session.call(&Leave).unwrap();
        send_all(&mut session);
        assert!(session.take_reply(&call).is_none());
        let outcome = end(&mut session, &call);
        decode_reply::<Leave>(outcome)
    };
    silent(|session, call| Err(session.give_up(call, SECOND))).unwrap();
    silent(|session, call| {
        session.receive_end();
        session.take_reply(call).unwrap()
    })
    .unwrap();
    let refused = silent(|session, call| {
        let refusal =
            "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": \"$0\"}";
        session.receive(fill(refusal, &[call.to_string()]).as_bytes());
        session.take_reply(call).unwrap()
    });
    assert_eq!(refused.unwrap_err().refusal().unwrap().desc(), "no");
}

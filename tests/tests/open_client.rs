//! A client of a newer server: what it does not know is kept or ignored, where
//! a server refuses the same.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(
    deprecated,
    reason = "the schema marks things as deprecated to see what comes of it"
)]

use qapi_wire::message::{Message, Messages, Outcome, Timestamp};
use qapi_wire::{Context, Decode, ErrorClass, from_node, from_value, to_json};
use tests::every_shape::Event;
use tests::every_shape::every_shape::{
    Anything, Color, Derived, FigureBranch, Keywords, Painted, PaintedBranch, events,
};
use tests::{compat, first_proposal::first_proposal as first};

fn messages(stream: &str) -> Vec<Message> {
    let mut messages = Messages::default();
    messages.receive(stream.as_bytes());
    std::iter::from_fn(|| messages.next_message())
        .map(Result::unwrap)
        .collect()
}

/// Decodes a value as a client does; a server must refuse it with `refusal`.
fn kept<T: Decode + std::fmt::Debug>(text: &str, refusal: &str) -> T {
    let value = || qapi_wire::json::parse(text.as_bytes()).unwrap();
    let refused = from_value::<T>(&value(), &Context::strict()).unwrap_err();
    assert_eq!(refused.desc(), refusal);
    from_value(&value(), &Context::tolerant()).unwrap()
}

#[test]
fn client_understands_the_session_of_a_newer_server() {
    let stream = r#"
        {"QMP": {"version": {"qemu": {"micro": 0, "minor": 0, "major": 99}, "package": ""},
                 "capabilities": ["oob", "newer"], "newer": 1}}
        {"timestamp": {"seconds": -1, "microseconds": -1}, "event": "PAINTED",
         "data": {"color": "mauve", "by": {"name": "n", "newer": 1}, "newer": 1}}
        {"timestamp": {"seconds": 1, "microseconds": 2}, "event": "NEWER", "data": {"a": 1}}
        {"return": {"color": "mauve", "note": "n", "depth": 1}, "newer": 1, "id": "x"}
        {"error": {"class": "NewerError", "desc": "no", "newer": 1}}"#;
    let [
        Message::Greeting(greeting),
        Message::Event(event),
        Message::Event(newer),
        Message::Reply(reply),
        Message::Reply(refusal),
    ] = <[Message; 5]>::try_from(messages(stream)).unwrap()
    else {
        panic!()
    };
    assert_eq!(greeting.capabilities(), ["oob", "newer"]);
    let (Outcome::Return(reply), Outcome::Error(refusal)) = (reply.open_any(), refusal.open_any())
    else {
        panic!()
    };

    let context = Context::tolerant();
    let painted = Event::decode(event.name(), event.data(), &context).unwrap();
    let Event::Painted(events::Painted {
        color,
        by: Some(by),
    }) = painted
    else {
        panic!("{painted:?}")
    };
    assert_eq!((color.name(), by.name.as_str()), ("mauve", "n"));
    assert_eq!(event.timestamp(), Timestamp::UNKNOWN);

    let unlisted = Event::decode(newer.name(), newer.data(), &context).unwrap();
    let Event::Unlisted { name, data } = unlisted else {
        panic!("{unlisted:?}")
    };
    assert_eq!((&*name, data.len()), ("NEWER", 1));

    let painted: Painted = from_node(reply.value(), &context).unwrap();
    assert_eq!(reply.id().unwrap().as_str(), Some("x"));
    assert_eq!(painted.note.as_deref(), Some("n"));
    let PaintedBranch::UnknownValue { tag, members } = &painted.color else {
        panic!("{painted:?}")
    };
    assert_eq!((&**tag, members.len()), ("mauve", 1));

    let error = refusal.error();
    assert_eq!(*error.class(), ErrorClass::Unknown("NewerError".into()));
    assert_eq!(error.class().name(), "NewerError");
}

#[test]
fn client_tolerates_unknown_values_and_members_everywhere() {
    let derived: Derived = kept(
        r#"{"name": "a", "next": {"name": "b", "color": "mauve", "newer": {}}}"#,
        "Parameter 'color' does not accept value 'mauve'",
    );
    let color = derived.next.unwrap().color.unwrap();
    assert_eq!(color, Color::UnknownValue("mauve".into()));

    let colors: Vec<Color> = kept(
        r#"["red", "mauve"]"#,
        "Parameter 'null' does not accept value 'mauve'",
    );
    assert_eq!(to_json(&colors), r#"["red", "mauve"]"#);

    let anything: Anything = kept(
        r#"[{"name": "n", "newer": 1}]"#,
        "Parameter '[0].newer' is unexpected",
    );
    assert_eq!(to_json(&anything), r#"[{"name": "n"}]"#);

    let keywords: Keywords = kept(
        r#"{"type": "t", "self": true, "gen": "red", "members": [], "at-1": 1, "UUID": "", "newer": 1}"#,
        "Parameter 'newer' is unexpected",
    );
    assert_eq!(keywords.type_, "t");

    let choice: compat::compat::Choice = kept(
        "\"newer\"",
        "Parameter 'null' does not accept value 'newer'",
    );
    let compat::compat::Choice::Kind(kind) = choice else {
        panic!("{choice:?}")
    };
    assert_eq!(kind.name(), "newer");

    let figure: tests::every_shape::every_shape::Figure = kept(
        r#"{"id": 1, "kind": "sphere", "depth": 1}"#,
        "Parameter 'kind' does not accept value 'sphere'",
    );
    assert!(matches!(figure.kind, FigureBranch::Unknown { .. }));

    // An enumeration that has no value at all in this build.
    let provider: first::StatsProvider =
        kept("\"kvm\"", "Parameter 'null' does not accept value 'kvm'");
    assert_eq!(provider.name(), "kvm");
}

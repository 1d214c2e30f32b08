//! What the code generated for `cases/rust` does: the mapping to Rust that
//! ARCHITECTURE.md describes, shape by shape.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(
    deprecated,
    reason = "the schema marks things as deprecated to see what comes of it"
)]

use std::fmt::Debug;

use qapi_gen::{FsLoader, IncludeFolders, Introspection, Loader, check};
use qapi_wire::command::{Call, CommandSet, Event as EventData, Request};
use qapi_wire::introspect::SchemaInfo;
use qapi_wire::{Context, Decode, Document, Encode, Node, Value, Writer, from_json, to_json};
use serde::Serialize;
use serde::de::DeserializeOwned;
use stats_runtime::NoHost;
use stats_runtime::host::Host as _;
use stats_runtime::qmp::{Session, Timestamp};
use tests::borrowed::{self, qapi_schema as own};
use tests::every_shape::every_shape::commands::{Echo, Paint, Pick, UnboxedBase};
use tests::every_shape::every_shape::{
    self as shapes, Anything, Base, Circle, Color, ColorOrNumber, Derived, Empty, Figure,
    FigureBranch, Group, Keywords, Never, Numbers, OrgExampleThing, Painted, PaintedBranch, Ping,
    Pong, Shape, events,
};
use tests::every_shape::{self as schema, Dispatcher, Event};
use tests::first_proposal::first_proposal as first;

/// A value goes to text and back, over our codec and over serde's, and both
/// write and read the same.
fn round_trip<T>(value: &T, text: &str)
where
    T: Encode + Decode + Serialize + DeserializeOwned + PartialEq + Debug,
{
    assert_eq!(to_json(value), text);
    assert_eq!(
        &from_json::<T>(text.as_bytes(), &Context::tolerant()).unwrap(),
        value
    );
    let by_serde = serde_json::to_value(value).unwrap();
    assert_eq!(
        by_serde,
        serde_json::from_str::<serde_json::Value>(text).unwrap()
    );
    assert_eq!(&serde_json::from_str::<T>(text).unwrap(), value);
}

fn refused<T: Decode + Debug>(text: &str) -> String {
    from_json::<T>(text.as_bytes(), &Context::strict())
        .unwrap_err()
        .desc()
        .to_owned()
}

fn figure(id: i64, kind: FigureBranch) -> Figure {
    Figure {
        id,
        kind,
        label: None,
    }
}

#[test]
fn union_has_a_variant_for_every_value_of_its_discriminator() {
    round_trip(
        &figure(1, FigureBranch::Nothing),
        r#"{"id": 1, "kind": "nothing"}"#,
    );
    round_trip(
        &figure(2, FigureBranch::Circle(Circle { radius: 1.5 })),
        r#"{"id": 2, "kind": "circle", "radius": 1.5}"#,
    );
    let inner = figure(4, FigureBranch::Point(Empty {}));
    let group = Group {
        parts: vec![inner.clone()],
        one: Some(Box::new(inner)),
    };
    round_trip(
        &figure(3, FigureBranch::Group(Box::new(group))),
        "{\"id\": 3, \"kind\": \"group\", \"parts\": [{\"id\": 4, \"kind\": \"point\"}], \"one\": \
         {\"id\": 4, \"kind\": \"point\"}}",
    );
    assert_eq!(
        refused::<Figure>("{'id': 1, 'kind': 'nothing', 'radius': 1}"),
        "Parameter 'radius' is unexpected"
    );
    assert_eq!(
        refused::<Figure>("{'id': 1, 'kind': 'circle'}"),
        "Parameter 'radius' is missing"
    );
    assert_eq!(
        refused::<Figure>("{'kind': 'circle'}"),
        "Parameter 'id' is missing"
    );
    assert_eq!(FigureBranch::Nothing.name(), "nothing");
    assert_eq!(FigureBranch::Nothing.tag(), Shape::Nothing);
}

/// `Shape` is in a reply (by way of `Painted`), so a client keeps what a newer
/// server says.
#[test]
fn unknown_value_is_kept_when_the_peer_is_newer() {
    let text = r#"{"id": 1, "kind": "sphere", "depth": [2]}"#;
    let figure: Figure = from_json(text.as_bytes(), &Context::tolerant()).unwrap();
    let FigureBranch::Unknown { tag, members } = &figure.kind else {
        panic!("{figure:?}")
    };
    assert_eq!((&**tag, members.len()), ("sphere", 1));
    assert_eq!(to_json(&figure), text);
    assert_eq!(
        refused::<Figure>(text),
        "Parameter 'kind' does not accept value 'sphere'"
    );
}

/// An enumeration may have a value called `unknown`.
#[test]
fn enum_has_tables_of_its_names_and_values() {
    assert_eq!(Color::NAMES, ["red", "green", "x86-64", "self", "unknown"]);
    assert_eq!(Color::ALL.len(), 5);
    assert_eq!(Color::X86_64.name(), "x86-64");
    assert_eq!(Color::Self_.index(), Some(3));
    assert_eq!("unknown".parse(), Ok(Color::Unknown));
    assert_eq!("mauve".parse(), Ok(Color::UnknownValue("mauve".into())));
    assert_eq!(format!("{:>6}|", Color::Red), "   red|");
    round_trip(
        &vec![Color::Red, Color::UnknownValue("mauve".into())],
        r#"["red", "mauve"]"#,
    );
    assert!(Never::ALL.is_empty());
}

#[test]
fn struct_keeps_names_order_and_presence_of_members() {
    let keywords = Keywords {
        type_: "t".to_owned(),
        fn_: None,
        self_: true,
        async_: None,
        gen_: Color::Red,
        members: Vec::new(),
        at_1: 0.5,
        uuid: "u".to_owned(),
    };
    round_trip(
        &keywords,
        "{\"type\": \"t\", \"self\": true, \"gen\": \"red\", \"members\": [], \"at-1\": 0.5, \
         \"UUID\": \"u\"}",
    );
    let derived = Derived {
        name: "outer".to_owned(),
        color: None,
        next: Some(Box::new(Derived {
            name: "inner".to_owned(),
            color: Some(Color::Green),
            next: None,
        })),
    };
    round_trip(
        &derived,
        r#"{"name": "outer", "next": {"name": "inner", "color": "green"}}"#,
    );
    assert_eq!(
        refused::<Derived>("{'name': 'x', 'next': null}"),
        "Invalid parameter type for 'next', expected: object"
    );
    round_trip(&Empty {}, "{}");
    let ping = Ping {
        pong: Some(Box::new(Pong {
            pings: vec![Ping::default()],
            ping: None,
        })),
    };
    round_trip(&ping, r#"{"pong": {"pings": [{}]}}"#);
    round_trip(&shapes::Option { some: None }, "{}");
    round_trip(
        &OrgExampleThing {
            org_example_part: Some("x".to_owned()),
        },
        r#"{"__org.example_part": "x"}"#,
    );
}

#[test]
fn number_is_refused_when_it_is_out_of_range() {
    let text = "{'a': -128, 'b': 0, 'c': 0, 'd': 0, 'e': 255, 'f': 0, 'g': 0, 'h': \
                18446744073709551615, 'i': -1, 'j': 0, 'k': 1, 'l': {'x': [null]}, 'm': null}";
    let numbers: Numbers = from_json(text.as_bytes(), &Context::strict()).unwrap();
    assert_eq!(
        (numbers.a, numbers.e, numbers.h, numbers.i),
        (-128, 255, u64::MAX, u64::MAX)
    );
    assert_eq!(numbers.m, Some(()));
    for (from, to, expected) in [
        ("'a': -128", "'a': 128", "Parameter 'a' expects int8_t"),
        ("'e': 255", "'e': 256", "Parameter 'e' expects uint8_t"),
        ("'e': 255", "'e': -1", "Parameter 'e' expects uint8_t"),
        (
            "'k': 1",
            "'k': '1'",
            "Invalid parameter type for 'k', expected: number",
        ),
        (
            "'m': null",
            "'m': 0",
            "Invalid parameter type for 'm', expected: null",
        ),
        ("'h': 1", "'h': 1.5", "Parameter 'h' expects uint64"),
    ] {
        assert_eq!(refused::<Numbers>(&text.replace(from, to)), expected);
    }
}

#[test]
fn alternate_is_chosen_by_json_type() {
    round_trip(&Anything::Text("x".to_owned()), "\"x\"");
    round_trip(&Anything::Nothing(()), "null");
    round_trip(
        &Anything::List(vec![Anything::Nothing(()), Anything::List(Vec::new())]),
        "[null, []]",
    );
    round_trip(
        &Anything::Object(Base {
            name: "n".to_owned(),
            color: None,
        }),
        r#"{"name": "n"}"#,
    );
    round_trip(&ColorOrNumber::Number(-1), "-1");
    assert_eq!(
        refused::<Vec<Anything>>("[1]"),
        "Invalid parameter type for 'null', expected: Anything"
    );
    assert_eq!(
        refused::<Anything>("[{}]"),
        "Parameter '[0].name' is missing"
    );
}

/// Answers enough to see that each command comes through as its kind says.
struct Server;

impl shapes::Commands for Server {
    fn read_it(&self) -> qapi_wire::Result<()> {
        Ok(())
    }
    fn paint(&self, arguments: Paint) -> qapi_wire::Result<Painted> {
        assert_eq!(arguments.with, Some(ColorOrNumber::Number(3)));
        Ok(Painted {
            color: PaintedBranch::Red(arguments.what),
            note: None,
        })
    }
    fn boxed_figure(&self, figure: Figure) -> qapi_wire::Result<()> {
        assert_eq!(figure.id, 9);
        Ok(())
    }
    fn unboxed_base(&self, base: Base) -> qapi_wire::Result<Vec<Keywords>> {
        Err(qapi_wire::Error::generic(base.name))
    }
    fn pick(&self, arguments: Pick) -> qapi_wire::Result<()> {
        assert_eq!(arguments.other, Some(shapes::Value::Flag(true)));
        Ok(())
    }
    fn raw(&self, arguments: Node<'_>) -> qapi_wire::Result<Value> {
        let anything = arguments.get("anything");
        Ok(anything.map_or(Value::Null, Node::to_value))
    }
    fn no_answer(&self) -> qapi_wire::Result<()> {
        Ok(())
    }
    fn prepare(&self) -> qapi_wire::Result<()> {
        Ok(())
    }
    fn echo(&self, arguments: Echo) -> qapi_wire::Result<Value> {
        Ok(arguments.value)
    }
    fn now(&self) -> qapi_wire::Result<i64> {
        Ok(-1)
    }
    fn stop(&self) -> qapi_wire::Result<()> {
        Ok(())
    }
    fn base(&self, arguments: shapes::commands::Base) -> qapi_wire::Result<Derived> {
        assert_eq!(arguments.limit, None);
        Ok(Derived {
            name: "base".to_owned(),
            color: None,
            next: None,
        })
    }
    fn things(&self, thing: OrgExampleThing) -> qapi_wire::Result<Vec<Ping>> {
        assert_eq!(thing.org_example_part, None);
        Ok(vec![Ping::default()])
    }
}

fn execute(name: &str, arguments: &str) -> qapi_wire::Result<String> {
    let context = Context::strict();
    let arguments = Document::parse(arguments.as_bytes())?;
    let mut reply = Vec::new();
    Dispatcher(Server).execute(
        Call {
            name,
            arguments: arguments.root(),
            context: &context,
        },
        &mut Writer::new(&mut reply),
    )?;
    Ok(String::from_utf8(reply).unwrap())
}

#[test]
fn command_is_dispatched_by_its_kind() {
    let rows = [
        ("read_it", "{}", "{}"),
        (
            "paint",
            "{'what': {'id': 1, 'kind': 'nothing'}, 'with': 3}",
            r#"{"color": "red", "id": 1, "kind": "nothing"}"#,
        ),
        ("boxed-figure", "{'kind': 'point', 'id': 9}", "{}"),
        ("pick", "{'one': 'x', 'other': true}", "{}"),
        ("raw", "{'anything': [1, 'goes']}", r#"[1, "goes"]"#),
        ("echo", "{'value': {'a': null}}", r#"{"a": null}"#),
        ("now", "{}", "-1"),
        ("base", "{}", r#"{"name": "base"}"#),
        ("things", "{}", "[{}]"),
    ];
    for (name, arguments, expected) in rows {
        assert_eq!(execute(name, arguments).unwrap(), expected, "{name}");
    }
    let refusals = [
        (
            "unboxed-base",
            "{'name': 'said by the handler'}",
            "said by the handler",
        ),
        ("stop", "{'x': 1}", "Parameter 'x' is unexpected"),
        ("paint", "{}", "Parameter 'what' is missing"),
        (
            "boxed-figure",
            "{'id': 1, 'kind': 'circle', 'radius': {}}",
            "Invalid parameter type for 'radius', expected: number",
        ),
        (
            "pick",
            "{'one': 1}",
            "Invalid parameter type for 'one', expected: Anything",
        ),
        ("nosuch", "{}", "The command nosuch has not been found"),
    ];
    for (name, arguments, expected) in refusals {
        assert_eq!(
            execute(name, arguments).unwrap_err().desc(),
            expected,
            "{name}"
        );
    }
}

#[test]
fn command_table_equals_the_schema() {
    let paint = schema::command("paint").unwrap();
    assert!(paint.allow_oob && !paint.allow_preconfig && paint.success_response);
    assert_eq!(paint.features, ["unstable", "deprecated"]);
    assert_eq!(paint, Paint::INFO);
    assert!(!schema::command("no-answer").unwrap().success_response);
    let prepare = schema::command("prepare").unwrap();
    assert!(prepare.allow_preconfig && prepare.coroutine);
    assert!(schema::command("nosuch").is_none());
    let names: Vec<_> = schema::COMMANDS.iter().map(|info| info.name).collect();
    assert_eq!(names.len(), 13);
    assert_eq!((names[0], names[12]), ("read_it", "things"));
}

#[test]
fn request_encodes_and_names_its_reply_type() {
    fn reply_of<R: Request<Reply = Vec<Keywords>>>(_: &R) {}
    let request = UnboxedBase(Base {
        name: "n".to_owned(),
        color: Some(Color::Red),
    });
    reply_of(&request);
    let mut text = Vec::new();
    Writer::new(&mut text).members(&request);
    assert_eq!(text, br#"{"name": "n", "color": "red"}"#);
}

#[test]
fn events_decode_to_one_enum_of_all() {
    let decode = |name, text: &str| {
        let data = Document::parse(text.as_bytes()).unwrap();
        Event::decode(name, data.root(), &Context::tolerant()).unwrap()
    };
    assert_eq!(decode("STOP", "{}"), Event::Stop(events::Stop {}));
    let painted = decode("PAINTED", "{'color': 'red', 'more': 1}");
    assert_eq!(
        painted,
        Event::Painted(events::Painted {
            color: Color::Red,
            by: None
        })
    );
    assert_eq!(
        decode("FIGURE", "{'id': 1, 'kind': 'nothing'}"),
        Event::Figure(events::Figure(figure(1, FigureBranch::Nothing)))
    );
    let unlisted = decode("NEWER", "{'x': 1}");
    assert_eq!(unlisted.name(), "NEWER");
    assert!(matches!(unlisted, Event::Unlisted { data, .. } if data.len() == 1));
    assert_eq!(
        [events::Stop::HAS_DATA, events::Painted::HAS_DATA],
        [false, true]
    );
    assert_eq!(events::Figure::FEATURES, ["deprecated"]);
}

/// The schema of 7.1's first proposal: a provider enumeration without values,
/// which a reply carries all the same.
#[test]
fn schema_of_the_first_proposal_works() {
    assert!(first::StatsProvider::NAMES.is_empty());
    let result = first::StatsResult {
        provider: "xyz".parse().unwrap(),
        qom_path: None,
        stats: vec![first::Stats {
            name: "exits".to_owned(),
            value: first::StatsValue::List(vec![2, 1]),
        }],
    };
    round_trip(
        &result,
        r#"{"provider": "xyz", "stats": [{"name": "exits", "value": [2, 1]}]}"#,
    );
    assert_eq!(
        refused::<first::StatsFilter>("{'target': 'vm', 'vcpus': []}"),
        "Parameter 'vcpus' is unexpected"
    );
    assert_eq!(
        refused::<first::StatsValue>("true"),
        "Invalid parameter type for 'null', expected: StatsValue"
    );
}

/// A session with the server after its negotiation, with out-of-band
/// execution.
fn session(commands: &dyn CommandSet) -> Session {
    let mut session = Session::new(&NoHost.version(), Default::default());
    session.receive(b"{'execute': 'qmp_capabilities', 'arguments': {'enable': ['oob']}}");
    session.run(commands, &Context::strict());
    session.sent(session.output().len());
    session
}

fn output(session: &mut Session) -> String {
    let text = String::from_utf8(session.output().to_vec()).unwrap();
    session.sent(text.len());
    text
}

#[test]
fn command_without_a_response_answers_only_errors() {
    let server = Dispatcher(Server);
    let mut session = session(&server);
    session.receive(
        b"{'execute': 'no-answer'} {'execute': 'no-answer', 'arguments': {'x': 1}, 'id': 1}",
    );
    session.run(&server, &Context::strict());
    assert_eq!(
        output(&mut session),
        "{\"id\": 1, \"error\": {\"class\": \"GenericError\", \"desc\": \"Parameter 'x' is \
         unexpected\"}}\r\n"
    );
}

/// `paint` may overtake, the others may not.
#[test]
fn command_is_executed_out_of_band_when_it_may() {
    let server = Dispatcher(Server);
    let mut session = session(&server);
    session.receive(b"{'execute': 'now', 'id': 1} {'exec-oob': 'now', 'id': 2}");
    session.receive(b"{'exec-oob': 'paint', 'id': 3, 'arguments': {'what':");
    session.receive(b" {'id': 1, 'kind': 'nothing'}, 'with': 3}}");
    let now = session.next(&server).unwrap();
    let paint = session.next(&server).unwrap();
    assert_eq!((now.oob, paint.oob), (false, true));
    for command in [paint, now] {
        let call = Call {
            name: command.info.name,
            arguments: command.arguments.root(),
            context: &Context::strict(),
        };
        session.finish(command.ticket, |reply| server.execute(call, reply));
    }
    assert_eq!(
        output(&mut session),
        "{\"id\": 2, \"error\": {\"class\": \"GenericError\", \"desc\": \"The command now does \
         not support OOB\"}}\r\n\
         {\"return\": {\"color\": \"red\", \"id\": 1, \"kind\": \"nothing\"}, \"id\": 3}\r\n\
         {\"return\": -1, \"id\": 1}\r\n"
    );
}

/// What a client gets of an event, without its timestamp.
fn emitted<E: EventData>(event: &E) -> String {
    let mut session = session(&Dispatcher(Server));
    let at = Timestamp {
        seconds: 1,
        microseconds: 2,
    };
    session.emit(event, at);
    let line = output(&mut session);
    let start = "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, ";
    line.strip_prefix(start).unwrap().trim_end().to_owned()
}

#[test]
fn event_is_emitted_when_its_data_are_boxed_or_absent() {
    assert_eq!(emitted(&events::Stop {}), r#""event": "STOP"}"#);
    let painted = events::Painted {
        color: Color::Red,
        by: None,
    };
    assert_eq!(
        emitted(&painted),
        r#""event": "PAINTED", "data": {"color": "red"}}"#
    );
    let figure = events::Figure(figure(1, FigureBranch::Nothing));
    assert_eq!(
        emitted(&figure),
        r#""event": "FIGURE", "data": {"id": 1, "kind": "nothing"}}"#
    );
}

impl own::Commands for Server {
    fn exhibit(&self, gallery: own::Gallery) -> qapi_wire::Result<own::Brush> {
        assert_eq!(gallery.figures, [figure(1, FigureBranch::Nothing)]);
        Ok(own::Brush {
            color: own::BrushBranch::Unknown(Ping::default()),
            numbers: Vec::new(),
        })
    }

    fn shape(&self) -> qapi_wire::Result<Vec<Figure>> {
        Ok(vec![figure(2, FigureBranch::Nothing)])
    }
}

/// The module of every shape, generated elsewhere, and the schema's own are
/// one interface: types, commands, events.
#[test]
fn schema_includes_a_module_when_another_crate_has_its_code() {
    let server = borrowed::Dispatcher(Server);
    let mut session = session(&server);
    session.receive(b"{'execute': 'shape'} {'execute': 'now'} {'execute': 'exhibit', ");
    session.receive(b"'arguments': {'figures': [{'id': 1, 'kind': 'nothing'}], 'any': null}}");
    session.run(&server, &Context::strict());
    assert_eq!(
        output(&mut session),
        "{\"return\": [{\"id\": 2, \"kind\": \"nothing\"}]}\r\n{\"return\": -1}\r\n\
         {\"return\": {\"color\": \"unknown\", \"numbers\": []}}\r\n"
    );
    assert_eq!(borrowed::COMMANDS.len(), schema::COMMANDS.len() + 2);
    assert_eq!(borrowed::OwnDispatcher(Server).commands().len(), 2);
    let context = Context::tolerant();
    let stop = borrowed::Event::decode("STOP", Node::empty_object(), &context);
    assert_eq!(stop.unwrap(), borrowed::Event::Stop(events::Stop {}));
    let closed = borrowed::Event::decode("CLOSED", Node::empty_object(), &context);
    let data = own::events::Closed { subject: None };
    assert_eq!(closed.unwrap(), borrowed::Event::Closed(data));
}

/// The table is what `qapi-gen introspect` prints, to the byte but for blanks.
#[test]
fn schema_is_available_as_data() {
    let check = |file: &str, loader: &dyn Loader, table: &[SchemaInfo]| {
        let text = Introspection::default().json(&check(file, loader).schema.unwrap());
        let expected = qapi_wire::json::parse(text.as_bytes()).unwrap();
        let told = table.iter().map(to_json).collect::<Vec<_>>().join(", ");
        assert_eq!(format!("[{told}]"), to_json(&expected), "{file}");
    };
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/cases");
    let shapes = format!("{folder}/rust/every-shape.json");
    check(&shapes, &FsLoader, schema::SCHEMA);
    let main = format!("{folder}/extern/qapi-schema.json");
    let loader = IncludeFolders::new(&FsLoader, &main, [("shapes", format!("{folder}/rust"))]);
    check(&main, &loader, borrowed::SCHEMA);
}

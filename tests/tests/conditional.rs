//! What the code generated for `cases/rust/conditional.json` does in each
//! configuration: what is there, and that what is not there leaves no trace.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fmt::Debug;

use qapi_wire::command::{Call, CommandSet, Event as _, Request};
use qapi_wire::{Context, Decode, Document, Encode, Node, Writer, from_json, to_json};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tests::conditional::{a, b, features, ignored, off, on, resolved_a, resolved_off};

fn round_trip<T>(text: &str)
where
    T: Encode + Decode + Serialize + DeserializeOwned + PartialEq + Debug,
{
    let value = from_json::<T>(text.as_bytes(), &Context::strict()).unwrap();
    assert_eq!(to_json(&value), text);
    let by_serde = serde_json::to_value(&value).unwrap();
    assert_eq!(
        by_serde,
        serde_json::from_str::<serde_json::Value>(text).unwrap()
    );
    assert_eq!(serde_json::from_value::<T>(by_serde).unwrap(), value);
}

fn refused<T: Decode + Debug>(text: &str) -> String {
    from_json::<T>(text.as_bytes(), &Context::strict())
        .unwrap_err()
        .desc()
        .to_owned()
}

/// The tables of both enums fit each other, whichever values there are.
macro_rules! check_enums {
    ($module:ident: $closed:expr, $open:expr, $only:expr) => {{
        use $module::conditional::{Closed, OnlyA, Open};
        assert_eq!(Closed::NAMES, $closed);
        assert_eq!(Open::NAMES, $open);
        assert_eq!(OnlyA::NAMES, $only);
        for (place, value) in Closed::ALL.iter().enumerate() {
            assert_eq!(value.index(), place);
            assert_eq!(Closed::NAMES.get(place), Some(&value.name()));
            assert_eq!(value.name().parse(), Ok(*value));
        }
        for (place, value) in Open::ALL.iter().enumerate() {
            assert_eq!(value.index(), Some(place));
            assert_eq!(value.name().parse::<Open>().as_ref(), Ok(value));
        }
        assert_eq!(Open::Unknown("z".into()).index(), None);
        for (place, value) in OnlyA::ALL.iter().enumerate() {
            assert_eq!(value.index(), place);
            assert_eq!(OnlyA::NAMES.get(place), Some(&value.name()));
        }
    }};
}

#[test]
fn enum_values_are_numbered_without_absent_ones() {
    check_enums!(off: ["always", "neither", "last"], ["always"], [""; 0]);
    check_enums!(a: ["a", "always", "last"], ["a", "always"], ["a", "b"]);
    check_enums!(b: ["always", "last"], ["always", "b"], [""; 0]);
    check_enums!(on: ["a", "always", "both", "last"], ["a", "always", "b"], ["a", "b"]);
    check_enums!(resolved_off: ["always", "neither", "last"], ["always"], [""; 0]);
    check_enums!(resolved_a: ["a", "always", "last"], ["a", "always"], ["a", "b"]);
    let all = ["a", "always", "both", "neither", "last"];
    check_enums!(ignored: all, ["a", "always", "b"], ["a", "b"]);
}

#[test]
fn member_is_unexpected_when_its_condition_is_false() {
    round_trip::<off::conditional::Part>(r#"{"first": 1, "old": "x"}"#);
    round_trip::<a::conditional::Part>(r#"{"first": 1, "a": "x"}"#);
    round_trip::<b::conditional::Part>(r#"{"first": 1, "b": 0.5}"#);
    round_trip::<on::conditional::Part>(r#"{"first": 1, "a": "x", "b": 0.5}"#);
    round_trip::<resolved_a::conditional::Part>(r#"{"first": 1, "a": "x"}"#);
    round_trip::<off::conditional::AllOptional>("{}");
    round_trip::<off::conditional::AllRequired>("{}");
    round_trip::<b::conditional::AllOptional>(r#"{"b": [{}]}"#);
    round_trip::<on::conditional::Inherits>(
        r#"{"first": 1, "a": "x", "own": {"first": 2, "a": "x"}}"#,
    );
    assert_eq!(
        refused::<off::conditional::Part>("{'first': 1, 'a': 'x'}"),
        "Parameter 'a' is unexpected"
    );
    assert_eq!(
        refused::<a::conditional::Part>("{'first': 1}"),
        "Parameter 'a' is missing"
    );
}

#[test]
fn union_has_the_branches_of_the_configuration() {
    round_trip::<off::conditional::OnClosed>(r#"{"kind": "always"}"#);
    round_trip::<off::conditional::OnClosed>(r#"{"kind": "neither"}"#);
    round_trip::<a::conditional::OnClosed>(r#"{"kind": "a", "extra": 1, "x": 2}"#);
    round_trip::<a::conditional::OnClosed>(r#"{"kind": "always"}"#);
    round_trip::<on::conditional::OnClosed>(r#"{"kind": "always", "a": 1}"#);
    round_trip::<resolved_a::conditional::OnClosed>(r#"{"kind": "a", "extra": 1, "x": 2}"#);
    round_trip::<on::conditional::OnOpen>(r#"{"kind": "a", "x": 2}"#);
    round_trip::<a::conditional::OnOnlyA>(r#"{"kind": "a", "x": 2}"#);
    // With a branch in one configuration, without in the other.
    let _ = off::conditional::OnClosedBranch::Always;
    let _ = b::conditional::OnClosedBranch::Always(b::conditional::AllRequired {});
    let invalid = "Parameter 'kind' does not accept value 'a'";
    assert_eq!(
        refused::<off::conditional::OnClosed>("{'kind': 'a'}"),
        invalid
    );
    assert_eq!(
        refused::<off::conditional::OnOnlyA>("{'kind': 'a'}"),
        invalid
    );
    assert_eq!(
        refused::<resolved_off::conditional::OnOnlyA>("{'kind': 'a'}"),
        invalid
    );
}

#[test]
fn alternate_has_the_branches_of_the_configuration() {
    round_trip::<off::conditional::Either>("true");
    round_trip::<a::conditional::Either>("[1, 2]");
    round_trip::<a::conditional::OnlyAEither>(r#"{"x": 1}"#);
    assert!(refused::<off::conditional::Either>("[1]").contains("expected"));
    for refused in [
        refused::<off::conditional::OnlyAEither>("true"),
        refused::<resolved_off::conditional::OnlyAEither>("true"),
    ] {
        assert!(refused.contains("expected"), "{refused}");
    }
}

/// A server for each configuration: a handler has its command's condition.
macro_rules! server {
    ($server:ident: $module:ident $(, $handler:item)*) => {
        struct $server;

        impl $module::conditional::Commands for $server {
            fn always(
                &self,
                _: $module::conditional::Part,
            ) -> qapi_wire::Result<$module::conditional::OnOpen> {
                Ok($module::conditional::OnOpen {
                    kind: $module::conditional::OnOpenBranch::Always,
                })
            }

            fn take_all(
                &self,
                _: $module::conditional::commands::TakeAll,
            ) -> qapi_wire::Result<()> {
                Ok(())
            }

            $($handler)*
        }
    };
}

server!(Off: off,
fn without_b(&self) -> qapi_wire::Result<()> {
    Ok(())
});
server!(WithB: b,
fn with_b(&self, _: b::conditional::OnClosed) -> qapi_wire::Result<()> {
    Ok(())
});

impl off::conditional_whole::Commands for Off {}
impl b::conditional_whole::Commands for WithB {}

fn execute(set: &dyn CommandSet, name: &str, arguments: &str) -> Result<String, String> {
    let context = Context::strict();
    let arguments = Document::parse(arguments.as_bytes()).unwrap();
    let call = Call {
        name,
        arguments: arguments.root(),
        context: &context,
    };
    let mut out = Vec::new();
    match set.execute(call, &mut Writer::new(&mut out)) {
        Ok(()) => Ok(String::from_utf8(out).unwrap()),
        Err(error) => Err(error.desc().to_owned()),
    }
}

#[test]
fn command_is_not_found_when_its_condition_is_false() {
    let names = |set: &dyn CommandSet| {
        let names: Vec<_> = set.commands().iter().map(|info| info.name).collect();
        for name in &names {
            assert_eq!(set.command(name).unwrap().name, *name);
        }
        names
    };
    let (off, with_b) = (off::Dispatcher(Off), b::Dispatcher(WithB));
    assert_eq!(names(&off), ["always", "without-b", "take-all"]);
    assert_eq!(names(&with_b), ["always", "with-b", "take-all"]);
    assert_eq!(off.command("with-a"), None);
    let always = execute(&off, "always", "{'first': 1}");
    assert_eq!(always.as_deref(), Ok(r#"{"kind": "always"}"#));
    assert!(execute(&off, "without-b", "{}").is_ok());
    assert!(execute(&with_b, "with-b", "{'kind': 'always'}").is_ok());
    for (set, name) in [
        (&off as &dyn CommandSet, "with-b"),
        (&off, "whole"),
        (&off, "whole-b"),
        (&with_b, "without-b"),
        (&with_b, "with-a"),
    ] {
        assert_eq!(
            execute(set, name, "{}").unwrap_err(),
            format!("The command {name} has not been found")
        );
    }
    assert_eq!(on::COMMANDS.len(), 6);
    assert_eq!(a::COMMANDS.len(), 5);
    assert_eq!(resolved_a::COMMANDS.len(), 5);
}

#[test]
fn feature_is_absent_when_its_condition_is_false() {
    use off::conditional::commands::Always as OffAlways;
    use on::conditional::commands::Always as OnAlways;
    assert_eq!(OffAlways::INFO.features, ["plain"]);
    assert_eq!(OnAlways::INFO.features, ["plain", "featured"]);
    assert_eq!(a::conditional::events::WithA::FEATURES, [""; 0]);
    assert_eq!(on::conditional::events::WithA::FEATURES, ["featured"]);
    assert_eq!(resolved_a::conditional::events::WithA::FEATURES, [""; 0]);
}

#[test]
fn event_is_not_listed_when_its_condition_is_false() {
    let decode =
        |name| off::Event::decode(name, Node::empty_object(), &Context::tolerant()).unwrap();
    assert!(matches!(decode("ALWAYS"), off::Event::Always(_)));
    assert!(matches!(decode("WITH_A"), off::Event::Unlisted { .. }));
    assert!(matches!(decode("WHOLE"), off::Event::Unlisted { .. }));
    let decode =
        |name| on::Event::decode(name, Node::empty_object(), &Context::tolerant()).unwrap();
    assert!(matches!(decode("WHOLE"), on::Event::Whole(_)));
}

#[test]
fn condition_follows_the_cargo_feature_of_its_symbol() {
    use features::conditional::Open;
    assert_eq!(Open::NAMES.contains(&"a"), cfg!(feature = "conditional-a"));
    assert_eq!(Open::NAMES.contains(&"b"), cfg!(feature = "conditional-b"));
}

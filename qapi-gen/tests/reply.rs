//! Replies to `query-qmp-schema`, also of servers that lie.

#![cfg(feature = "wire")]
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests may stop at the first surprise"
)]

use std::fmt::Write as _;

use qapi_gen::compare::wire;
use qapi_gen::interface::Interface;

/// Returns a reply with a command `c`, which takes type `T`.
fn reply(types: &str) -> String {
    format!(
        "[{{\"name\": \"c\", \"meta-type\": \"command\", \"arg-type\": \"T\", \"ret-type\": \"E\"}},\n\
         {{\"name\": \"E\", \"meta-type\": \"object\", \"members\": []}},\n\
         {{\"name\": \"int\", \"meta-type\": \"builtin\", \"json-type\": \"int\"}}, {types}]"
    )
}

fn object(name: &str, members: &str) -> String {
    format!("{{\"name\": \"{name}\", \"meta-type\": \"object\", \"members\": [{members}]}}")
}

#[track_caller]
fn refused(text: &str) -> String {
    Interface::of_reply(text.as_bytes())
        .unwrap_err()
        .to_string()
}

#[test]
fn each_lie_is_refused_with_its_name() {
    let empty = object("T", "");
    for (types, expected) in [
        (
            "{\"name\": \"T\", \"meta-type\": \"enum\", \"values\": []}",
            "the arguments of 'c' are not an object",
        ),
        (
            "{\"name\": \"T\", \"meta-type\": \"object\"}",
            "key 'members' in the entry of 'T' is missing or has another form",
        ),
        (
            &object("T", "{\"name\": \"m\", \"type\": \"X\"}"),
            "the entry of 'T' names type 'X', which has no entry",
        ),
        (
            &format!(
                "{empty}, {{\"name\": \"A\", \"meta-type\": \"array\", \"element-type\": \"A\"}}"
            ),
            "type 'A' is an array of arrays",
        ),
        (
            &format!(
                "{empty}, {{\"name\": \"A\", \"meta-type\": \"alternate\", \
                 \"members\": [{{\"type\": \"A\"}}]}}"
            ),
            "type 'A' is an alternate of alternates",
        ),
        (
            "{\"name\": \"T\", \"meta-type\": \"object\", \
             \"members\": [{\"name\": \"t\", \"type\": \"int\"}], \"tag\": \"t\", \
             \"variants\": [{\"case\": \"x\", \"type\": \"T\"}]}",
            "type 'T' has a variant that is no object, or variants nest too deeply",
        ),
        (
            "{\"name\": \"T\", \"meta-type\": \"object\", \"members\": [], \"variants\": []}",
            "type 'T' has variants without a tag",
        ),
        (
            "{\"name\": \"T\", \"meta-type\": \"object\", \"members\": [], \"tag\": \"t\", \
             \"variants\": []}",
            "type 'T' has no member 't', its tag",
        ),
        (
            &object("T", "{\"name\": \"m\", \"type\": \"int\", \"new\": 1}"),
            "a part of the entry of 'T' has an unknown key 'new'",
        ),
        (&format!("{empty}, {empty}"), "two entries are called 'T'"),
        (
            "{\"name\": \"T\", \"meta-type\": \"object\", \"members\": [], \"new\": 1}",
            "the entry of object 'T' has an unknown key 'new'",
        ),
    ] {
        assert_eq!(refused(&reply(types)), expected, "{types}");
    }
    assert!(refused("[}").starts_with("it is not JSON: "));
    assert_eq!(refused("[{"), "it is JSON that does not end");
    assert_eq!(
        refused("{\"return\": 1} {}"),
        "it contains JSON, but no reply to query-qmp-schema"
    );
    assert_eq!(
        refused(""),
        "it is empty; a reply to query-qmp-schema is expected"
    );
    assert!(refused("[{\"meta-type\": 1}]").starts_with("entry 0 has no 'name'"));
}

#[test]
fn chain_of_types_ends_with_an_error_and_no_overflow() {
    let chain = |leaf: &str| {
        let mut types = object("T", "{\"name\": \"m\", \"type\": \"T1\"}");
        for level in 1..50_000 {
            let member = format!("{{\"name\": \"m\", \"type\": \"T{}\"}}", level + 1);
            let _ = write!(types, ", {}", object(&format!("T{level}"), &member));
        }
        types + ", " + &object("T50000", leaf)
    };
    let old = Interface::of_reply(reply(&chain("")).as_bytes()).unwrap();
    let new = chain("{\"name\": \"n\", \"type\": \"int\"}");
    let new = Interface::of_reply(reply(&new).as_bytes()).unwrap();
    assert!(wire(&old, &new).is_err());
    assert_eq!(wire(&old, &old).unwrap(), []);
    assert!(old.paths().is_err());
    assert!(!old.has("c/arg-type/m/m/x"));
}

#[test]
fn values_with_a_long_path_end_with_an_error_before_memory_does() {
    let interface = |prefix: &str| {
        let member = format!("{{\"name\": \"{}\", \"type\": \"N\"}}", "m".repeat(20_000));
        let values: Vec<String> = (0..20_000).map(|at| format!("\"{prefix}{at}\"")).collect();
        let values = values.join(", ");
        let names = format!("{{\"name\": \"N\", \"meta-type\": \"enum\", \"values\": [{values}]}}");
        let types = format!("{}, {names}", object("T", &member));
        Interface::of_reply(reply(&types).as_bytes()).unwrap()
    };
    assert!(wire(&interface("a"), &interface("b")).is_err());
}

#[test]
fn recursive_types_are_compared_once() {
    let types = object("T", "{\"name\": \"m\", \"type\": \"T\", \"default\": null}");
    let old = Interface::of_reply(reply(&types).as_bytes()).unwrap();
    let more = object(
        "T",
        "{\"name\": \"m\", \"type\": \"T\", \"default\": null}, {\"name\": \"n\", \"type\": \"int\"}",
    );
    let new = Interface::of_reply(reply(&more).as_bytes()).unwrap();
    let changes = wire(&old, &new).unwrap();
    assert_eq!(changes.len(), 1);
    assert_eq!(
        changes[0].to_string(),
        "+ breaking mandatory-added c/n (send): mandatory int"
    );
}

//! Tables as generated code fills them, and what a server tells of them.

#![allow(clippy::unwrap_used, reason = "tests")]

use qapi_wire::command::{Call, CommandInfo, CommandSet};
use qapi_wire::introspect::{EnumMember, Introspection, Member, Meta, SchemaInfo, Variant, find};
use qapi_wire::{Encode, OpenValues, Result, Writer, to_json};

const fn info(name: &'static str, meta: Meta) -> SchemaInfo {
    SchemaInfo {
        name,
        meta,
        features: &[],
    }
}

static SCHEMA: &[SchemaInfo] = &[
    SchemaInfo {
        name: "paint",
        meta: Meta::Command {
            arg_type: "0",
            ret_type: "[1]",
            allow_oob: true,
        },
        features: &["unstable"],
    },
    info("STOP", Meta::Event { arg_type: "0" }),
    info(
        "0",
        Meta::Object {
            members: &[
                Member::Required("a", "1"),
                Member::Featured(&Member::Optional("b", "str"), &["deprecated"]),
            ],
            tag: Some("a"),
            variants: &[Variant("red", "0")],
        },
    ),
    info(
        "1",
        Meta::Enum {
            open: Some("Color"),
            members: &[
                EnumMember::Plain("red"),
                EnumMember::Featured("green", &["unstable"]),
            ],
        },
    ),
    info("[1]", Meta::Array { element_type: "1" }),
    info(
        "2",
        Meta::Alternate {
            members: &["1", "int"],
        },
    ),
    info("int", Meta::Builtin { json_type: "int" }),
];

#[test]
fn entry_of_each_kind_is_written_as_qemu_does() {
    let rows = [
        (
            "paint",
            r#"{"name": "paint", "meta-type": "command", "arg-type": "0", "ret-type": "[1]", "allow-oob": true, "features": ["unstable"]}"#,
        ),
        (
            "STOP",
            r#"{"name": "STOP", "meta-type": "event", "arg-type": "0"}"#,
        ),
        (
            "0",
            r#"{"name": "0", "meta-type": "object", "members": [{"name": "a", "type": "1"}, {"name": "b", "type": "str", "default": null, "features": ["deprecated"]}], "tag": "a", "variants": [{"case": "red", "type": "0"}]}"#,
        ),
        (
            "1",
            r#"{"name": "1", "meta-type": "enum", "members": [{"name": "red"}, {"name": "green", "features": ["unstable"]}], "values": ["red", "green"]}"#,
        ),
        (
            "[1]",
            r#"{"name": "[1]", "meta-type": "array", "element-type": "1"}"#,
        ),
        (
            "2",
            r#"{"name": "2", "meta-type": "alternate", "members": [{"type": "1"}, {"type": "int"}]}"#,
        ),
        (
            "int",
            r#"{"name": "int", "meta-type": "builtin", "json-type": "int"}"#,
        ),
    ];
    for (name, expected) in rows {
        assert_eq!(to_json(find(SCHEMA, name).unwrap()), expected);
    }
    let all = rows.map(|(_, text)| text).join(", ");
    assert_eq!(to_json(&Introspection::new(SCHEMA)), format!("[{all}]"));
}

struct Colors;

impl OpenValues for Colors {
    fn is_registered(&self, enum_name: &str, value: &str) -> bool {
        enum_name == "Color" && value == "mauve"
    }

    fn registered(&self, enum_name: &str) -> Vec<String> {
        assert_eq!(enum_name, "Color");
        vec!["red".to_owned(), "mauve".to_owned()]
    }
}

/// Serves no command at all.
struct Nothing;

impl CommandSet for Nothing {
    fn commands(&self) -> Vec<&'static CommandInfo> {
        Vec::new()
    }

    fn command(&self, _: &str) -> Option<&'static CommandInfo> {
        None
    }

    fn execute(&self, call: Call<'_>, _: &mut Writer<'_>) -> Result<()> {
        Err(call.not_found())
    }
}

#[test]
fn registered_values_come_last_and_once() {
    let text = to_json(&Introspection::new(SCHEMA).with_open_values(&Colors));
    let members = r#"[{"name": "red"}, {"name": "green", "features": ["unstable"]}, {"name": "mauve"}], "values": ["red", "green", "mauve"]}"#;
    assert!(text.contains(members), "{text}");
    assert_eq!(text.matches("mauve").count(), 2);
}

#[test]
fn command_is_left_out_when_it_is_not_served() {
    let whole = to_json(&Introspection::new(SCHEMA));
    let text = to_json(&Introspection::new(SCHEMA).restricted_to(&Nothing));
    let paint = format!("{}, ", to_json(find(SCHEMA, "paint").unwrap()));
    assert_eq!(text, whole.replace(&paint, ""));
}

#[test]
fn deprecated_entries_are_left_out_when_the_policy_hides_them() {
    let told = |policy: &str| {
        let mut bytes = Vec::new();
        let mut out = Writer::new(&mut bytes).with_policy(policy.parse().unwrap());
        Introspection::new(SCHEMA).encode(&mut out);
        String::from_utf8(bytes).unwrap()
    };
    let member = r#"{"name": "b", "type": "str", "default": null, "features": ["deprecated"]}"#;
    assert!(told("deprecated-output=accept").contains(member));
    let hidden = told("deprecated-output=hide");
    assert!(!hidden.contains(r#""name": "b""#), "{hidden}");
    // As in QEMU, this hides only what is deprecated.
    assert!(told("unstable-output=hide").contains(r#""name": "paint""#));
}

//! What code does that was generated with choices: a part of the schema, a
//! type of our own, further derives, no layout.

#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(deprecated, reason = "the schema marks a command as deprecated")]

use qapi_wire::{Context, from_json, to_json};
use tests::choices::every_shape::{Figure, FigureBranch, OrgExampleThing, Shape};
use tests::choices::{self, Event};
use tests::replacement::Disc;

#[test]
fn branch_is_our_type_when_the_builder_replaces_it() {
    let figure = Figure {
        id: 1,
        kind: FigureBranch::Circle(Disc { diameter: 3.0 }),
        label: None,
    };
    let text = r#"{"id": 1, "kind": "circle", "radius": 1.5}"#;
    assert_eq!(to_json(&figure), text);
    let context = Context::strict();
    assert_eq!(
        from_json::<Figure>(text.as_bytes(), &context).unwrap(),
        figure
    );
    assert_eq!(serde_json::from_str::<Figure>(text).unwrap(), figure);
    let by_serde: serde_json::Value = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_value(&figure).unwrap(), by_serde);
    let error = from_json::<Figure>(b"{'id': 1, 'kind': 'circle', 'radius': 'x'}", &context);
    assert_eq!(
        error.unwrap_err().desc(),
        "Invalid parameter type for 'radius', expected: number"
    );
}

#[test]
fn generated_types_derive_traits_when_the_builder_names_them() {
    let thing = |part: &str| OrgExampleThing {
        org_example_part: Some(part.to_owned()),
    };
    assert!(thing("a") < thing("b"));
    assert!(Shape::Point < Shape::Circle);
}

#[test]
fn module_has_only_the_chosen_definitions() {
    let names: Vec<_> = choices::COMMANDS.iter().map(|info| info.name).collect();
    assert_eq!(names, ["paint", "things"]);
    assert!(choices::command("stop").is_none());
    let decode = |name| Event::decode(name, qapi_wire::Node::empty_object(), &Context::tolerant());
    assert!(matches!(decode("STOP"), Ok(Event::Unlisted { .. })));
    assert!(decode("FIGURE").is_err(), "it is known, and has members");
}

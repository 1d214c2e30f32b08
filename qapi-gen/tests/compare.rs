//! The comparison of schemas: every kind of change, in both directions, and what is
//! no change.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests may stop at the first surprise"
)]

use qapi_gen::compare::{Change, Code, rust, wire};
use qapi_gen::interface::Interface;
use qapi_gen::{MemoryLoader, check};

fn interface(schema: &str) -> Interface {
    let files = MemoryLoader::from_iter([("a.json", schema)]);
    let outcome = check("a.json", &files);
    let errors = outcome.diagnostics.errors();
    let errors: Vec<_> = errors.map(|error| error.short(&outcome.sources)).collect();
    let schema = outcome
        .schema
        .unwrap_or_else(|| panic!("{}\n{schema}", errors.join("\n")));
    Interface::of_schema(&schema, &outcome.sources)
}

/// Returns the changes of schemas that have a type `T`, sent by `send`, received from
/// `recv`, and in the data of `EVENT`. The place is left out.
fn changes(old: &str, new: &str) -> Vec<String> {
    changes_of_schemas(&both_ways(old), &both_ways(new))
}

fn both_ways(definitions: &str) -> String {
    format!(
        "{definitions}\n\
         {{ 'command': 'send', 'data': {{ 'a': 'Tt' }} }}\n\
         {{ 'command': 'recv', 'returns': {{ 'a': 'Tt' }} }}\n"
    )
    .replace("'returns': { 'a': 'Tt' }", "'returns': 'Result'")
        + "{ 'struct': 'Result', 'data': { 'a': 'Tt' } }\n"
}

fn changes_of_schemas(old: &str, new: &str) -> Vec<String> {
    let changes = wire(&interface(old), &interface(new)).unwrap();
    let line = |change: &Change| {
        let mut change = change.clone();
        assert!(change.place.is_some(), "{change}");
        change.place = None;
        change.to_string()
    };
    changes.iter().map(line).collect()
}

#[track_caller]
fn expect(old: &str, new: &str, expected: &[&str]) {
    assert_eq!(changes(old, new), expected, "from {old}\nto {new}");
}

#[track_caller]
fn expect_schemas(old: &str, new: &str, expected: &[&str]) {
    assert_eq!(
        changes_of_schemas(old, new),
        expected,
        "from {old}\nto {new}"
    );
}

const EMPTY: &str = "{ 'struct': 'Tt', 'data': {} }";
const OPTIONAL: &str = "{ 'struct': 'Tt', 'data': { '*m': 'int' } }";
const MANDATORY: &str = "{ 'struct': 'Tt', 'data': { 'm': 'int' } }";

#[test]
fn members_matter_by_direction_and_presence() {
    expect(
        EMPTY,
        OPTIONAL,
        &[
            "+ compatible member-added recv ->/a/m (receive): optional int",
            "+ compatible member-added send/a/m (send): optional int",
        ],
    );
    expect(
        EMPTY,
        MANDATORY,
        &[
            "+ compatible mandatory-added recv ->/a/m (receive): mandatory int",
            "+ breaking mandatory-added send/a/m (send): mandatory int",
        ],
    );
    expect(
        OPTIONAL,
        EMPTY,
        &[
            "- risky member-removed recv ->/a/m (receive): optional int",
            "- breaking member-removed send/a/m (send): optional int",
        ],
    );
    expect(
        MANDATORY,
        EMPTY,
        &[
            "- breaking member-removed recv ->/a/m (receive): mandatory int",
            "- breaking member-removed send/a/m (send): mandatory int",
        ],
    );
    expect(
        MANDATORY,
        OPTIONAL,
        &[
            ". breaking became-optional recv ->/a/m (receive): mandatory int → optional int",
            ". compatible became-optional send/a/m (send): mandatory int → optional int",
        ],
    );
    expect(
        OPTIONAL,
        MANDATORY,
        &[
            ". compatible became-mandatory recv ->/a/m (receive): optional int → mandatory int",
            ". breaking became-mandatory send/a/m (send): optional int → mandatory int",
        ],
    );
}

#[test]
fn values_matter_by_direction() {
    let one = "{ 'enum': 'Tt', 'data': [ 'x' ] }";
    let two = "{ 'enum': 'Tt', 'data': [ 'y', 'x' ] }";
    expect(
        one,
        two,
        &[
            "+ compatible value-added recv ->/a=y (receive): value",
            "+ compatible value-added send/a=y (send): value",
        ],
    );
    expect(
        two,
        one,
        &[
            "- risky value-removed recv ->/a=y (receive): value",
            "- breaking value-removed send/a=y (send): value",
        ],
    );
}

/// Compares a member of type `old` with one of type `new`.
#[track_caller]
fn expect_types(old: &str, new: &str, received: &str, sent: &str) {
    let definitions = "{ 'enum': 'Ee', 'data': [ 'x' ] }\n{ 'struct': 'Ss', 'data': {} }\n\
                       { 'alternate': 'Aa', 'data': { 's': 'str', 'o': 'Ss' } }\n\
                       { 'alternate': 'Bb', 'data': { 's': 'str', 'o': 'Ss', 'n': 'null' } }\n";
    let schema = |ty: &str| format!("{definitions}{{ 'struct': 'Tt', 'data': {{ 'm': {ty} }} }}");
    let mut expected = Vec::new();
    for (level_and_code, place) in [
        (received, "recv ->/a/m (receive)"),
        (sent, "send/a/m (send)"),
    ] {
        expected.push(format!("{level_and_code} {place}"));
    }
    let found = changes(&schema(old), &schema(new));
    let found: Vec<&str> = found
        .iter()
        .map(|line| line.split_once(':').unwrap().0[2..].trim())
        .collect();
    assert_eq!(found, expected, "{old} to {new}");
}

#[test]
fn types_matter_by_direction() {
    let (b, r, c) = ("breaking", "risky", "compatible");
    for (old, new, code, received, sent) in [
        ("'int'", "'number'", "int-to-number", b, c),
        ("'number'", "'int'", "number-to-int", c, b),
        ("'str'", "'Ee'", "string-to-enum", c, r),
        ("'Ee'", "'str'", "enum-to-string", r, c),
        ("'str'", "'any'", "type-to-any", b, c),
        ("'any'", "'str'", "any-to-type", c, b),
        ("'Ss'", "'any'", "type-to-any", b, c),
        ("'str'", "'int'", "type-changed", b, b),
        ("'str'", "[ 'str' ]", "type-changed", b, b),
        ("[ 'Ss' ]", "'Ss'", "type-changed", b, b),
        ("'str'", "'Aa'", "type-to-alternate", b, c),
        ("'Aa'", "'Ss'", "alternate-to-type", c, b),
        ("'bool'", "'Aa'", "type-changed", b, b),
        ("'Aa'", "'Bb'", "alternate-type-added", b, c),
        ("'Bb'", "'Aa'", "alternate-type-removed", c, b),
        ("'uint32'", "'uint16'", "range-narrowed", c, r),
        ("'uint16'", "'uint32'", "range-widened", r, c),
    ] {
        let line = |level: &str| format!("{level} {code}");
        expect_types(old, new, &line(received), &line(sent));
    }
}

const TAGGED: &str = "{ 'enum': 'Ee', 'data': [ 'x', 'y' ] }\n\
                      { 'struct': 'Xx', 'data': { 'm': 'int' } }\n\
                      { 'struct': 'Yy', 'data': { '*n': 'int' } }\n";

#[test]
fn struct_that_becomes_union_is_judged_by_value_of_the_tag() {
    let old = format!("{TAGGED}{{ 'struct': 'Tt', 'data': {{ 'e': 'Ee', 'm': 'int' }} }}");
    let new = format!(
        "{TAGGED}{{ 'union': 'Tt', 'base': {{ 'e': 'Ee' }}, 'discriminator': 'e', \
         'data': {{ 'x': 'Xx' }} }}"
    );
    expect(
        &old,
        &new,
        &[
            ". risky struct-to-union recv ->/a (receive): struct → union",
            ". breaking became-optional recv ->/a/m (receive): mandatory int → only with some \
         values of the tag",
            ". risky struct-to-union send/a (send): struct → union",
            "- breaking member-removed send/a/+y/m (send): mandatory int",
        ],
    );
    expect(
        &new,
        &old,
        &[
            ". risky union-to-struct recv ->/a (receive): union → struct",
            "+ compatible mandatory-added recv ->/a/m (receive): mandatory int",
            ". compatible union-to-struct send/a (send): union → struct",
            "+ breaking mandatory-added send/a/m (send): mandatory int",
        ],
    );
}

#[test]
fn struct_that_becomes_union_is_judged_by_values_that_could_be_used() {
    let old = "{ 'enum': 'Ee', 'data': [ 'x' ] }\n\
               { 'struct': 'Tt', 'data': { 'e': 'Ee', 'm': 'int' } }";
    let new = format!(
        "{TAGGED}{{ 'union': 'Tt', 'base': {{ 'e': 'Ee' }}, 'discriminator': 'e', \
         'data': {{ 'x': 'Xx' }} }}"
    );
    expect(
        old,
        &new,
        &[
            ". risky struct-to-union recv ->/a (receive): struct → union",
            "+ compatible value-added recv ->/a/e=y (receive): value",
            ". risky struct-to-union send/a (send): struct → union",
            "+ compatible value-added send/a/e=y (send): value",
        ],
    );
}

#[test]
fn discriminator_that_moves_to_another_member_is_breaking() {
    let union = |tag: &str| {
        format!(
            "{TAGGED}{{ 'union': 'Tt', 'base': {{ 'e': 'Ee', 'f': 'Ee' }}, \
             'discriminator': '{tag}', 'data': {{ 'x': 'Xx' }} }}"
        )
    };
    expect(
        &union("e"),
        &union("f"),
        &[
            ". breaking tag-changed recv ->/a (receive): e → f",
            ". breaking tag-changed send/a (send): e → f",
        ],
    );
}

#[test]
fn mark_of_today_does_not_excuse_a_break() {
    expect_schemas(
        "{ 'command': 'c', 'data': { '*a': 'int' } }",
        "{ 'command': 'c', 'data': {}, 'features': [ 'unstable' ] }",
        &[
            "+ risky became-unstable c: feature unstable",
            "- breaking member-removed c/a (send): optional int",
        ],
    );
}

#[test]
fn features_and_conditions_of_types_are_compared_where_they_are_used() {
    expect(
        "{ 'enum': 'Tt', 'data': [ 'x' ], 'features': [ 'f' ] }",
        "{ 'enum': 'Tt', 'data': [ 'x' ], 'if': 'CONFIG_A' }",
        &[
            "- risky feature-removed recv ->/a (receive): feature f",
            ". risky condition-added recv ->/a (receive): no condition → CONFIG_A",
            "- risky feature-removed send/a (send): feature f",
            ". risky condition-added send/a (send): no condition → CONFIG_A",
        ],
    );
}

#[test]
fn alternate_that_contains_itself_is_described_and_compared() {
    let alternate = "{ 'alternate': 'Tt', 'data': { 'a': [ 'Tt' ], 's': 'bool' } }";
    let found = changes(alternate, "{ 'struct': 'Tt', 'data': {} }");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].ends_with("[…|…]|boolean → object"), "{found:?}");
    assert!(!interface(&both_ways(alternate)).has("send/arg-type/a/!str"));
    assert!(interface(&both_ways(alternate)).has("send/arg-type/a/!bool"));
}

#[test]
fn branches_change_where_their_members_do() {
    let union = |branches: &str| {
        format!(
            "{TAGGED}{{ 'union': 'Tt', 'base': {{ 'e': 'Ee' }}, 'discriminator': 'e', \
             'data': {{ {branches} }} }}"
        )
    };
    expect(
        &union("'x': 'Xx', 'y': 'Yy'"),
        &union("'x': 'Xx'"),
        &[
            "- risky member-removed recv ->/a/+y/n (receive): optional int",
            "- breaking member-removed send/a/+y/n (send): optional int",
        ],
    );
    expect(
        &union("'y': 'Yy'"),
        &union("'x': 'Xx', 'y': 'Yy'"),
        &[
            "+ compatible mandatory-added recv ->/a/+x/m (receive): mandatory int",
            "+ breaking mandatory-added send/a/+x/m (send): mandatory int",
        ],
    );
}

#[test]
fn what_is_not_on_the_wire_is_no_change() {
    let old = "{ 'enum': 'Ee', 'data': [ 'x', 'y' ] }\n\
               { 'struct': 'Xx', 'data': { 'm': 'int', 'n': 'str' } }\n\
               { 'union': 'Tt', 'base': { 'e': 'Ee', 'k': 'int' }, 'discriminator': 'e', \
               'data': { 'x': 'Xx', 'y': 'Xx' } }";
    // Names of types and orders are others, and members moved between base and branches.
    let new = "{ 'enum': 'Other', 'data': [ 'y', 'x' ] }\n\
               { 'struct': 'Root', 'data': { 'k': 'int', 'e': 'Other' } }\n\
               { 'struct': 'Base', 'base': 'Root', 'data': { 'n': 'str' } }\n\
               { 'struct': 'Zz', 'data': { 'm': 'int' } }\n\
               { 'struct': 'Ww', 'base': 'Zz', 'data': {} }\n\
               { 'union': 'Tt', 'base': 'Base', 'discriminator': 'e', \
               'data': { 'x': 'Zz', 'y': 'Ww' } }";
    expect(old, new, &[]);
    expect(new, old, &[]);
}

#[test]
fn recursive_types_end_and_each_place_is_listed() {
    let tree = |leaf: &str| {
        format!(
            "{{ 'struct': 'Tt', 'data': {{ '*next': 'Tt', '*all': [ 'Tt' ], 'l': 'Ll' }} }}\n\
             {{ 'struct': 'Ll', 'data': {{ {leaf} }} }}"
        )
    };
    expect(
        &tree("'m': 'int'"),
        &tree(""),
        &[
            "- breaking member-removed recv ->/a/l/m (receive): mandatory int",
            "- breaking member-removed send/a/l/m (send): mandatory int",
        ],
    );
}

#[test]
fn commands_events_and_their_flags_are_compared() {
    let old = "{ 'command': 'gone' }\n\
               { 'command': 'kept', 'allow-oob': true, 'allow-preconfig': true, 'gen': false }\n\
               { 'command': 'silent', 'success-response': false }\n\
               { 'event': 'GONE', 'features': [ 'deprecated' ] }\n\
               { 'event': 'KEPT', 'data': { 'm': 'int' } }\n";
    let new = "{ 'command': 'kept' }\n{ 'command': 'silent' }\n{ 'command': 'x-new' }\n\
               { 'event': 'KEPT', 'data': { '*m': 'int' } }\n{ 'event': 'NEW' }\n";
    expect_schemas(
        old,
        new,
        &[
            "- breaking command-removed gone: command",
            ". breaking oob-removed kept: yes → no",
            ". breaking preconfig-removed kept: yes → no",
            ". risky arguments-closed kept: yes → no",
            ". breaking success-response-changed silent: no → yes",
            "+ compatible command-added x-new: command; unstable",
            "- breaking event-removed GONE: event; announced",
            ". breaking became-optional KEPT/m (receive): mandatory int → optional int",
            "+ compatible event-added NEW: event",
        ],
    );
    let back = changes_of_schemas(new, old);
    for code in ["oob-added", "preconfig-added", "arguments-opened"] {
        let found = back.iter().filter(|line| line.contains(code)).count();
        assert_eq!(found, 1, "{code}: {back:?}");
    }
}

#[test]
fn features_are_compared_and_marks_are_inherited() {
    let with = |features: &str| {
        format!(
            "{{ 'command': 'c', 'data': {{ '*m': {{ 'type': 'int', 'features': [ {features} ] }} }} }}"
        )
    };
    expect_schemas(
        &with("'f'"),
        &with("'deprecated', 'unstable'"),
        &[
            "- risky feature-removed c/m (send): feature f",
            "+ compatible deprecated c/m (send): feature deprecated",
            "+ risky became-unstable c/m (send): feature unstable",
        ],
    );
    expect_schemas(
        &with("'deprecated', 'unstable'"),
        &with("'f'"),
        &[
            "- compatible not-deprecated c/m (send): feature deprecated; announced; unstable",
            "- compatible became-stable c/m (send): feature unstable; announced; unstable",
            "+ compatible feature-added c/m (send): feature f; announced; unstable",
        ],
    );
    let old = "{ 'command': 'c', 'data': { 'a': 'Tt' } }\n\
               { 'struct': 'Tt', 'data': { 'm': 'int', 'n': 'int' } }";
    let deprecated = old.replace("'c',", "'c', 'features': [ 'deprecated' ],");
    let new = old.replace(", 'n': 'int'", "");
    expect_schemas(
        &deprecated,
        &new,
        &[
            "- compatible not-deprecated c: feature deprecated; announced",
            "- breaking member-removed c/a/n (send): mandatory int; announced",
        ],
    );
}

#[test]
fn conditions_are_compared_by_the_builds_they_hold_in() {
    let with = |cond: &str| format!("{{ 'command': 'c'{cond} }}");
    let either = with(", 'if': { 'any': [ 'A', 'B' ] }");
    let both = with(", 'if': { 'all': [ 'A', 'B' ] }");
    let cases = [
        (
            with(""),
            either.clone(),
            ". risky condition-added c: no condition → (A || B)",
        ),
        (
            either.clone(),
            with(""),
            ". compatible condition-removed c: (A || B) → no condition",
        ),
        (
            either.clone(),
            both.clone(),
            ". risky condition-narrowed c: (A || B) → (A && B)",
        ),
        (
            both,
            either,
            ". compatible condition-widened c: (A && B) → (A || B)",
        ),
    ];
    for (old, new, expected) in cases {
        expect_schemas(&old, &new, &[expected]);
    }
}

/// Returns the changes of the generated Rust.
fn rust_changes(old: &str, new: &str) -> Vec<String> {
    let changes = rust(&interface(old), &interface(new));
    changes.iter().map(in_short).collect()
}

fn in_short(change: &Change) -> String {
    format!("{} {}: {}", change.code, change.path, change.difference())
}

#[test]
fn rust_changes_where_the_wire_does_not() {
    let old = "{ 'struct': 'Aa', 'data': { 'm': 'int', 'w': 'uint8' } }\n\
               { 'enum': 'Ee', 'data': [ 'x', 'y' ] }\n\
               { 'enum': 'Kk', 'data': [ 'x' ] }\n\
               { 'command': 'c', 'data': { 'n': 'int' }, 'returns': 'Aa' }";
    let new = "{ 'struct': 'Aa', 'data': { '*m': 'int', '*o': 'str', 'w': 'uint16' } }\n\
               { 'enum': 'Ee', 'data': [ 'x', 'z' ] }\n\
               { 'struct': 'Kk', 'data': {} }\n\
               { 'struct': 'Bb', 'data': { 'm': 'int' } }\n\
               { 'command': 'c', 'data': { '*n': 'int' }, 'returns': 'Bb' }";
    assert_eq!(
        rust_changes(old, new),
        [
            "rust-field-type Aa/m: int → Option<int>",
            "rust-field-added Aa/o: Option<string>",
            "rust-field-type Aa/w: uint8 → uint16",
            "rust-added Bb: struct",
            "rust-variant-removed Ee/y: variant",
            "rust-variant-added Ee/z: variant",
            "rust-kind Kk: enum → struct",
            "rust-field-type c/n: int → Option<int>",
            "rust-field-type c ->: Aa → Bb",
        ]
    );
    let alternates = (
        "{ 'alternate': 'Rr', 'data': { 's': 'str', 'i': [ 'int' ] } }\n{ 'command': 'gone' }",
        "{ 'alternate': 'Rr', 'data': { 's': 'str', 'b': 'null' } }\n{ 'event': 'CAME' }",
    );
    assert_eq!(
        rust_changes(alternates.0, alternates.1),
        [
            "rust-variant-added Rr/b: variant",
            "rust-variant-removed Rr/i: variant",
            "rust-removed gone: command",
            "rust-added CAME: event",
        ]
    );
    assert_eq!(rust_changes(new, old).len(), 9);
    assert_eq!(rust_changes(old, old).len(), 0);
}

#[test]
fn every_code_has_a_test_here() {
    let source = include_str!("compare.rs");
    let names = Code::ALL.iter().map(|code| code.name());
    let missing: Vec<&str> = names
        .filter(|name| {
            !source.contains(&format!("{name} ")) && !source.contains(&format!("\"{name}\""))
        })
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn rust_items_that_move_or_go_are_listed() {
    let read = |main: &str, part: &str| {
        let files = MemoryLoader::from_iter([("a.json", main), ("b.json", part)]);
        let outcome = check("a.json", &files);
        Interface::of_schema(&outcome.schema.unwrap(), &outcome.sources)
    };
    let old = read(
        "{ 'include': 'b.json' }\n{ 'struct': 'Aa', 'data': { 'm': 'int' } }\n\
         { 'enum': 'Gone', 'data': [ 'x' ] }\n{ 'struct': 'Bb', 'data': { 'm': 'int' } }",
        "",
    );
    let new = read(
        "{ 'include': 'b.json' }\n{ 'struct': 'Bb', 'data': {} }",
        "{ 'struct': 'Aa', 'data': { 'm': 'int' } }",
    );
    let lines: Vec<String> = rust(&old, &new).iter().map(in_short).collect();
    assert_eq!(
        lines,
        [
            "rust-moved Aa: a.json → b.json",
            "rust-field-removed Bb/m: int",
            "rust-removed Gone: enum",
        ]
    );
}

#[test]
fn hostile_schemas_end_with_an_error() {
    // Each level doubles the number of places.
    let schema = |leaf: &str| {
        let mut text = format!("{{ 'struct': 'Tt0', 'data': {{ {leaf} }} }}\n");
        for level in 1..40 {
            let below = level - 1;
            text += &format!(
                "{{ 'struct': 'Tt{level}', 'data': {{ 'a': 'Tt{below}', 'b': 'Tt{below}' }} }}\n"
            );
        }
        text + "{ 'command': 'c', 'data': 'Tt39' }\n"
    };
    let (old, new) = (interface(&schema("'m': 'int'")), interface(&schema("")));
    assert!(wire(&old, &new).is_err());
    assert_eq!(wire(&old, &old).unwrap(), []);
}

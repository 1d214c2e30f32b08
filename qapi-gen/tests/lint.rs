//! Advice about schemas: what each rule finds, and what it leaves alone.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "tests may stop at the first surprise")]

mod program;

use qapi_gen::interface::Interface;
use qapi_gen::lint::{Context, DefinitionHistory, Rule, lint};
use qapi_gen::schema::CheckedSchema;
use qapi_gen::source::SourceMap;
use qapi_gen::{MemoryLoader, check};

fn checked(files: &[(&str, &str)]) -> (CheckedSchema, SourceMap) {
    let outcome = check("a.json", &MemoryLoader::from_iter(files.iter().copied()));
    let errors = outcome.diagnostics.errors();
    let errors: Vec<_> = errors.map(|error| error.short(&outcome.sources)).collect();
    assert_eq!(errors, [""; 0]);
    (outcome.schema.unwrap(), outcome.sources)
}

/// Returns the advice of one rule.
fn advice(rule: Rule, files: &[(&str, &str)], context: Context<'_>) -> Vec<String> {
    let (schema, sources) = checked(files);
    let report = lint(&schema, &sources, context);
    let advice = report.advice.iter().filter(|advice| advice.rule == rule);
    advice.map(ToString::to_string).collect()
}

#[test]
fn examples_must_be_messages_that_fit() {
    let schema = "\
##
# @stop:
#
# .. qmp-example::
#
#   -> { \"execute\": \"stop\", \"arguments\": { \"force\": true } }
#   <- { \"return\": {} }
#
# .. qmp-example::
#
#   -> { \"execute\": \"stop\",
#        \"arguments\": { \"fast\": true } }
#   <- { \"return\": { } } }
#   <- { \"event\": \"STOP\", ... }
#   -> { \"stop\": 1 }
##
{ 'command': 'stop', 'data': { '*force': 'bool' } }
";
    let schema = schema.replace(
        "# @stop:\n#\n",
        "# @stop:\n#\n# Stops.\n#\n# @force: at once\n#\n",
    );
    assert_eq!(
        advice(Rule::Example, &[("a.json", &schema)], Context::default()),
        [
            "a.json:16: example: stop: unknown-member arguments.fast: no member 'fast' exists",
            "a.json:17: example: stop: the example is not JSON: JSON parse error, text behind the value",
            "a.json:19: example: stop: the example is neither a request nor a reply nor an event",
        ]
    );
    let (schema, sources) = checked(&[("a.json", &schema)]);
    let report = lint(&schema, &sources, Context::default());
    assert_eq!((report.examples, report.abridged), (6, 1));
}

#[test]
fn what_nobody_needs_is_named() {
    let files = [
        (
            "a.json",
            "{ 'include': 'b.json' }\n{ 'include': 'c.json' }\n\
             { 'pragma': { 'member-name-exceptions': [ 'Lost', 'Odd', 'Even' ],\n\
             'command-name-exceptions': [ 'get_it' ],\n\
             'command-returns-exceptions': [ 'get_it', 'get' ] } }\n\
             { 'command': 'get_it', 'returns': 'Odd' }\n\
             { 'command': 'get', 'returns': [ 'str' ] }",
        ),
        (
            "b.json",
            "{ 'struct': 'Odd', 'data': { 'a_b': 'Even' } }\n{ 'include': 'c.json' }",
        ),
        (
            "c.json",
            "{ 'include': 'd.json' }\n{ 'struct': 'Even', 'data': {} }\n\
             { 'enum': 'Alone', 'data': [ 'x' ] }",
        ),
        (
            "d.json",
            "{ 'struct': 'Unused', 'data': { 'a': 'Unused2' } }\n\
                    { 'struct': 'Unused2', 'data': {} }",
        ),
    ];
    let found = |rule| advice(rule, &files, Context::default());
    assert_eq!(
        found(Rule::IncludeUnneeded),
        [
            "c.json:1: include-unneeded: c.json includes d.json: nothing here uses a type of that file",
        ]
    );
    let unreachable = found(Rule::TypeUnreachable);
    assert_eq!(unreachable.len(), 3, "{unreachable:?}");
    assert!(unreachable[0].starts_with("c.json:3: type-unreachable: Alone: "));
    assert_eq!(
        found(Rule::PragmaUnneeded),
        [
            "pragma-unneeded: member-name-exceptions Lost: nothing has this name; remove the exception",
            "a.json:6: pragma-unneeded: command-returns-exceptions get_it: it follows the rule; remove \
         the exception",
            "c.json:2: pragma-unneeded: member-name-exceptions Even: it follows the rule; remove the \
         exception",
        ]
    );
}

fn interface(schema: &str) -> Interface {
    let (schema, sources) = checked(&[("a.json", schema)]);
    Interface::of_schema(&schema, &sources)
}

#[test]
fn releases_in_documentation_are_compared_with_history() {
    let mut history = DefinitionHistory::default();
    history.add(
        "8.0",
        &interface("{ 'struct': 'Old', 'data': { 'a': 'int' } }"),
    );
    history.add(
        "9.0",
        &interface(
            "{ 'struct': 'Old', 'data': { 'a': 'int', 'b': 'int', 'c': 'int', 'd': 'int' } }\n\
             { 'command': 'new' }",
        ),
    );
    let schema = "\
##
# @Old:
#
# @a: first
# @b: second
# @c: third (since 8.2)
# @d: fourth (since 9.0.0)
# @e: fifth, of the next release
#
# Since: 1.0
##
{ 'struct': 'Old', 'data': { 'a': 'int', 'b': 'int', 'c': 'int', 'd': 'int', 'e': 'int' } }
##
# @new:
#
# Does something.
#
# Since: 8.9
##
{ 'command': 'new' }
";
    let schema = schema.replace("# @b", "#\n# @b").replace("# @c", "#\n# @c");
    let schema = schema.replace("# @d", "#\n# @d").replace("# @e", "#\n# @e");
    let context = Context {
        history: Some(&history),
        upstream: None,
    };
    let files = [("a.json", schema.as_str())];
    assert_eq!(
        advice(Rule::SinceMissing, &files, context),
        ["a.json:6: since-missing: Old/b: it came in 9.0; add (since 9.0)",]
    );
    assert_eq!(
        advice(Rule::SinceWrong, &files, context),
        [
            "a.json:8: since-wrong: Old/c: it came in 9.0, and its documentation says 8.2",
            "a.json:17: since-wrong: new: it came in 9.0, and its documentation says 8.9",
        ]
    );
}

#[test]
fn downstream_additions_need_a_prefix() {
    let upstream = interface("{ 'command': 'stop' }\n{ 'enum': 'Kk', 'data': [ 'x' ] }");
    let ours = "{ 'command': 'stop', 'data': { '*now': 'Kk', '*__org.vmm_how': 'int' } }\n\
                { 'command': 'add', 'data': { 'a': 'int' } }\n\
                { 'event': '__ORG.VMM_ADDED' }\n\
                { 'enum': 'Kk', 'data': [ 'x', 'y' ] }\n{ 'struct': 'Mine', 'data': { 'm': 'int' } }";
    let context = Context {
        history: None,
        upstream: Some(&upstream),
    };
    assert_eq!(
        advice(Rule::PrefixMissing, &[("a.json", ours)], context),
        [
            "a.json:1: prefix-missing: stop/now: upstream has no 'now' here; call it __RFQDN_now",
            "a.json:2: prefix-missing: add: upstream has no 'add' here; call it __RFQDN_add",
            "a.json:4: prefix-missing: Kk=y: upstream has no 'y' here; call it __RFQDN_y",
        ]
    );
}

#[test]
fn fix_inserts_second_spaces_where_there_is_room() {
    let folder = program::folder("lint", "fix");
    let full = "# This line has exactly seventy characters. So it has no room for more.";
    assert_eq!(full.len(), 71);
    let schema = format!(
        "##\n# @stop:\n#\n# One. Two. Three, e.g. Four.\r\n{}\n##\n{{ 'command': 'stop' }}\n",
        &full[..70]
    );
    std::fs::write(folder.join("a.json"), &schema).unwrap();
    let lint = |arguments: &[&str]| {
        let output = program::qapi_gen(&folder, &[&["lint"], arguments].concat());
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (status, said) = lint(&["a.json", "--fix"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.starts_with("qapi-gen: 2 corrections\n"), "{said}");
    let corrected = std::fs::read_to_string(folder.join("a.json")).unwrap();
    assert_eq!(
        corrected,
        schema.replace("One. Two. Three", "One.  Two.  Three")
    );
    let (_, said) = lint(&["a.json", "--fix"]);
    assert!(said.starts_with("qapi-gen: 0 corrections\n"), "{said}");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    let (status, said) = lint(&["HEAD:a.json", "--fix"]);
    assert_eq!(status, Some(2), "{said}");
}

#[test]
fn baseline_accepts_the_advice_of_its_day() {
    let folder = program::folder("lint", "baseline");
    let unused = "{ 'command': 'stop' }\n{ 'struct': 'Unused', 'data': {} }\n";
    std::fs::write(folder.join("a.json"), unused).unwrap();
    let lint = |arguments: &[&str]| {
        let fixed = ["lint", "a.json", "--baseline", "accepted"];
        let output = program::qapi_gen(&folder, &[&fixed, arguments].concat());
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    assert_eq!(lint(&[]).0, Some(2));
    assert_eq!(lint(&["--write-baseline"]).0, Some(0));
    let (status, said) = lint(&[]);
    assert_eq!(status, Some(0));
    assert!(said.contains("0 pieces of advice, 1 accepted"), "{said}");
    let (_, said) = lint(&["--only", "example"]);
    assert!(!said.contains("no longer given"), "{said}");
    std::fs::write(folder.join("a.json"), "{ 'command': 'stop' }\n").unwrap();
    let (_, said) = lint(&[]);
    assert!(
        said.contains("no longer given: type-unreachable: Unused"),
        "{said}"
    );
    assert_eq!(lint(&["--write-baseline"]).0, Some(0));
    assert!(!lint(&[]).1.contains("no longer given"));
}

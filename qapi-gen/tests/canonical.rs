//! What a schema is, told in full: its canonical text and its introspection.
//!
//! `NAME.out` in `tests/cases/schema` is the canonical text of `NAME.json`,
//! `NAME.masked` and `NAME.unmasked` are its introspection. `UPDATE_GOLDEN=1`
//! rewrites those that exist; an empty file is enough to ask for one.

#![expect(clippy::unwrap_used, reason = "tests may stop at the first surprise")]

mod common;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::{env, fs};

use common::{folder, options};
use qapi_gen::schema::CheckedSchema;
use qapi_gen::{FsLoader, Introspection, MemoryLoader, check, check_with, dump};

/// Compares every golden of one kind with what is told now.
fn compare(extension: &str, tell: impl Fn(&CheckedSchema) -> String) {
    let update = env::var_os("UPDATE_GOLDEN").is_some();
    let mut goldens: Vec<PathBuf> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|actual| actual == extension))
        .collect();
    goldens.sort();
    assert!(!goldens.is_empty());
    let mut failures = Vec::new();
    for golden in goldens {
        let path = golden.with_extension("json");
        let options = options(&path.to_string_lossy(), &FsLoader);
        let outcome = check_with(path, &FsLoader, options);
        let actual = tell(&outcome.schema.unwrap());
        if update {
            fs::write(&golden, &actual).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap();
        if actual != expected {
            failures.push(format!(
                "{}:\n--- expected\n{expected}--- actual\n{actual}",
                golden.display()
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn dump_is_as_each_golden() {
    compare("out", dump);
}

#[test]
fn masked_introspection_is_as_each_golden() {
    let masked = Introspection::default();
    compare("masked", |schema| masked.json(schema));
}

#[test]
fn unmasked_introspection_is_as_each_golden() {
    let mut unmasked = Introspection::default();
    unmasked.unmask = true;
    compare("unmasked", |schema| unmasked.json(schema));
}

/// What is told of a schema when these symbols are defined.
fn configured(schema: &str, symbols: &[&str]) -> String {
    let loader = MemoryLoader::from_iter([("a.json", schema)]);
    let mut introspection = Introspection::default();
    introspection.config = Some(
        symbols
            .iter()
            .map(ToString::to_string)
            .collect::<BTreeSet<_>>(),
    );
    introspection.json(&check("a.json", &loader).schema.unwrap())
}

#[test]
fn introspection_omits_but_numbers_what_a_configuration_excludes() {
    let schema = "
        { 'command': 'first', 'data': { 'm': 'First' }, 'if': 'A' }
        { 'struct': 'First', 'data': {}, 'if': 'A' }
        { 'command': 'second', 'data': 'Second', 'boxed': true,
          'features': [ { 'name': 'f', 'if': { 'all': [ 'A', 'B' ] } } ] }
        { 'struct': 'Second', 'data': { 'm': { 'type': 'bool', 'if': { 'not': 'B' } } } }";
    assert_eq!(
        configured(schema, &["B"]),
        r#"[
{"name":"second","meta-type":"command","arg-type":"2","ret-type":"1","features":[]},
{"name":"1","meta-type":"object","members":[]},
{"name":"2","meta-type":"object","members":[]},
{"name":"bool","meta-type":"builtin","json-type":"boolean"}
]
"#
    );
    assert_eq!(
        configured(schema, &["A"]),
        r#"[
{"name":"first","meta-type":"command","arg-type":"0","ret-type":"1"},
{"name":"second","meta-type":"command","arg-type":"2","ret-type":"1","features":[]},
{"name":"0","meta-type":"object","members":[{"name":"m","type":"3"}]},
{"name":"1","meta-type":"object","members":[]},
{"name":"2","meta-type":"object","members":[{"name":"m","type":"bool"}]},
{"name":"3","meta-type":"object","members":[]},
{"name":"bool","meta-type":"builtin","json-type":"boolean"}
]
"#
    );
}

#[test]
fn introspection_is_empty_without_commands_and_events() {
    assert_eq!(configured("", &[]), "[]\n");
    let only = "{ 'event': 'E', 'if': 'X' } { 'event': 'F', 'if': 'Y' }";
    assert_eq!(configured(only, &["Y"]).lines().count(), 4);
}

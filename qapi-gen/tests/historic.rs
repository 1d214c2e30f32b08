//! Schemas of QEMU 6.1 and earlier, which are read but not checked.

use std::path::{Path, PathBuf};
use std::{env, fs};

use qapi_gen::{FolderLoader, Introspection, MemoryLoader, check, read_with};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cases/historic")
}

#[test]
fn introspection_of_old_forms_is_as_the_golden() {
    let folder = folder();
    let outcome = read_with("old.json", &FolderLoader::new(folder.clone()));
    assert!(outcome.diagnostics.is_empty());
    let mut introspection = Introspection::default();
    introspection.unmask = true;
    let actual = introspection.json(&outcome.schema.unwrap());
    let golden = folder.join("old.unmasked");
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&golden, &actual).unwrap();
    }
    assert_eq!(actual, fs::read_to_string(golden).unwrap());
}

#[test]
fn old_forms_are_errors_when_a_schema_is_checked() {
    let outcome = check("old.json", &FolderLoader::new(folder()));
    assert!(outcome.schema.is_none());
    assert!(outcome.diagnostics.errors().count() > 8);
}

#[test]
fn errors_of_an_old_schema_are_reported() {
    let first = |schema: &str| {
        let outcome = read_with("a.json", &MemoryLoader::from_iter([("a.json", schema)]));
        assert!(outcome.schema.is_none(), "{schema}");
        let first = outcome.diagnostics.errors().next().unwrap();
        first.message()
    };
    for (schema, expected) in [
        (
            "{ 'event': 'A', 'if': 'defined(B) &&' }",
            "'if' condition 'defined(B) &&' of event is not a valid identifier",
        ),
        (
            "{ 'event': 'A', 'if': [] }",
            "'if' condition [] of event is useless",
        ),
        (
            "{ 'union': 'U', 'data': { 'a': 'Missing' } }",
            "member 'data' uses unknown type 'Missing'",
        ),
        (
            "{ 'union': 'U', 'data': { 'a': {} } }",
            "'data' member 'a' misses key 'type'",
        ),
        (
            "{ 'union': 'U', 'base': 'B', 'data': {} }",
            "union has unknown key 'base'\nValid keys are 'data', 'features', 'if', 'union'.",
        ),
        (
            "{ 'union': 'U', 'data': {} } { 'enum': 'UKind', 'data': [] }",
            "'UKind' is already defined",
        ),
    ] {
        assert_eq!(first(schema), expected, "{schema}");
    }
}

#[test]
fn unions_share_the_structs_around_their_types() {
    let schema = "{ 'union': 'A', 'data': { 'a': 'int', 'b': [ 'int' ] } }
        { 'union': 'B', 'data': { 'c': 'int' } }";
    let outcome = read_with("a.json", &MemoryLoader::from_iter([("a.json", schema)]));
    let schema = outcome.schema.unwrap();
    let names = schema.types().map(|(_, ty)| ty.common.name.to_string());
    let implied: Vec<String> = names.filter(|name| name.contains("wrapper")).collect();
    assert_eq!(implied, ["q_obj_int-wrapper", "q_obj_intList-wrapper"]);
}

#[cfg(feature = "cli")]
#[test]
fn old_schemas_are_compared_and_not_checked() {
    use std::process::Command;

    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("historic");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let old = self::folder().join("old.json");
    fs::copy(old, folder.join("a.json")).unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_qapi-gen"))
            .current_dir(&folder)
            .args(arguments)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), said)
    };
    let note = "qapi-gen: a.json: read as a schema of QEMU 6.1 or earlier\n";
    let (status, said) = run(&["diff", "a.json", "a.json"]);
    assert_eq!(status, Some(0));
    assert_eq!(said, note.repeat(2) + "qapi-gen: no difference\n");
    fs::write(folder.join("VERSION"), "5.2.0\n").unwrap();
    let (status, said) = run(&["diff", "a.json", "a.json"]);
    assert_eq!(
        (status, said.as_str()),
        (Some(0), "qapi-gen: no difference\n")
    );
    let (status, said) = run(&["check", "a.json"]);
    assert_eq!(status, Some(1));
    assert!(said.ends_with(" errors\n"), "{said}");
    let (status, _) = run(&["rust", "a.json", "-o", "out"]);
    assert_eq!(status, Some(1));

    // The version of another program does not make a schema an old one.
    let new = "{ 'event': 'A', 'if': { 'not': 'B' } }";
    fs::write(folder.join("a.json"), new).unwrap();
    let (status, said) = run(&["diff", "a.json", "a.json"]);
    assert_eq!(status, Some(0), "{said}");
    let (status, said) = run(&["check", "a.json"]);
    assert_eq!(status, Some(0));
    assert_eq!(said, "qapi-gen: a.json: no errors\n");
}

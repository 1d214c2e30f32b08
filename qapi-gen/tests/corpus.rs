//! QEMU's own schema tests, where they are at hand.
//!
//! They are QEMU's and stay out of this repository. Set `QAPI_CORPUS` to a
//! folder of them, or put it beside the repository as `shared/qapi-corpus`.

#![expect(clippy::unwrap_used, reason = "tests may stop at the first surprise")]

use std::path::{Path, PathBuf};
use std::{env, fs};

use qapi_gen::{CheckOptions, FolderLoader, FsLoader, Rules, check_with, dump};

/// Cases whose expectation nobody maintains: QEMU does not run them, and what
/// they expect is not what its generator says.
const STALE: [(&str, &str); 1] = [(
    "event-args-if-unboxed",
    "event-args-if-unboxed.json: In event 'TEST_IF_EVENT':\n\
     event-args-if-unboxed.json:1: conditional event arguments require 'boxed': true\n",
)];

fn corpus() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/qapi-corpus");
    let folder = env::var_os("QAPI_CORPUS").map_or(beside, PathBuf::from);
    folder.is_dir().then_some(folder)
}

/// The corpus' files of one kind, in order.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|actual| actual == extension))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// The corpus of another release follows other rules.
fn options() -> CheckOptions {
    let release = env::var("QAPI_CORPUS_RULES");
    let rules = release.map_or(Rules::V10_2, |release| release.parse().unwrap());
    CheckOptions {
        rules,
        ..CheckOptions::default()
    }
}

#[test]
fn first_error_is_qemus_in_every_corpus_case() {
    let Some(folder) = corpus() else {
        skip::because("no corpus of schemas is there");
        return;
    };
    let options = options();
    let cases = files(&folder, "err");
    let mut compared = 0;
    let mut failures = Vec::new();
    for case in &cases {
        let name = case.file_stem().unwrap().to_str().unwrap();
        // One case is about a file that is not there; others are incomplete.
        if name != "missing-schema" && !folder.join(format!("{name}.json")).exists() {
            println!("{name}: skipped, it has no input");
            continue;
        }
        let expected = match STALE.iter().find(|(stale, _)| *stale == name) {
            Some((_, expected)) => (*expected).to_owned(),
            None => fs::read_to_string(case).unwrap(),
        };
        let outcome = check_with(
            format!("{name}.json"),
            &FolderLoader::new(folder.clone()),
            options,
        );
        let actual = outcome
            .diagnostics
            .iter()
            .next()
            .map(|first| first.short(&outcome.sources) + "\n")
            .unwrap_or_default();
        assert_eq!(outcome.schema.is_some(), actual.is_empty());
        compared += 1;
        if actual != expected {
            failures.push(format!(
                "{name}\n  expected: {expected}\n  actual:   {actual}"
            ));
        }
    }
    println!("{} of {compared} cases agree", compared - failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn dump_is_qemus_in_every_corpus_case() {
    let Some(folder) = corpus() else {
        skip::because("no corpus of schemas is there");
        return;
    };
    let mut compared = 0;
    let mut failures = Vec::new();
    for golden in files(&folder, "out") {
        let name = golden.file_stem().unwrap().to_str().unwrap();
        let accepted = fs::read(golden.with_extension("err")).is_ok_and(|err| err.is_empty());
        let is_stale = STALE.iter().any(|(stale, _)| *stale == name);
        if !accepted || is_stale {
            continue;
        }
        let path = golden.with_extension("json");
        if !path.exists() {
            println!("{name}: skipped, it has no input");
            continue;
        }
        compared += 1;
        let outcome = check_with(path, &FsLoader, options());
        let actual = outcome.schema.as_ref().map(dump);
        let expected = fs::read_to_string(&golden).unwrap();
        if actual.as_ref() != Some(&expected) {
            failures.push(format!(
                "{name}\n--- expected\n{expected}--- actual\n{}",
                actual.unwrap_or_default()
            ));
        }
    }
    println!("{} of {compared} dumps agree", compared - failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

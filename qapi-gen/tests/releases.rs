//! The same schemas by the rules of every release.
//!
//! `NAME.out` in `tests/cases/releases` is what the generators of all releases
//! print for `NAME.json`: the first error, or the canonical text. Releases with the
//! same output share it. `UPDATE_GOLDEN=1` rewrites the files.

#![expect(clippy::unwrap_used, reason = "tests may stop at the first surprise")]

use std::path::{Path, PathBuf};
use std::{env, fs};

use qapi_gen::{CheckOptions, FolderLoader, Rules, check_with, dump};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cases/releases")
}

/// Returns the first error of a schema, or its canonical text.
fn output(schema: &str, rules: Rules) -> String {
    let options = CheckOptions {
        rules,
        ..CheckOptions::default()
    };
    let outcome = check_with(schema, &FolderLoader::new(folder()), options);
    match outcome.diagnostics.errors().next() {
        Some(first) => first.short(&outcome.sources) + "\n",
        None => dump(&outcome.schema.unwrap()),
    }
}

/// Returns the output by the rules of each release, without the built-in types.
fn outputs(schema: &str) -> String {
    let mut text = String::new();
    let mut last = None;
    for rules in Rules::ALL {
        let output = output(schema, rules);
        let output = match output.split_once(&format!("module {schema}\n")) {
            Some((_, own)) => own.to_owned(),
            None => output,
        };
        if last.as_ref() != Some(&output) {
            text.push_str(&format!("== since {rules}\n{output}"));
        }
        last = Some(output);
    }
    text
}

#[test]
fn output_is_that_of_every_release() {
    let update = env::var_os("UPDATE_GOLDEN").is_some();
    let mut failures = Vec::new();
    let mut compared = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let actual = outputs(path.file_name().unwrap().to_str().unwrap());
        let golden = path.with_extension("out");
        if update {
            fs::write(&golden, &actual).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if actual != expected {
            failures.push(format!(
                "{}:\n--- expected\n{expected}--- actual\n{actual}",
                golden.display()
            ));
        }
        compared += 1;
    }
    assert!(compared > 20);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn built_in_types_have_a_prefix_until_9_1() {
    fn prefixed(rules: Rules) -> bool {
        let files = qapi_gen::MemoryLoader::from_iter([("a.json", "")]);
        let options = CheckOptions {
            rules,
            ..CheckOptions::default()
        };
        let schema = check_with("a.json", &files, options).schema.unwrap();
        dump(&schema).contains("    prefix QTYPE\n")
    }
    for rules in Rules::ALL {
        assert_eq!(prefixed(rules), rules <= Rules::V9_1, "{rules}");
    }
}

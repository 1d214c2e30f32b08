//! The Rust that is generated for schemas of all shapes, word for word, so that a
//! change of the compiler shows in review what it changes for its users.
//!
//! `cargo xtask bless` rewrites the goldens; a failing test never does.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

use qapi_gen::{CfgNames, Conditions, FsLoader, IncludeFolders, Options, generate};
use similar::TextDiff;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn check(schema: &str, options: &Options, golden: &str) {
    let folder = workspace().join("tests/golden").join(golden);
    let schema = workspace().join(schema);
    // Only the VMM's schema includes it.
    let ours = [("qapi-stats", workspace().join("qapi/schema"))];
    let loader = IncludeFolders::new(&FsLoader, &schema, ours);
    let generation = generate(&schema, &loader, options);
    let files = generation
        .into_files()
        .unwrap_or_else(|report| panic!("{report}"));
    let names: BTreeSet<_> = files.iter().map(|file| file.name.clone()).collect();
    if env::var_os("UPDATE_GOLDEN").is_some() {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        for file in &files {
            fs::write(folder.join(&file.name), &file.text).unwrap();
        }
    }
    let there: BTreeSet<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(
        there, names,
        "run `cargo xtask bless` and review the change"
    );
    for file in files {
        let reviewed = fs::read_to_string(folder.join(&file.name)).unwrap();
        if reviewed != file.text {
            let diff = TextDiff::from_lines(&reviewed, &file.text);
            panic!(
                "{golden}/{} is not what is generated now: run `cargo xtask bless` and review\n{}",
                file.name,
                diff.unified_diff()
            );
        }
    }
}

#[test]
fn golden_of_every_shape_is_current() {
    check(
        "tests/cases/rust/every-shape.json",
        &Options::default(),
        "every-shape",
    );
}

/// A schema that includes the shipped one and takes its code from `qapi`.
#[test]
fn golden_of_a_vmm_with_our_statistics_is_current() {
    let mut options = Options::default();
    for module in ["control", "introspect", "stats"] {
        let (file, path) = (
            format!("qapi-stats/{module}.json"),
            format!("::qapi_stats::{module}"),
        );
        options.extern_modules.insert(file, path);
    }
    check("tests/cases/vmm/qapi-schema.json", &options, "vmm");
}

#[test]
fn golden_of_conditions_is_current() {
    let mut options = Options::default();
    options.conditions = Conditions::Cfg(CfgNames::default());
    let schema = "tests/cases/rust/conditional.json";
    check(schema, &options, "conditional");
}

#[test]
fn generated_bytes_are_the_same_when_generated_twice() {
    let schema = workspace().join("tests/cases/rust/every-shape.json");
    let generate = || {
        generate(&schema, &FsLoader, &Options::default())
            .into_files()
            .unwrap()
    };
    assert_eq!(generate(), generate());
}

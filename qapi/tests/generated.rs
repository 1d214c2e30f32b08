//! The reviewed code in `src/generated` is what the build script makes.
//!
//! `cargo xtask bless` rewrites the code; a failing test never does.

#![cfg(feature = "compile")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::Path;
use std::{env, fs};

use similar::TextDiff;

#[path = "../compile.rs"]
mod compile;

const REVIEWED: &str = "src/generated";

fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let file = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read_to_string(entry.path()).unwrap())
    };
    entries.map(file).collect()
}

#[test]
fn reviewed_code_is_what_the_build_script_makes() {
    if env::var_os("UPDATE_GOLDEN").is_some() {
        compile::builder().out_dir(REVIEWED).compile();
    }
    let folder = tempfile::tempdir().unwrap();
    compile::builder().out_dir(folder.path()).compile();
    let reviewed = files(Path::new(REVIEWED));
    let made = files(folder.path());
    for (name, made) in &made {
        let reviewed = reviewed.get(name).map_or("", String::as_str);
        assert!(
            reviewed == made,
            "run `cargo xtask bless` and review {REVIEWED}/{name}\n{}",
            TextDiff::from_lines(reviewed, made).unified_diff()
        );
    }
    assert_eq!(reviewed.len(), made.len(), "left over in {REVIEWED}");
}

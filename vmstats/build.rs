//! The version that `vmstats --version` prints.
//!
//! In: the package's version and its git checkout, if there is one. Out: the
//! variable `VMSTATS_VERSION`. The build's date is left out, so that one commit
//! always gives the same bytes.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let version = env!("CARGO_PKG_VERSION");
    match commit() {
        Some(commit) => println!("cargo::rustc-env=VMSTATS_VERSION={version} ({commit})"),
        None => println!("cargo::rustc-env=VMSTATS_VERSION={version}"),
    }
}

/// Returns the commit that is checked out. Returns `None` without a checkout or
/// without git.
fn commit() -> Option<String> {
    // Ask whether this file is tracked, because sources that were unpacked inside
    // another project's checkout must not get that project's commit.
    git(&["ls-files", "--error-unmatch", "build.rs"])?;
    watch();
    git(&["rev-parse", "--short=12", "HEAD"])
}

/// Lets cargo run this script again when another commit is checked out.
fn watch() {
    // The log of HEAD gets a line at each commit, checkout and rebase; HEAD itself
    // changes only with the branch. Name only files that exist, because cargo takes
    // a missing file as changed each time.
    let existing = |names: &[&str]| -> Vec<String> {
        let paths = names.iter().filter_map(|name| path(name));
        paths.filter(|path| Path::new(path).exists()).collect()
    };
    let mut watched = existing(&["logs/HEAD"]);
    if watched.is_empty() {
        watched = existing(&["HEAD", "refs/heads", "packed-refs"]);
    }
    for path in watched {
        println!("cargo::rerun-if-changed={path}");
    }
}

/// Returns the path of a file in the folder of git.
fn path(name: &str) -> Option<String> {
    git(&["rev-parse", "--git-path", name])
}

/// Runs git in this package's folder and returns its output.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim_end().to_owned())
}

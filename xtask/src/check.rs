//! `cargo xtask check`: everything that is checked without running the code.

use crate::tools::{Failure, cargo};
use crate::{links, tidy};

pub(crate) fn run() -> Result<(), Failure> {
    cargo(&["fmt", "--all", "--check"], &[])?;
    cargo(
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--",
            "-D",
            "warnings",
        ],
        &[],
    )?;
    // What a VMM may leave out has to leave the rest whole.
    for features in ["", "kvm", "hmp", "server"] {
        let arguments = ["clippy", "-p", "stats-runtime", "--no-default-features"];
        let arguments = [
            &arguments[..],
            &["--features", features, "--", "-D", "warnings"],
        ];
        cargo(&arguments.concat(), &[])?;
    }
    cargo(
        &[
            "clippy",
            "-p",
            "qapi-gen",
            "--no-default-features",
            "--",
            "-D",
            "warnings",
        ],
        &[],
    )?;
    let documentation = ["doc", "--workspace", "--no-deps", "--all-features"];
    cargo(&documentation, &[("RUSTDOCFLAGS", "-D warnings")])?;
    links::check()?;
    tidy::check()
}

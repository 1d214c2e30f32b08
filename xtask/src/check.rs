//! `cargo xtask check`: all checks that do not run the code.

use clap::Args;

use crate::progress::step;
use crate::tools::{Failure, cargo};
use crate::{documentation, imports, links, prose, tidy};

/// Check formatting, lints, documentation, links, imports, comments and tidiness
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Check only what needs no compiler: imports, comments and tidiness
    #[arg(long)]
    quick: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    step("imports, wording of comments, tidiness");
    let findings = [imports::check(), prose::check(), tidy::check()];
    let findings: Vec<Failure> = findings.into_iter().filter_map(Result::err).collect();
    if !findings.is_empty() {
        return Err(findings.join("\n"));
    }
    if arguments.quick {
        return Ok(());
    }
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
    // Lint every selection of features that a VMM may make.
    for features in ["", "kvm", "exposition", "qmp", "hmp", "server"] {
        let arguments = ["clippy", "-p", "stats-runtime", "--no-default-features"];
        let arguments = [
            &arguments[..],
            &["--features", features, "--", "-D", "warnings"],
        ];
        cargo(&arguments.concat(), &[])?;
    }
    for package in [
        "kvm-stats",
        "qapi-gen",
        "qapi-stats",
        "qapi-wire",
        "stats-handover",
        "vmstats",
    ] {
        let arguments = ["clippy", "-p", package, "--no-default-features"];
        cargo(&[&arguments[..], &["--", "-D", "warnings"]].concat(), &[])?;
    }
    documentation::build(&[("RUSTDOCFLAGS", "-D warnings")])?;
    step("crates that stats-runtime links");
    links::check()
}

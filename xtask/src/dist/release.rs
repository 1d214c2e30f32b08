//! The properties of the packages.
//!
//! In: a program, the manifest of its package, and git. Out: names and a time. This
//! file knows no format of packages.

use std::process::Command;

use crate::tools::{Failure, output, packages, workspace};

/// A program that gets packages of its own.
#[derive(Clone, Copy)]
pub(super) struct Program {
    /// The name of the program, of its packages here, and of those that are made.
    pub(super) name: &'static str,
    pub(super) summary: &'static str,
    /// The section of Debian's archive.
    pub(super) section: &'static str,
    /// The documents of the workspace that its users read.
    pub(super) documents: &'static [&'static str],
    /// The folder with files for those who deploy the program, its units among them.
    pub(super) deploy: Option<&'static str>,
    /// True if the program has the feature `tls`.
    pub(super) has_tls: bool,
}

/// All programs.
pub(super) const PROGRAMS: [Program; 2] = [
    Program {
        name: "vmstats",
        summary: "statistics of virtual machines from the command line",
        section: "admin",
        documents: &[
            "docs/vmstats.md",
            "docs/operators.md",
            "docs/export.md",
            "docs/fleet.md",
            "docs/qmp.md",
        ],
        deploy: Some("vmstats/deploy"),
        has_tls: true,
    },
    Program {
        name: "qapi-gen",
        summary: "compiler of QAPI schemas",
        section: "devel",
        documents: &["docs/qapi-gen.md", "docs/schema-language.md"],
        deploy: None,
        has_tls: false,
    },
];

/// The properties of the packages of a program.
pub(super) struct Release {
    pub(super) program: Program,
    pub(super) version: String,
    pub(super) description: String,
    pub(super) target: String,
    /// The time of all files, in seconds since 1970.
    pub(super) time_s: String,
}

impl Release {
    /// Reads the manifest of a program and the time of its commit.
    pub(super) fn of_workspace(program: Program, target: &str) -> Result<Self, Failure> {
        let name = program.name;
        let package = packages(false)?;
        let package = package.into_iter().find(|package| package.name == name);
        let package = package.ok_or_else(|| format!("the workspace has no package {name}"))?;
        let time_s = match std::env::var("SOURCE_DATE_EPOCH") {
            Ok(time_s) => time_s,
            Err(_) => {
                let mut git = Command::new("git");
                git.args(["log", "-1", "--format=%ct"])
                    .current_dir(workspace());
                output(&mut git)?.trim().to_owned()
            }
        };
        Ok(Self {
            program,
            version: package.version,
            description: package.description.unwrap_or_default(),
            target: target.to_owned(),
            time_s,
        })
    }
}

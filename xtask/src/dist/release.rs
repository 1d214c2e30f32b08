//! The properties of the packages.
//!
//! In: the manifest of package vmstats, and git. Out: names and a time. This file
//! knows no format of packages.

use std::process::Command;

use crate::tools::{Failure, output, packages, workspace};

/// The properties of the packages that are made.
pub(super) struct Release {
    pub(super) version: String,
    pub(super) description: String,
    pub(super) target: String,
    /// The time of all files, in seconds since 1970.
    pub(super) time_s: String,
}

impl Release {
    /// Reads the manifest of package vmstats and the time of its commit.
    pub(super) fn of_workspace(target: &str) -> Result<Self, Failure> {
        let package = packages(false)?;
        let package = package
            .into_iter()
            .find(|package| package.name == "vmstats");
        let package = package.ok_or("the workspace has no package vmstats")?;
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
            version: package.version,
            description: package.description.unwrap_or_default(),
            target: target.to_owned(),
            time_s,
        })
    }
}

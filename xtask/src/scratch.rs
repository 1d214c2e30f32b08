//! Packages outside the workspace.
//!
//! In: dependencies and files. Out: cargo commands for a package of them, which
//! use the workspace's lock file and no network.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::tools::{Failure, workspace};

/// A temporary package, removed when dropped.
pub(crate) struct Scratch(TempDir);

impl Scratch {
    /// Writes a package with these files, by path; `dependencies` are sections
    /// of its manifest.
    pub(crate) fn new(
        name: &str,
        dependencies: &str,
        files: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Failure> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
             {dependencies}\n[workspace]\n"
        );
        let write = || {
            let lock = "Cargo.lock";
            fs::copy(workspace().join(lock), folder.path().join(lock))?;
            fs::write(folder.path().join("Cargo.toml"), manifest)?;
            for (name, text) in files {
                let path = folder.path().join(name);
                fs::create_dir_all(path.parent().unwrap_or(folder.path()))?;
                fs::write(path, text)?;
            }
            Ok(())
        };
        write().map_err(|error: std::io::Error| format!("{}: {error}", folder.path().display()))?;
        Ok(Self(folder))
    }

    /// Returns a call of cargo for the package, with its output in `target`.
    pub(crate) fn cargo(&self, command: &str, target: &Path) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args([command, "--offline", "--quiet"])
            .env("CARGO_TARGET_DIR", target)
            .current_dir(self.0.path());
        cargo
    }
}

/// Returns a line of a manifest's dependencies: a package of the workspace, by
/// its folder.
pub(crate) fn dependency(package: &str, folder: &str) -> String {
    let path = workspace().join(folder).display().to_string();
    format!("{package} = {{ path = {path:?}, default-features = false }}\n")
}

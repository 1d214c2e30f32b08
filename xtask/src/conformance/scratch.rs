//! Crates of generated code, outside the workspace.
//!
//! In: files. Out: cargo's output for a crate of these files that depends on
//! `qapi-wire` only. The crate is built with the workspace's lock file and into
//! its target folder, without a network.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use qapi_gen::{GeneratedFile, write_files};
use tempfile::TempDir;

use crate::tools::{Failure, target, workspace};

/// A temporary crate, removed when dropped.
pub(super) struct Scratch {
    folder: TempDir,
    target: PathBuf,
}

impl Scratch {
    /// Writes a crate whose folder `src/schema` holds generated files, and that
    /// has one more source file.
    pub(super) fn new(
        name: &str,
        root: &str,
        text: &str,
        generated: &[GeneratedFile],
    ) -> Result<Self, Failure> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let wire = workspace().join("qapi/wire");
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
             [dependencies]\nqapi-wire = {{ path = {:?} }}\n\n[workspace]\n",
            wire.display().to_string()
        );
        let write = || {
            let source = folder.path().join("src");
            fs::write(folder.path().join("Cargo.toml"), manifest)?;
            fs::copy(
                workspace().join("Cargo.lock"),
                folder.path().join("Cargo.lock"),
            )?;
            write_files(&source.join("schema"), generated)?;
            fs::write(source.join(root), text)
        };
        write().map_err(|error| format!("{}: {error}", folder.path().display()))?;
        Ok(Self {
            target: target()?,
            folder,
        })
    }

    /// Runs cargo in the crate's folder. Returns the empty text if cargo
    /// succeeds, and cargo's output otherwise.
    pub(super) fn cargo(
        &self,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<String, Failure> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let (command, rest) = arguments.split_first().ok_or("cargo wants a command")?;
        let output = Command::new(cargo)
            .args([command, "--offline", "--quiet"])
            .args(rest)
            .envs(variables.iter().copied())
            .env("CARGO_TARGET_DIR", &self.target)
            .current_dir(self.folder.path())
            .output()
            .map_err(|error| format!("cargo cannot be run: {error}"))?;
        if output.status.success() {
            return Ok(String::new());
        }
        Ok(format!(
            "{}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ))
    }

    /// Returns the path of a program of the crate.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name)
    }
}

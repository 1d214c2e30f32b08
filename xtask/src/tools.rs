//! Cargo, git and the workspace.
//!
//! In: arguments and paths. Out: output, file contents, or one line about a
//! failure.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::progress::step;

/// The reason why a chore failed, for people.
pub(crate) type Failure = String;

/// Returns the workspace's folder.
pub(crate) fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

fn command(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(arguments)
        .envs(variables.iter().copied())
        .current_dir(workspace());
    command
}

/// Runs cargo with these arguments and environment variables.
pub(crate) fn cargo(arguments: &[&str], variables: &[(&str, &str)]) -> Result<(), Failure> {
    let line = format!("cargo {}", arguments.join(" "));
    step(format_args!("$ {line}"));
    match command(arguments, variables).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{line}` failed: {status}")),
        Err(error) => Err(format!("`{line}` cannot be run: {error}")),
    }
}

/// Runs cargo with these arguments and returns its output.
pub(crate) fn cargo_output(arguments: &[&str]) -> Result<String, Failure> {
    output(&mut command(arguments, &[]))
}

/// A package, as `cargo metadata` describes it.
#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) description: Option<String>,
    pub(crate) license: Option<String>,
    pub(crate) manifest_path: PathBuf,
    pub(crate) targets: Vec<Target>,
}

/// A library, program, test or the like of a package.
#[derive(Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
    pub(crate) src_path: PathBuf,
}

/// Returns the packages of the workspace, and with `dependencies` all packages
/// that the lock file has.
pub(crate) fn packages(dependencies: bool) -> Result<Vec<Package>, Failure> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    let mut line = vec!["metadata", "--offline", "--format-version", "1"];
    if !dependencies {
        line.push("--no-deps");
    }
    let metadata: Result<Metadata, _> = serde_json::from_str(&cargo_output(&line)?);
    let metadata = metadata.map_err(|error| format!("cargo metadata: {error}"))?;
    Ok(metadata.packages)
}

/// Runs a command and returns its output.
pub(crate) fn output(command: &mut Command) -> Result<String, Failure> {
    let output = command.output();
    let program = command.get_program().display();
    let output = output.map_err(|error| format!("{program} cannot be run: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{program}: {}\n{said}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("{program} prints no UTF-8"))
}

/// Returns the paths of all files that git tracks.
pub(crate) fn tracked_files() -> Result<Vec<String>, Failure> {
    let files = output(Command::new("git").arg("ls-files").current_dir(workspace()))?;
    Ok(files.lines().map(str::to_owned).collect())
}

/// Returns the text of an error.
pub(crate) fn text(error: impl Display) -> Failure {
    error.to_string()
}

/// Reads a file of the workspace.
pub(crate) fn read(path: &str) -> Result<String, Failure> {
    std::fs::read_to_string(workspace().join(path))
        .map_err(|error| format!("cannot read {path}: {error}"))
}

/// Returns the target folder that contains this program.
pub(crate) fn target() -> Result<PathBuf, Failure> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let target = program.ancestors().nth(2).map(Path::to_owned);
    target.ok_or_else(|| "this program is in no target folder".to_owned())
}

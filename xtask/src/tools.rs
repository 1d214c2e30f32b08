//! Cargo, git and the workspace.
//!
//! In: arguments and paths. Out: output, file contents, or one line about a
//! failure.

use std::path::{Path, PathBuf};
use std::process::Command;

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
    // Standard output is for the result of the chore.
    eprintln!("$ {line}");
    match command(arguments, variables).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{line}` failed: {status}")),
        Err(error) => Err(format!("`{line}` cannot be run: {error}")),
    }
}

/// Runs cargo with these arguments and returns its output.
pub(crate) fn cargo_output(arguments: &[&str]) -> Result<String, Failure> {
    let line = format!("cargo {}", arguments.join(" "));
    let output = command(arguments, &[])
        .output()
        .map_err(|error| format!("`{line}` cannot be run: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "`{line}`: {}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("`{line}` prints no UTF-8"))
}

/// Returns the paths of all files that git tracks.
pub(crate) fn tracked_files() -> Result<Vec<String>, Failure> {
    let output = Command::new("git")
        .args(["ls-files"])
        .current_dir(workspace())
        .output()
        .map_err(|error| format!("git cannot be run: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect())
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

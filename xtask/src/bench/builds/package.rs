//! A package outside the workspace that is built repeatedly.
//!
//! In: a consumer's manifest and files. Out: the seconds of a clean build with
//! the workspace's lock file and cargo's own profiles, without a network.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use tempfile::TempDir;

use super::consumer::Consumer;
use crate::tools::{Failure, workspace};

/// One of cargo's own profiles.
#[derive(Clone, Copy, Debug)]
pub(super) enum Profile {
    Debug,
    Release,
}

impl Profile {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Release => "release",
        }
    }
}

/// The duration of a build in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seconds {
    /// The time by the clock.
    pub(super) passed: f64,
    /// The time of all processors, which other programs disturb less.
    pub(super) worked: f64,
}

/// A temporary package, removed when dropped.
pub(super) struct Package {
    folder: TempDir,
}

impl Package {
    pub(super) fn new(consumer: &Consumer) -> Result<Self, Failure> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let write = || {
            let lock = "Cargo.lock";
            fs::copy(workspace().join(lock), folder.path().join(lock))?;
            fs::write(folder.path().join("Cargo.toml"), consumer.manifest())?;
            for (name, text) in &consumer.files {
                let path = folder.path().join(name);
                fs::create_dir_all(path.parent().unwrap_or(folder.path()))?;
                fs::write(path, text)?;
            }
            Ok(())
        };
        write().map_err(|error: std::io::Error| format!("{}: {error}", folder.path().display()))?;
        Ok(Self { folder })
    }

    /// Builds the package without a target folder.
    pub(super) fn build(&self, profile: Profile) -> Result<Seconds, Failure> {
        let target = self.target();
        if target.exists() {
            fs::remove_dir_all(&target).map_err(|error| error.to_string())?;
        }
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command
            .args(["build", "--offline", "--quiet"])
            .env("CARGO_TARGET_DIR", &target)
            .env("CARGO_INCREMENTAL", "0")
            .current_dir(self.folder.path());
        if let Profile::Release = profile {
            command.arg("--release");
        }
        let (begin, worked) = (Instant::now(), children_worked()?);
        let output = command
            .output()
            .map_err(|error| format!("cargo cannot be run: {error}"))?;
        let seconds = Seconds {
            passed: begin.elapsed().as_secs_f64(),
            worked: children_worked()? - worked,
        };
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("a consumer does not compile: {said}"));
        }
        Ok(seconds)
    }

    fn target(&self) -> PathBuf {
        self.folder.path().join("target")
    }
}

/// Returns the processor time of all child processes that have ended.
fn children_worked() -> Result<f64, Failure> {
    let stat = fs::read_to_string("/proc/self/stat").map_err(|error| error.to_string())?;
    // After the name, which ends at the last bracket, the fields cutime and
    // cstime are the 14th and 15th, in hundredths of a second
    // (proc_pid_stat(5)).
    let fields = stat.rsplit_once(')').map(|(_, fields)| fields);
    let fields = fields.into_iter().flat_map(str::split_whitespace);
    let hundredths: Result<Vec<f64>, _> = fields.skip(13).take(2).map(str::parse).collect();
    let hundredths = hundredths.map_err(|error| format!("/proc/self/stat: {error}"))?;
    Ok(hundredths.iter().sum::<f64>() / 100.0)
}

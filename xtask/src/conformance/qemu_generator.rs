//! The QEMU tree's own generator, in a process of its own.
//!
//! In: paths of schemas. Out: the generator's verdict on each schema.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use crate::process::Answerer;
use crate::tools::Failure;

const PROGRAM: &str = include_str!("qemu_generator.py");

/// A running generator.
pub(super) struct QemuGenerator(Answerer);

/// The generator's verdict on one schema.
#[derive(Debug, Deserialize)]
pub(super) struct Verdict {
    pub(super) error: Option<String>,
    /// Set if the generator itself failed.
    pub(super) crash: Option<String>,
    /// Set if the schema is accepted.
    #[serde(flatten)]
    pub(super) full: Option<FullOutput>,
}

/// The generator's output for one schema, with introspection as JSON.
#[derive(Debug, Deserialize)]
pub(super) struct FullOutput {
    pub(super) dump: String,
    pub(super) masked: Value,
    pub(super) unmasked: Value,
}

impl QemuGenerator {
    /// Starts the generator of the tree `source` for schemas in `folder`.
    pub(super) fn start(source: &Path, folder: &Path) -> Result<Self, Failure> {
        let mut command = Command::new("python3");
        command
            .args(["-c", PROGRAM])
            .arg(source)
            .current_dir(folder)
            // Fix the order of sets, because the output depends on it.
            .env("PYTHONHASHSEED", "0");
        Ok(Self(Answerer::start(&mut command)?))
    }

    /// Asks for the verdict on a schema.
    pub(super) fn ask(&mut self, path: &str) -> Result<Verdict, Failure> {
        let line = self.0.ask(path)?;
        serde_json::from_str(&line)
            .map_err(|error| format!("QEMU's generator answers '{}': {error}", line.trim_end()))
    }
}

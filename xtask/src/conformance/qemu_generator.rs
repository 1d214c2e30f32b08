//! The QEMU tree's own generator, in a process of its own.
//!
//! In: paths of schemas. Out: the generator's verdict on each schema.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::tools::Failure;

const PROGRAM: &str = include_str!("qemu_generator.py");

/// A running generator. Dropping it ends it.
pub(super) struct QemuGenerator {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// The generator's verdict on one schema.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) error: Option<String>,
    /// Set if the generator itself failed.
    pub(super) crash: Option<String>,
    /// Set if the schema is accepted and the full output was asked for.
    pub(super) full: Option<FullOutput>,
}

/// The generator's output for one schema, with introspection as compact JSON.
#[derive(Debug)]
pub(super) struct FullOutput {
    pub(super) dump: String,
    pub(super) masked: String,
    pub(super) unmasked: String,
}

impl QemuGenerator {
    /// Starts the generator of the tree `source` for schemas in `folder`.
    pub(super) fn start(source: &Path, folder: &Path, full: bool) -> Result<Self, Failure> {
        let mut child = Command::new("python3")
            .arg("-c")
            .arg(PROGRAM)
            .arg(source)
            .arg(if full { "full" } else { "error" })
            .current_dir(folder)
            // Fix the order of sets, because the output depends on it.
            .env("PYTHONHASHSEED", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("python3 cannot be run: {error}"))?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(input), Some(output)) => Ok(Self {
                child,
                input,
                output: BufReader::new(output),
            }),
            _ => Err("python3 has no standard input and output".to_owned()),
        }
    }

    /// Asks for verdicts on schemas, one after the other.
    pub(super) fn ask<'p>(
        &mut self,
        paths: impl IntoIterator<Item = &'p str>,
    ) -> Result<Vec<Verdict>, Failure> {
        let broken = |error: std::io::Error| format!("QEMU's generator has ended: {error}");
        let mut verdicts = Vec::new();
        for path in paths {
            writeln!(self.input, "{path}").map_err(broken)?;
            self.input.flush().map_err(broken)?;
            let mut line = String::new();
            self.output.read_line(&mut line).map_err(broken)?;
            verdicts.push(Verdict::parse(&line)?);
        }
        Ok(verdicts)
    }
}

impl Drop for QemuGenerator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Verdict {
    fn parse(line: &str) -> Result<Self, Failure> {
        let value: Value = serde_json::from_str(line)
            .map_err(|error| format!("QEMU's generator answers '{}': {error}", line.trim_end()))?;
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let full = text("dump").map(|dump| FullOutput {
            dump,
            masked: value
                .get("masked")
                .map(Value::to_string)
                .unwrap_or_default(),
            unmasked: value
                .get("unmasked")
                .map(Value::to_string)
                .unwrap_or_default(),
        });
        Ok(Self {
            error: text("error"),
            crash: text("crash"),
            full,
        })
    }

    /// Returns the error, or the empty text if the schema is accepted.
    pub(super) fn first_error(&self) -> String {
        self.error.clone().unwrap_or_default()
    }
}

//! The time to generate Rust for QEMU's whole schema.
//!
//! In: a QEMU tree. Out: rows that compare qapi-gen, which checks the schema,
//! with the crate `qapi-codegen`, which does not, and with QEMU's generator of
//! C. Each turn is a new process, which reports its own time without its start;
//! QEMU's generator is timed with its start.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use super::report::Report;
use crate::tools::{Failure, cargo_output, output, text};

/// The schema's main file within a QEMU tree.
const SCHEMA: &str = "qapi/qapi-schema.json";

/// A way to build the benchmark.
struct Build {
    name: &'static str,
    profile: &'static str,
    /// The optimization level, for a profile that cargo does not know; it is
    /// otherwise like `dev`.
    opt_level: Option<&'static str>,
}

const BUILDS: [Build; 3] = [
    Build {
        name: "release",
        profile: "release",
        opt_level: None,
    },
    // The level of a build script, unless the workspace sets one.
    Build {
        name: "opt-level 0",
        profile: "bench-dev",
        opt_level: Some("0"),
    },
    // The level of a build script in a workspace with a `build-override` like
    // ours.
    Build {
        name: "opt-level 1",
        profile: "bench-override",
        opt_level: Some("1"),
    },
];

/// Measures every build of the benchmark.
pub(super) fn run(source: &Path, rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let schema = source.join(SCHEMA);
    let rounds = rounds.min(15);
    for build in &BUILDS {
        for generator in ["unformatted", "formatted"] {
            let what = format!("generate {generator}, {}", build.name);
            let (mut codegen, mut qemu) = (Vec::new(), Vec::new());
            // The first turn warms up.
            for round in 0..=rounds {
                let ours_ns = build.generate(generator, &schema)?;
                let codegen_ns = build.generate("qapi-codegen", &schema)?;
                let qemu_ns = qemu_once(source, &schema)?;
                if round > 0 {
                    codegen.push([ours_ns, codegen_ns]);
                    qemu.push([ours_ns, qemu_ns]);
                }
            }
            report.compare(&what, None, "qapi-codegen, unchecked", &codegen);
            report.compare(&what, None, "qapi-gen.py, its process", &qemu);
        }
    }
    Ok(())
}

impl Build {
    /// Builds the benchmark if need be, runs one turn, and returns its
    /// nanoseconds.
    fn generate(&self, generator: &str, schema: &Path) -> Result<f64, Failure> {
        let folder = tempfile::tempdir().map_err(text)?;
        let settings = self.opt_level.map(|level| {
            let profile = self.profile;
            [
                format!("profile.{profile}.inherits=\"dev\""),
                format!("profile.{profile}.opt-level={level}"),
            ]
        });
        let mut line = vec!["bench", "--offline", "--quiet", "--package", "qapi-gen"];
        line.extend(["--bench", "generate", "--no-default-features"]);
        line.extend(["--features", "format", "--profile", self.profile]);
        for setting in settings.iter().flatten() {
            line.extend(["--config", setting]);
        }
        let (schema, folder) = (schema.to_string_lossy(), folder.path().to_string_lossy());
        line.extend(["--", generator, &schema, &folder]);
        let output = cargo_output(&line)?;
        let ns = output.trim().parse();
        ns.map_err(|_| format!("bench `generate` prints '{output}'"))
    }
}

fn qemu_once(source: &Path, schema: &Path) -> Result<f64, Failure> {
    let folder = tempfile::tempdir().map_err(text)?;
    let mut command = Command::new("python3");
    command.arg(source.join("scripts/qapi-gen.py"));
    command.arg("-o").arg(folder.path()).arg(schema);
    let begin = Instant::now();
    output(&mut command)?;
    Ok(begin.elapsed().as_secs_f64() * 1e9)
}

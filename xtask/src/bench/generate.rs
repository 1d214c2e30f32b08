//! Generating Rust for QEMU's whole schema: ours, with every check, against
//! crate `qapi-codegen`, which checks nothing, and QEMU's generator of C.
//!
//! In: a QEMU tree. Out: rows of a table. Each turn is a process of its own
//! that says itself what it took, so that starting it does not count; but for
//! QEMU's, which is not asked.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::report::{Comparison, Report, Unit};
use super::schema::SCHEMA;
use crate::tools::{Failure, cargo, target};

/// How the program is built that a turn runs.
struct Build {
    name: &'static str,
    /// The folder of the profile, and for one that is not cargo's own what it
    /// consists of: an opt-level over `dev`.
    profile: &'static str,
    opt_level: Option<&'static str>,
}

const BUILDS: [Build; 3] = [
    Build {
        name: "release",
        profile: "release",
        opt_level: None,
    },
    // What a build script gets, unless the workspace says otherwise.
    Build {
        name: "opt-level 0",
        profile: "bench-dev",
        opt_level: Some("0"),
    },
    // What it gets where the workspace has the `build-override` of ours.
    Build {
        name: "opt-level 1",
        profile: "bench-override",
        opt_level: Some("1"),
    },
];

/// Measures every build of our program.
pub(super) fn run(source: &Path, rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let schema = source.join(SCHEMA);
    let rounds = rounds.min(15);
    let programs = BUILDS
        .iter()
        .map(|build| Ok((build.name, build.program()?)))
        .collect::<Result<Vec<_>, Failure>>()?;
    for (name, program) in programs {
        for generator in ["unformatted", "formatted"] {
            let turns = turns(&program, generator, source, &schema, rounds)?;
            let mut add = |other, part: fn(&Turn) -> f64| {
                report.comparisons.push(Comparison {
                    what: format!("generate {generator}, {name}"),
                    vcpus: None,
                    other,
                    unit: Unit::Ns,
                    ours: turns.iter().map(|turn| turn.ours_ns).collect(),
                    others: turns.iter().map(part).collect(),
                });
            };
            add("qapi-codegen, unchecked", |turn| turn.codegen_ns);
            add("qapi-gen.py, its process", |turn| turn.qemu_ns);
        }
    }
    Ok(())
}

impl Build {
    /// Builds the program, and says where it is.
    fn program(&self) -> Result<PathBuf, Failure> {
        let settings = self.opt_level.map(|level| {
            let profile = self.profile;
            [
                format!("profile.{profile}.inherits=\"dev\""),
                format!("profile.{profile}.opt-level={level}"),
            ]
        });
        let mut line = vec!["build", "--offline", "--quiet", "--package", "qapi-gen"];
        line.extend(["--example", "generate", "--no-default-features"]);
        line.extend(["--features", "format"]);
        line.extend(["--profile", self.profile]);
        for setting in settings.iter().flatten() {
            line.extend(["--config", setting]);
        }
        cargo(&line, &[])?;
        Ok(target()?.join(self.profile).join("examples/generate"))
    }
}

/// What each took, one after the other.
struct Turn {
    ours_ns: f64,
    codegen_ns: f64,
    qemu_ns: f64,
}

fn turns(
    program: &Path,
    generator: &str,
    source: &Path,
    schema: &Path,
    rounds: usize,
) -> Result<Vec<Turn>, Failure> {
    let turn = || {
        Ok(Turn {
            ours_ns: generate_once(program, generator, schema)?,
            codegen_ns: generate_once(program, "qapi-codegen", schema)?,
            qemu_ns: qemu_once(source, schema)?,
        })
    };
    // The first turn warms up.
    let turns = (0..=rounds).map(|_| turn()).skip(1);
    turns.collect()
}

fn generate_once(program: &Path, generator: &str, schema: &Path) -> Result<f64, Failure> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.arg(generator).arg(schema).arg(folder.path());
    let said = output(&mut command)?;
    let ns = said.trim().parse();
    ns.map_err(|_| format!("a turn says '{said}'"))
}

fn qemu_once(source: &Path, schema: &Path) -> Result<f64, Failure> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut command = Command::new("python3");
    command.arg(source.join("scripts/qapi-gen.py"));
    command.arg("-o").arg(folder.path()).arg(schema);
    let begin = Instant::now();
    output(&mut command)?;
    Ok(begin.elapsed().as_secs_f64() * 1e9)
}

fn output(command: &mut Command) -> Result<String, Failure> {
    let output = command.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("a turn failed: {said}"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

//! The time to build programs that speak all of QMP, on generated code and on
//! crate `qapi-qmp`.
//!
//! In: the schema that `qapi-qmp` carries. Out: a table. Every build starts
//! without a target folder; dependencies have been downloaded.

mod consumer;
mod package;

use std::fs;
use std::path::{Path, PathBuf};

use qapi_gen::{CheckOptions, FsLoader, Options, Style, check_with, generate};
use serde_json::Value;

use self::consumer::{Consumer, Sources};
use self::package::{Package, Profile, Seconds};
use super::samples::{quantile, spread};
use crate::tools::{Failure, cargo_output};

/// The number of builds of each program.
const TURNS: usize = 3;

/// Builds the programs in turns, and prints the table.
pub(super) fn run() -> Result<(), Failure> {
    let sources = sources(&schema()?)?;
    let theirs = Package::new(&Consumer::theirs(&sources))?;
    let ours: [(&str, Package); 3] = [
        ("generated", Package::new(&Consumer::ours(&sources))?),
        (
            "  without a build script",
            Package::new(&Consumer::written_before(&sources))?,
        ),
        (
            "  with a server",
            Package::new(&Consumer::server(&sources)?)?,
        ),
    ];
    println!("A program that encodes every request and decodes every reply of QMP.");
    println!("A clean build, with libraries, build scripts and what they depend on;");
    println!("medians of {TURNS} turns, in brackets the quartiles of the ratio. Time is by the");
    println!("clock, work that of all processors, which other programs disturb less.\n");
    println!(
        "{:<24} {:<8} {:<5} {:>10} {:>10} {:>22}",
        "", "", "", "generated", "qapi-qmp", "generated to qapi-qmp"
    );
    for profile in [Profile::Debug, Profile::Release] {
        let mut their_turns = Vec::new();
        let mut our_turns = [(); 3].map(|()| Vec::new());
        for _ in 0..TURNS {
            their_turns.push(theirs.build(profile)?);
            for ((_, package), turns) in ours.iter().zip(&mut our_turns) {
                turns.push(package.build(profile)?);
            }
        }
        for ((name, _), turns) in ours.iter().zip(&our_turns) {
            let begin = format!("{name:<24} {:<8}", profile.name());
            row(&begin, "time", turns, &their_turns, |turn| turn.passed);
            row(&begin, "work", turns, &their_turns, |turn| turn.worked);
        }
    }
    Ok(())
}

fn row(
    begin: &str,
    of: &str,
    ours: &[Seconds],
    theirs: &[Seconds],
    part: impl Fn(&Seconds) -> f64,
) {
    let ratios = ours.iter().zip(theirs).map(|(a, b)| part(a) / part(b));
    let ratio = spread(ratios.collect());
    let median = |turns: &[Seconds]| {
        let mut values: Vec<f64> = turns.iter().map(&part).collect();
        quantile(&mut values, 0.5)
    };
    let (ours, theirs) = (median(ours), median(theirs));
    println!("{begin} {of:<5} {ours:>8.1} s {theirs:>8.1} s {ratio:>22}");
}

/// Finds the main file of the schema that crate `qapi-qmp` carries.
fn schema() -> Result<PathBuf, Failure> {
    let metadata = cargo_output(&["metadata", "--offline", "--format-version", "1"])?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|error| error.to_string())?;
    let packages = metadata.get("packages").and_then(Value::as_array);
    let manifest = packages.into_iter().flatten().find_map(|package| {
        let is_it = package.get("name").and_then(Value::as_str) == Some("qapi-qmp");
        package.get("manifest_path").filter(|_| is_it)?.as_str()
    });
    let folder = manifest.and_then(|manifest| Path::new(manifest).parent());
    let schema = folder.map(|folder| folder.join("schema/qapi/qapi-schema.json"));
    schema.ok_or_else(|| "cargo knows no package qapi-qmp".to_owned())
}

fn sources(schema: &Path) -> Result<Sources, Failure> {
    let options = CheckOptions {
        style: Style::Warn,
        ..CheckOptions::default()
    };
    let checked = check_with(schema, &FsLoader, options).schema;
    let generation = generate(schema, &FsLoader, &Options::default());
    Ok(Sources {
        schema: fs::canonicalize(schema).map_err(|error| error.to_string())?,
        checked: checked.ok_or("the schema is refused")?,
        files: generation.into_files().map_err(|why| why.to_string())?,
    })
}

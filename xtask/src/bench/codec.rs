//! Decoding and encoding, beside the types of crate `qapi-qmp`.
//!
//! In: what `tests/whole/examples/codec.rs` measures, a row on each line. Out:
//! comparisons. Whole schemas are compiled for it, so it is a program of its
//! own.

use serde_json::Value;

use super::report::{Comparison, Report, Unit};
use crate::tools::{Failure, cargo_output};

/// Builds and runs the program.
pub(super) fn run(report: &mut Report) -> Result<(), Failure> {
    eprintln!("Building the whole schema's types; this takes minutes the first time.");
    let run = ["run", "--release", "--quiet"];
    let what = ["--package", "tests-whole", "--example", "codec"];
    let said = cargo_output(&[&run[..], &what[..]].concat())?;
    for line in said.lines() {
        let row = row(line).ok_or_else(|| format!("the program says '{line}'"))?;
        report.comparisons.push(row);
    }
    Ok(())
}

fn row(line: &str) -> Option<Comparison> {
    let row: Value = serde_json::from_str(line).ok()?;
    let turns = |side: &str| -> Option<Vec<f64>> {
        let turns = row.get(side)?.as_array()?;
        turns.iter().map(Value::as_f64).collect()
    };
    Some(Comparison {
        what: row.get("what")?.as_str()?.to_owned(),
        vcpus: None,
        other: "crate qapi-qmp",
        unit: Unit::Ns,
        ours: turns("ours-ns")?,
        others: turns("other-ns")?,
    })
}

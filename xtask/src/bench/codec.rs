//! The time to decode and encode large messages, compared with crate `qapi-qmp`.
//!
//! In: the lines of JSON that bench `codec` of package `full-schema` prints.
//! Out: one row for each line. The benchmark compiles whole schemas, so it is a
//! program of its own.

use serde_json::Value;

use super::report::{Comparison, Report};
use crate::tools::{Failure, cargo_output};

/// Builds and runs the benchmark.
pub(super) fn run(report: &mut Report) -> Result<(), Failure> {
    eprintln!("Building the whole schema's types; this takes minutes the first time.");
    let bench = ["bench", "--quiet", "--package", "full-schema"];
    let output = cargo_output(&[&bench[..], &["--bench", "codec"]].concat())?;
    for line in output.lines() {
        let row = row(line).ok_or_else(|| format!("bench `codec` prints '{line}'"))?;
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
        ours: turns("ours-ns")?,
        others: turns("other-ns")?,
    })
}

//! The time to decode and encode large messages, compared with crate `qapi-qmp`.
//!
//! In: the lines of JSON that bench `codec` of package `full-schema` prints.
//! Out: one row for each line. The benchmark compiles whole schemas, so it is a
//! program of its own.

use serde_json::Value;

use super::report::Report;
use crate::tools::{Failure, cargo_output};

/// Builds and runs the benchmark.
pub(super) fn run(report: &mut Report) -> Result<(), Failure> {
    eprintln!("Building the whole schema's types; this takes minutes the first time.");
    let bench = ["bench", "--quiet", "--package", "full-schema"];
    let output = cargo_output(&[&bench[..], &["--bench", "codec"]].concat())?;
    for line in output.lines() {
        let row: Option<Value> = serde_json::from_str(line).ok();
        let row = row
            .as_ref()
            .and_then(|row| Some((row.get("what")?.as_str()?, turns(row)?)));
        let (what, turns) = row.ok_or_else(|| format!("bench `codec` prints '{line}'"))?;
        report.compare(what, None, "crate qapi-qmp", &turns);
    }
    Ok(())
}

fn turns(row: &Value) -> Option<Vec<[f64; 2]>> {
    let side = |name: &str| row.get(name)?.as_array();
    let turns = side("ours-ns")?.iter().zip(side("other-ns")?);
    let turns = turns.map(|(ours, other)| Some([ours.as_f64()?, other.as_f64()?]));
    turns.collect()
}

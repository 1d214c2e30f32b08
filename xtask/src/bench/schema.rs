//! Parsing and checking QEMU's whole schema: ours against QEMU's generator.
//!
//! In: a QEMU tree. Out: rows of a table. Each turn is a process of its own
//! that says itself what it took, so that starting it does not count.

use std::env;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use qapi_gen::{CheckOptions, FsLoader};

use super::peak_kib;
use super::report::{Comparison, Report, Unit};
use crate::conformance::rules;
use crate::tools::Failure;

/// The schema, relative to the tree.
pub(super) const SCHEMA: &str = "qapi/qapi-schema.json";

/// Checks a schema, and prints nanoseconds and kilobytes.
const PYTHON: &str = "
import resource, sys, time
sys.path.insert(0, sys.argv[1] + '/scripts')
from qapi.schema import QAPISchema
begin = time.perf_counter_ns()
QAPISchema(sys.argv[2])
print(time.perf_counter_ns() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
";

/// What a turn took.
struct Turn {
    ns: f64,
    peak_kib: f64,
}

/// Measures time and memory.
pub(super) fn run(source: &Path, rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let schema = source.join(SCHEMA);
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let ours = || {
        turn(
            Command::new(&program)
                .arg("bench")
                .arg("--check-once")
                .arg(&schema),
        )
    };
    let theirs = || {
        turn(
            Command::new("python3")
                .args(["-c", PYTHON])
                .arg(source)
                .arg(&schema),
        )
    };
    let (mut our_turns, mut their_turns) = (Vec::new(), Vec::new());
    // The first turn warms up.
    for round in 0..=rounds.min(15) {
        let (a, b) = (ours()?, theirs()?);
        if round > 0 {
            our_turns.push(a);
            their_turns.push(b);
        }
    }
    let pick = |turns: &[Turn], part: fn(&Turn) -> f64| turns.iter().map(part).collect();
    for (what, unit, part) in [
        (
            "check the schema",
            Unit::Ns,
            (|turn| turn.ns) as fn(&Turn) -> f64,
        ),
        ("check the schema, peak memory", Unit::Kib, |turn| {
            turn.peak_kib
        }),
    ] {
        report.comparisons.push(Comparison {
            what: what.to_owned(),
            vcpus: None,
            other: "qapi-gen.py",
            unit,
            ours: pick(&our_turns, part),
            others: pick(&their_turns, part),
        });
    }
    Ok(())
}

/// Checks a schema by its tree's rules, and prints nanoseconds and kilobytes.
pub(super) fn check_once(schema: &Path) -> Result<(), Failure> {
    let source = schema
        .parent()
        .and_then(Path::parent)
        .ok_or("no QEMU tree")?;
    let (_, rules) = rules(source)?;
    let begin = Instant::now();
    let options = CheckOptions {
        rules,
        ..CheckOptions::default()
    };
    let outcome = qapi_gen::check_with(schema, &FsLoader, options);
    let ns = begin.elapsed().as_nanos();
    if outcome.schema.is_none() {
        return Err("the schema is refused".to_owned());
    }
    println!("{ns} {}", peak_kib()?);
    Ok(())
}

fn turn(command: &mut Command) -> Result<Turn, Failure> {
    let output = command.output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut figures = text.split_whitespace().map(str::parse);
    match (figures.next(), figures.next()) {
        (Some(Ok(ns)), Some(Ok(peak_kib))) => Ok(Turn { ns, peak_kib }),
        _ => Err(format!(
            "a turn failed: {}",
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

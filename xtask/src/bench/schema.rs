//! Parsing and checking QEMU's whole schema: ours against QEMU's generator.
//!
//! In: a QEMU tree. Out: rows of a table. Each turn is a process of its own
//! that says itself what it took, so that starting it does not count.

use std::path::Path;
use std::process::Command;
use std::time::Instant;
use std::{env, fs};

use qapi_gen::{CheckOptions, FsLoader};

use super::{quantile, spread, time};
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
    peak_kb: f64,
}

/// Prints the table.
pub(super) fn run(source: &Path, rounds: usize) -> Result<(), Failure> {
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
    println!("\nParse and check of {}.", schema.display());
    println!(
        "Medians of {} turns; in brackets the quartiles of the ratio.\n",
        our_turns.len()
    );
    println!(
        "{:>10}  {:>12}  {:>12}  {:>26}",
        "", "qapi-gen", "QEMU's", "QEMU's to ours"
    );
    let pick = |turns: &[Turn], part: fn(&Turn) -> f64| turns.iter().map(part).collect::<Vec<_>>();
    let ratios = |part: fn(&Turn) -> f64| {
        our_turns
            .iter()
            .zip(&their_turns)
            .map(|(a, b)| part(b) / part(a))
            .collect::<Vec<_>>()
    };
    let median = |turns: &[Turn], part| quantile(&mut pick(turns, part), 0.5);
    println!(
        "{:>10}  {:>12}  {:>12}  {:>26}",
        "time",
        time(median(&our_turns, |turn| turn.ns)),
        time(median(&their_turns, |turn| turn.ns)),
        spread(ratios(|turn| turn.ns)),
    );
    println!(
        "{:>10}  {:>9.0} KB  {:>9.0} KB  {:>26}",
        "memory",
        median(&our_turns, |turn| turn.peak_kb),
        median(&their_turns, |turn| turn.peak_kb),
        spread(ratios(|turn| turn.peak_kb)),
    );
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
    println!("{ns} {}", peak_kb()?);
    Ok(())
}

/// The most memory that this process has had.
fn peak_kb() -> Result<String, Failure> {
    let status = fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let figure = line.and_then(|line| line.split_whitespace().next());
    figure
        .map(str::to_owned)
        .ok_or_else(|| "no VmHWM in /proc/self/status".to_owned())
}

fn turn(command: &mut Command) -> Result<Turn, Failure> {
    let output = command.output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut figures = text.split_whitespace().map(str::parse);
    match (figures.next(), figures.next()) {
        (Some(Ok(ns)), Some(Ok(peak_kb))) => Ok(Turn { ns, peak_kb }),
        _ => Err(format!(
            "a turn failed: {}",
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

//! `cargo xtask bench`: what things cost, as ratios.
//!
//! In: this machine's KVM, and a QEMU tree if one is given. Out: tables whose
//! every row compares two ways to do the same, measured in turn in one run,
//! because these figures mean nothing alone.

mod allocations;
mod builds;
mod generate;
mod report;
mod request;
mod schema;
mod sweep;

use std::path::PathBuf;

use clap::Args;

use self::report::Report;
use crate::tools::{Failure, cargo};

/// Measure, side by side, what the runtime and the compiler cost
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Numbers of vCPUs to measure with
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 64, 255, 1024])]
    vcpus: Vec<u32>,
    /// How many times the two sides take turns
    #[arg(long, default_value_t = 31)]
    rounds: usize,
    /// Print what the runtime costs as JSON
    #[arg(long)]
    json: bool,
    /// Draw what the runtime costs against the number of vCPUs
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    /// A QEMU source tree, whose own generator the compiler is compared with
    #[arg(long, value_name = "QEMU_SRC")]
    qemu_src: Option<PathBuf>,
    /// Measure only what generating Rust costs for the tree's schema
    #[arg(long, requires = "qemu_src")]
    generate: bool,
    /// Measure only what decoding and encoding cost, beside crate qapi-qmp
    #[arg(long)]
    codec: bool,
    /// Measure only how long consumers take to build, beside crate qapi-qmp:
    /// this takes minutes
    #[arg(long)]
    builds: bool,
    /// Check a schema once and print what it took: a turn of the comparison
    #[arg(long, hide = true, value_name = "SCHEMA")]
    check_once: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    // What cargo builds is measured here, so that it does not matter how this
    // was built.
    if arguments.builds {
        return builds::run();
    }
    if let (true, Some(source)) = (arguments.generate, &arguments.qemu_src) {
        return generate::run(source, arguments.rounds);
    }
    if cfg!(debug_assertions) {
        // A debug build measures nothing.
        let given: Vec<String> = std::env::args().skip(1).collect();
        let mut line = vec!["run", "--release", "--quiet", "--package", "xtask", "--"];
        line.extend(given.iter().map(String::as_str));
        return cargo(&line, &[]);
    }
    if arguments.codec {
        let example = ["--package", "tests-whole", "--example", "codec"];
        return cargo(
            &[&["run", "--release", "--quiet"][..], &example].concat(),
            &[],
        );
    }
    if let Some(schema) = &arguments.check_once {
        return schema::check_once(schema);
    }
    runtime(arguments)?;
    if arguments.json {
        return Ok(());
    }
    match &arguments.qemu_src {
        Some(source) => {
            schema::run(source, arguments.rounds)?;
            generate::run(source, arguments.rounds)
        }
        None => {
            println!(
                "\nThe schema compiler is compared with QEMU's own if --qemu-src names a tree."
            );
            Ok(())
        }
    }
}

/// What a query costs.
fn runtime(arguments: &Arguments) -> Result<(), Failure> {
    let mut report = Report::default();
    let (vcpus, rounds) = (&arguments.vcpus, arguments.rounds);
    sweep::run(vcpus, rounds, &mut report)?;
    if !arguments.json {
        let heading = format!("Sweeps of vCPUs that do not run; medians of {rounds} turns.");
        report.print(&heading, (0, 0));
    }
    let from = report.len();
    request::run(vcpus, rounds, &mut report)?;
    if arguments.json {
        report.print_json();
    } else {
        report.print("Whole requests over a Unix socket.", from);
    }
    match &arguments.plot {
        Some(file) => report.plot(file),
        None => Ok(()),
    }
}

fn quantile(values: &mut [f64], at: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index within the values"
    )]
    let index = (values.len().saturating_sub(1) as f64 * at).round() as usize;
    values.get(index).copied().unwrap_or(f64::NAN)
}

fn spread(mut ratios: Vec<f64>) -> String {
    let [low, median, high] = [0.25, 0.5, 0.75].map(|at| quantile(&mut ratios, at));
    format!("{median:.2} [{low:.2}, {high:.2}]")
}

fn time(ns: f64) -> String {
    if ns < 10_000.0 {
        format!("{ns:.0} ns")
    } else {
        format!("{:.1} us", ns / 1000.0)
    }
}

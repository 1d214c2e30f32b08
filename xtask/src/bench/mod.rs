//! `cargo xtask bench`: what things cost, as ratios.
//!
//! In: this machine's KVM, and a QEMU tree if one is given. Out: a table whose
//! every row compares two ways to do the same, measured in turn in one run,
//! because these figures mean nothing alone.

mod allocations;
mod builds;
mod codec;
mod disturbance;
mod generate;
mod processors;
mod report;
mod request;
mod schema;
mod sweep;
mod vm;

use std::fs;
use std::path::PathBuf;

use clap::Args;

use self::processors::Processors;
use self::report::Report;
use crate::tools::{Failure, cargo};

/// Measure, side by side, what the runtime and the compiler cost
///
/// Without an option that says what to measure: everything but builds of
/// consumers, which take minutes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Numbers of vCPUs to measure with
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 64, 255, 1024])]
    vcpus: Vec<u32>,
    /// How many times the two sides take turns
    #[arg(long, default_value_t = 31)]
    rounds: usize,
    /// Print all rows as JSON
    #[arg(long)]
    json: bool,
    /// Draw what the runtime costs against the number of vCPUs
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    /// A QEMU source tree, whose own generator the compiler is compared with
    #[arg(long, value_name = "QEMU_SRC")]
    qemu_src: Option<PathBuf>,
    #[command(flatten)]
    only: Only,
    /// Check a schema once and print what it took: a turn of the comparison
    #[arg(long, hide = true, value_name = "SCHEMA")]
    check_once: Option<PathBuf>,
}

/// One thing to measure.
#[derive(Debug, Args)]
#[group(multiple = false)]
struct Only {
    /// Measure only what sweeps and requests cost
    #[arg(long)]
    queries: bool,
    /// Measure only what a running guest notices of queries
    #[arg(long)]
    disturbance: bool,
    /// Measure only what decoding and encoding cost, beside crate qapi-qmp
    #[arg(long)]
    codec: bool,
    /// Measure only what checking the tree's schema and generating Rust for
    /// it cost
    #[arg(long, requires = "qemu_src")]
    generate: bool,
    /// Measure only how long consumers take to build, beside crate qapi-qmp:
    /// this takes minutes
    #[arg(long)]
    builds: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    // What cargo builds is measured here, so that it does not matter how this
    // was built.
    if arguments.only.builds {
        return builds::run();
    }
    if cfg!(debug_assertions) {
        // A debug build measures nothing.
        let given: Vec<String> = std::env::args().skip(1).collect();
        let mut line = vec!["run", "--release", "--quiet", "--package", "xtask", "--"];
        line.extend(given.iter().map(String::as_str));
        return cargo(&line, &[]);
    }
    if let Some(schema) = &arguments.check_once {
        return schema::check_once(schema);
    }
    let mut report = Report::default();
    measure(arguments, &mut report)?;
    if arguments.json {
        report.print_json();
    } else {
        println!("\nHow long consumers take to build is measured by --builds alone: minutes.");
    }
    match &arguments.plot {
        Some(file) => report.plot(file),
        None => Ok(()),
    }
}

/// Everything, or what is wanted alone.
fn measure(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    let Arguments { vcpus, rounds, .. } = arguments;
    let Only {
        queries,
        disturbance,
        codec,
        generate,
        ..
    } = arguments.only;
    let everything = ![queries, disturbance, codec, generate].contains(&true);
    let print = |report: &mut Report, heading: &str| {
        if !arguments.json {
            report.print(heading);
        }
    };
    let processors = Processors::choose()?;
    if everything || queries {
        sweep::run(vcpus, *rounds, &processors, report)?;
        print(report, "Sweeps of vCPUs that do not run");
        request::run(vcpus, *rounds, &processors, report)?;
        print(report, "Whole requests over a Unix socket, one vCPU runs");
    }
    if everything || disturbance {
        disturbance::run(&processors, report)?;
        print(report, "A running guest, while a client asks in a loop");
    }
    // What follows is not bound to one processor.
    processors.release()?;
    if everything || codec {
        codec::run(report)?;
        print(report, "Decoding and encoding");
    }
    match &arguments.qemu_src {
        Some(source) if everything || generate => {
            schema::run(source, *rounds, report)?;
            generate::run(source, *rounds, report)?;
            print(report, "Compiling the tree's schema");
        }
        None if everything => {
            eprintln!("The schema compiler is compared with QEMU's if --qemu-src names a tree.");
        }
        _ => {}
    }
    Ok(())
}

/// The most memory that this process has had.
fn peak_kib() -> Result<f64, Failure> {
    let status = fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let figure = line.and_then(|line| line.split_whitespace().next());
    figure
        .and_then(|figure| figure.parse().ok())
        .ok_or_else(|| "the kernel does not tell the peak of memory".to_owned())
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

//! `cargo xtask bench`: compares our times with those of other programs.
//!
//! In: this machine's KVM, and a QEMU tree if one is given. Out: a table whose
//! rows compare two ways to do the same work, measured in turns within one run,
//! because the figures of one machine mean nothing alone.

mod allocations;
mod builds;
mod codec;
mod events;
mod generate;
mod processors;
mod report;
mod request;
mod sweep;
mod turns;
mod vm;

use std::path::PathBuf;

use clap::Args;

use self::processors::Processors;
use self::report::Report;
use crate::tools::{Failure, cargo};

/// Compare the runtime's and the compiler's times with other programs'
///
/// Without an option that selects one measurement: all of them except builds of
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
    /// A QEMU source tree, whose own generator the compiler is compared with
    #[arg(long, value_name = "QEMU_SRC")]
    qemu_src: Option<PathBuf>,
    #[command(flatten)]
    only: Only,
}

/// The one measurement to make.
#[derive(Debug, Args)]
#[group(multiple = false)]
struct Only {
    /// Measure only sweeps and requests
    #[arg(long)]
    queries: bool,
    /// Measure only how soon an event reaches a waiting client
    #[arg(long)]
    events: bool,
    /// Measure only decoding and encoding, compared with crate qapi-qmp
    #[arg(long)]
    codec: bool,
    /// Measure only generating Rust for the tree's schema
    #[arg(long, requires = "qemu_src")]
    generate: bool,
    /// Measure only how long consumers take to build, compared with crate
    /// qapi-qmp: this takes minutes
    #[arg(long)]
    builds: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if cfg!(debug_assertions) {
        // Measure a release build instead.
        let given: Vec<String> = std::env::args().skip(1).collect();
        let mut line = vec!["run", "--release", "--quiet", "--package", "xtask", "--"];
        line.extend(given.iter().map(String::as_str));
        return cargo(&line, &[]);
    }
    let only = &arguments.only;
    let everything = !(only.queries || only.events || only.codec || only.generate || only.builds);
    let Arguments { vcpus, rounds, .. } = arguments;
    let mut report = Report::new(arguments.json);
    let processors = Processors::choose()?;
    if everything || only.queries {
        report.heading("Sweeps of vCPUs that do not run");
        sweep::run(vcpus, *rounds, &processors, &mut report)?;
        report.heading("Whole requests over a Unix socket, one vCPU runs");
        request::run(vcpus, *rounds, &processors, &mut report)?;
    }
    if everything || only.events {
        report.heading("An event for a client that waits, while another one polls");
        events::run(&mut report)?;
    }
    // The remaining measurements are not bound to one processor.
    processors.release()?;
    if everything || only.codec {
        report.heading("Decoding and encoding");
        codec::run(&mut report)?;
    }
    match &arguments.qemu_src {
        Some(source) if everything || only.generate => {
            report.heading("Generating Rust for the tree's schema");
            generate::run(source, *rounds, &mut report)?;
        }
        None if everything => {
            eprintln!("Generating Rust is measured if --qemu-src names a QEMU tree.");
        }
        _ => {}
    }
    if only.builds {
        report.heading("Programs that encode every request and decode every reply of QMP");
        builds::run(&mut report)?;
    } else if everything {
        eprintln!("How long consumers take to build is measured by --builds alone: minutes.");
    }
    report.finish();
    Ok(())
}

//! The program's log.
//!
//! In: events of `tracing` from any part. Out: lines on the standard error stream.

use std::io;

use tracing_subscriber::filter::{EnvFilter, LevelFilter};

/// Logs warnings from now on, and with `verbosity` 1 what informs, with 2 what
/// helps to debug. The variable `RUST_LOG` takes precedence.
pub fn start(verbosity: u8) {
    let level = match verbosity {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let filter = EnvFilter::builder()
        .with_default_directive(level.into())
        .from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(io::stderr)
        .init();
}

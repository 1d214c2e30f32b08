//! The QEMU release whose rules a schema follows.
//!
//! In: an option, which all subcommands share. Out: the rules.

use clap::{Args, ValueEnum};
use qapi_gen::Rules;

/// The option that chooses the rules.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Version {
    /// The version of QEMU whose rules the schema follows.
    #[arg(long, value_enum, default_value_t = Release::V10_2)]
    rules: Release,
}

/// The releases of QEMU with known rules.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Release {
    #[value(name = "7.2")]
    V7_2,
    #[value(name = "10.0")]
    V10_0,
    #[value(name = "10.2")]
    V10_2,
}

impl Version {
    /// Returns the chosen rules.
    pub(super) fn rules(self) -> Rules {
        match self.rules {
            Release::V7_2 => Rules::V7_2,
            Release::V10_0 => Rules::V10_0,
            Release::V10_2 => Rules::V10_2,
        }
    }
}

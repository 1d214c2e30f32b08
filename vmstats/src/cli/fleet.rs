//! The arguments of commands that observe many virtual machines over time.
//!
//! In: words. Out: the places of monitors, and how samples are taken.

use std::time::Duration;

use clap::Args;

use super::reach::MonitorsArgs;
use super::value::interval;
use crate::client::TIMEOUT;
use crate::selection::{Selection, provider};
use crate::selector::NamePatterns;
use crate::source::{FleetOptions, Place};

/// Several virtual machines, and how samples of them are taken.
#[derive(Clone, Debug, Args)]
pub struct FleetArgs {
    /// The monitors.
    #[command(flatten)]
    pub monitors: MonitorsArgs,
    /// The number of seconds from one sample to the next, at least 0.01
    #[arg(long, short, value_name = "S", default_value = "1", value_parser = interval, allow_negative_numbers = true)]
    pub interval: Duration,
    /// Only statistics with these names, globs such as 'halt_*' or regular expressions
    /// such as '/poll|wait/'
    #[arg(long, value_name = "A,B")]
    pub names: Vec<NamePatterns>,
    /// Only statistics of this provider; may be given several times
    #[arg(long = "provider", value_name = "P")]
    pub providers: Vec<String>,
}

impl FleetArgs {
    /// Returns where the monitors are.
    #[must_use]
    pub fn places(&self) -> Vec<Place> {
        self.monitors.places()
    }

    /// Returns how samples are taken.
    #[must_use]
    pub fn options(&self) -> FleetOptions {
        let providers = self.providers.iter().map(|name| provider(name));
        FleetOptions {
            interval: self.interval,
            timeout: self.monitors.reach.timeout.unwrap_or(TIMEOUT),
            credentials: self.monitors.reach.tls.clone(),
            selection: Selection::new(None, providers.collect(), &self.names, Vec::new()),
            with_steal: true,
        }
    }
}

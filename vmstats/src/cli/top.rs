//! The arguments of `top`.
//!
//! In: words. Out: places, and how their statistics are shown.

use clap::Args;

use super::fleet::FleetArgs;

/// Show the statistics of many virtual machines as they change.
///
/// Without other options, shows a screen; `h` there lists the keys. A virtual machine
/// that hangs, stops or appears delays no other. STEAL% is the share of time in which
/// vCPUs waited for a processor of the host. A percentile is the bucket of the histogram
/// in which it lies.
///
/// --batch, -1, --csv and --json print instead. The exit status of -1 is 1 if a virtual
/// machine failed.
#[derive(Debug, Args)]
pub struct TopArgs {
    /// The monitors, and how samples are taken.
    #[command(flatten)]
    pub fleet: FleetArgs,
    /// Print a table after each interval instead of a screen
    #[arg(long, short)]
    pub batch: bool,
    /// Print once, after one interval, and end
    #[arg(long, short = '1')]
    pub once: bool,
    /// Print a line of CSV for each virtual machine and statistic
    #[arg(long)]
    pub csv: bool,
    /// Print a line of JSON for each virtual machine and statistic
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print each vCPU rather than sums
    #[arg(long)]
    pub per_vcpu: bool,
    /// Leave out what was 0 in the interval
    #[arg(long, short = 'z')]
    pub skip_zeros: bool,
    /// Sort by a column (name, vcpus, steal, run, halt, wait, query, state) or by any
    /// statistic, the largest first
    #[arg(long, value_name = "COLUMN")]
    pub sort: Option<String>,
    /// Print only the first N rows
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
    /// Use no colours, as with the variable NO_COLOR
    #[arg(long)]
    pub no_color: bool,
    /// Draw with ASCII only, as where the locale is not UTF-8
    #[arg(long)]
    pub ascii: bool,
}

impl TopArgs {
    /// Returns whether text is printed rather than a screen shown.
    #[must_use]
    pub fn is_printed(&self) -> bool {
        self.batch || self.once || self.csv || self.json
    }

    /// Returns an option that has a meaning only if text is printed.
    #[must_use]
    pub fn for_printing(&self) -> Option<&'static str> {
        let options = [
            (self.per_vcpu, "--per-vcpu"),
            (self.skip_zeros, "--skip-zeros"),
            (self.limit.is_some(), "--limit"),
        ];
        { options.into_iter() }.find_map(|(is_given, option)| is_given.then_some(option))
    }
}

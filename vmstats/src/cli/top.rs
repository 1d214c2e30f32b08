//! The arguments of `top`.
//!
//! In: words. Out: places, and how their statistics are shown.

use std::path::PathBuf;

use clap::Args;

use super::fleet::FleetArgs;
use crate::time_span::Moment;

/// Show the statistics of many virtual machines as they change.
///
/// Without other options, shows a screen; `h` there lists the keys. A virtual machine
/// that hangs, stops or appears delays no other. STEAL% is the share of time in which
/// vCPUs waited for a processor of the host. A percentile is the bucket of the histogram
/// in which it lies. A value that was not read is -, and its reason is beside it.
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

    /// Returns an option that has a meaning only if text is printed, and what does the
    /// same on the screen.
    #[must_use]
    pub fn for_printing(&self) -> Option<(&'static str, &'static str)> {
        let options = [
            (self.per_vcpu, "--per-vcpu", "x shows the vCPUs"),
            (self.skip_zeros, "--skip-zeros", "z hides and shows zeros"),
            (
                self.limit.is_some(),
                "--limit",
                "as many rows are shown as fit",
            ),
        ];
        let mut given = options.into_iter().filter(|(is_given, ..)| *is_given);
        given
            .next()
            .map(|(_, option, on_screen)| (option, on_screen))
    }
}

/// Show a recording on the screen of `top`, as time passes in it.
///
/// Space pauses, `t` and `T` step, `j` and `J` jump to a time, `<` and `>` change the
/// speed; `h` lists all keys.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The folder of the recording, or its packed file
    #[arg(value_name = "FOLDER")]
    pub recording: PathBuf,
    /// How many times as fast as it was
    #[arg(long, value_name = "X", default_value = "1", value_parser = speed)]
    pub speed: f64,
    /// Where to begin: HH:MM:SS in UTC, +10m after the beginning or -90s before the end
    #[arg(long, value_name = "TIME", value_parser = Moment::parse, allow_hyphen_values = true)]
    pub at: Option<Moment>,
    /// Sort by a column or by any statistic, the largest first
    #[arg(long, value_name = "COLUMN")]
    pub sort: Option<String>,
    /// Use no colours, as with the variable NO_COLOR
    #[arg(long)]
    pub no_color: bool,
    /// Draw with ASCII only, as where the locale is not UTF-8
    #[arg(long)]
    pub ascii: bool,
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: Option<f64> = text.parse().ok();
    let range = 0.01..=4096.0;
    speed
        .filter(|speed| range.contains(speed))
        .ok_or_else(|| "expected a number from 0.01 to 4096".to_owned())
}

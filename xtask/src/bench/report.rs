//! The results of all measurements, as a table or as JSON.
//!
//! In: rows, each of which compares two ways to do the same work. Out: text.

use serde_json::json;

use super::samples::{quantile, time};

/// Two ways to do the same work, measured in turns.
pub(super) struct Comparison {
    /// The work.
    pub(super) what: String,
    /// The number of vCPUs, if the work depends on it.
    pub(super) vcpus: Option<u32>,
    /// The name of the program or code that ours is compared with.
    pub(super) other: &'static str,
    /// Our nanoseconds in each turn.
    pub(super) ours: Vec<f64>,
    /// The other side's nanoseconds in each turn.
    pub(super) others: Vec<f64>,
}

/// A count of ours, without a second one to compare it with.
pub(super) struct Count {
    pub(super) what: String,
    pub(super) vcpus: Option<u32>,
    pub(super) value: f64,
}

/// All rows of the table.
#[derive(Default)]
pub(super) struct Report {
    pub(super) comparisons: Vec<Comparison>,
    pub(super) counts: Vec<Count>,
    /// The numbers of comparisons and of counts that have been printed.
    printed: (usize, usize),
}

impl Comparison {
    /// Returns the quartiles of our time divided by the other side's.
    fn ratio(&self) -> [f64; 3] {
        let mut ratios: Vec<f64> = self
            .ours
            .iter()
            .zip(&self.others)
            .map(|(ours, other)| ours / other)
            .collect();
        [0.25, 0.5, 0.75].map(|at| quantile(&mut ratios, at))
    }

    fn medians(&self) -> [f64; 2] {
        [&self.ours, &self.others].map(|side| quantile(&mut side.clone(), 0.5))
    }
}

impl Report {
    /// Prints the rows that were added since the last call, under a heading.
    pub(super) fn print(&mut self, heading: &str) {
        if self.printed == (0, 0) {
            println!(
                "{:<34} {:>5}  {:>12}  {:>12}  {:<24} ratio [quartiles]",
                "", "vCPUs", "ours", "other", "other is"
            );
        }
        println!("\n{heading}");
        let of = |vcpus: Option<u32>| vcpus.map(|vcpus| vcpus.to_string()).unwrap_or_default();
        for row in self.comparisons.iter().skip(self.printed.0) {
            let [ours, other] = row.medians();
            let [low, median, high] = row.ratio();
            println!(
                "{:<34} {:>5}  {:>12}  {:>12}  {:<24} {median:.3} [{low:.3}, {high:.3}]",
                row.what,
                of(row.vcpus),
                time(ours),
                time(other),
                row.other,
            );
        }
        for row in self.counts.iter().skip(self.printed.1) {
            let vcpus = of(row.vcpus);
            println!("{:<34} {vcpus:>5}  {:>12.2}", row.what, row.value);
        }
        self.printed = (self.comparisons.len(), self.counts.len());
    }

    /// Prints all rows as JSON.
    pub(super) fn print_json(&self) {
        let comparisons: Vec<_> = self
            .comparisons
            .iter()
            .map(|row| {
                let ([ours, other], ratio) = (row.medians(), row.ratio());
                json!({
                    "what": row.what, "vcpus": row.vcpus, "other-is": row.other,
                    "unit": "ns", "ours": ours, "other": other,
                    "ratio": ratio[1], "ratio-quartiles": [ratio[0], ratio[2]],
                })
            })
            .collect();
        let counts: Vec<_> = self
            .counts
            .iter()
            .map(|row| json!({ "what": row.what, "vcpus": row.vcpus, "value": row.value }))
            .collect();
        println!(
            "{:#}",
            json!({ "comparisons": comparisons, "counts": counts })
        );
    }
}

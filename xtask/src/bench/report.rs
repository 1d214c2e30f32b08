//! The results of all measurements, as a table or as JSON.
//!
//! In: rows, each of which compares two ways to do the same work. Out: text: a
//! row of the table when the row is added, JSON at the end.

use serde_json::{Value, json};

use super::turns::quartiles;
use crate::progress::step;

/// The rows so far.
pub(super) struct Report {
    is_json: bool,
    comparisons: Vec<Value>,
    counts: Vec<Value>,
}

impl Report {
    pub(super) fn new(is_json: bool) -> Self {
        if !is_json {
            println!(
                "{:<34} {:>5}  {:>12}  {:>12}  {:<24} ratio [quartiles]",
                "", "vCPUs", "ours", "other", "other is"
            );
        }
        Self {
            is_json,
            comparisons: Vec::new(),
            counts: Vec::new(),
        }
    }

    pub(super) fn heading(&self, text: &str) {
        step(text);
        if !self.is_json {
            println!("\n{text}");
        }
    }

    /// Adds a comparison of two ways to do the same work. Each turn has our
    /// nanoseconds and those of `other`. `vcpus` is given if the work depends
    /// on it.
    pub(super) fn compare(
        &mut self,
        what: &str,
        vcpus: Option<u32>,
        other: &str,
        turns: &[[f64; 2]],
    ) {
        let [_, ours_ns, _] = quartiles(turns.iter().map(|[ours, _]| *ours));
        let [_, other_ns, _] = quartiles(turns.iter().map(|[_, other]| *other));
        let [low, median, high] = quartiles(turns.iter().map(|[ours, other]| ours / other));
        if !self.is_json {
            println!(
                "{what:<34} {:>5}  {:>12}  {:>12}  {other:<24} {median:.3} [{low:.3}, {high:.3}]",
                number(vcpus),
                time(ours_ns),
                time(other_ns),
            );
        }
        self.comparisons.push(json!({
            "what": what, "vcpus": vcpus, "other-is": other,
            "unit": "ns", "ours": ours_ns, "other": other_ns,
            "ratio": median, "ratio-quartiles": [low, high],
        }));
    }

    /// Adds a figure of ours, without a second one to compare it with.
    pub(super) fn count(&mut self, what: &str, vcpus: Option<u32>, value: f64) {
        if !self.is_json {
            println!("{what:<34} {:>5}  {value:>12.2}", number(vcpus));
        }
        let row = json!({ "what": what, "vcpus": vcpus, "value": value });
        self.counts.push(row);
    }

    /// Prints all rows, if they are asked for as JSON.
    pub(super) fn finish(self) {
        if self.is_json {
            let rows = json!({ "comparisons": self.comparisons, "counts": self.counts });
            println!("{rows:#}");
        }
    }
}

fn number(vcpus: Option<u32>) -> String {
    vcpus.map(|vcpus| vcpus.to_string()).unwrap_or_default()
}

/// Formats nanoseconds.
fn time(ns: f64) -> String {
    match ns {
        ..1e4 => format!("{ns:.0} ns"),
        ..1e9 => format!("{:.1} us", ns / 1e3),
        _ => format!("{:.1} s", ns / 1e9),
    }
}

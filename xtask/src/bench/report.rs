//! What was measured, as a table, as JSON and as a picture.
//!
//! In: rows, each of which compares two ways to do the same. Out: text. It
//! measures nothing.

use std::path::Path;

use plotters::prelude::*;
use serde_json::json;

use super::{quantile, time};
use crate::tools::Failure;

/// Two ways to do the same, measured in turns.
pub(super) struct Comparison {
    /// What is done.
    pub(super) what: String,
    /// With how many vCPUs, where that matters.
    pub(super) vcpus: Option<u32>,
    /// What ours is compared with.
    pub(super) other: &'static str,
    /// What was measured.
    pub(super) unit: Unit,
    /// Ours in each turn.
    pub(super) ours: Vec<f64>,
    /// The other in each turn.
    pub(super) others: Vec<f64>,
}

/// What a number counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Ns,
    Kib,
    PerSecond,
}

/// A number that stands alone.
pub(super) struct Count {
    pub(super) what: String,
    pub(super) vcpus: Option<u32>,
    pub(super) value: f64,
}

/// All that was measured: one table.
#[derive(Default)]
pub(super) struct Report {
    pub(super) comparisons: Vec<Comparison>,
    pub(super) counts: Vec<Count>,
    /// How many of both have been printed.
    printed: (usize, usize),
}

impl Comparison {
    /// Quartiles of ours divided by the other.
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

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Ns => "ns",
            Self::Kib => "KiB",
            Self::PerSecond => "1/s",
        }
    }

    fn text(self, value: f64) -> String {
        match self {
            Self::Ns => time(value),
            _ => format!("{value:.0} {}", self.name()),
        }
    }
}

impl Report {
    /// Prints what was added since this was last called, under a heading.
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
                row.unit.text(ours),
                row.unit.text(other),
                row.other,
            );
        }
        for row in self.counts.iter().skip(self.printed.1) {
            let vcpus = of(row.vcpus);
            println!("{:<34} {vcpus:>5}  {:>12.2}", row.what, row.value);
        }
        self.printed = (self.comparisons.len(), self.counts.len());
    }

    /// Prints everything for machines.
    pub(super) fn print_json(&self) {
        let comparisons: Vec<_> = self
            .comparisons
            .iter()
            .map(|row| {
                let ([ours, other], ratio) = (row.medians(), row.ratio());
                json!({
                    "what": row.what, "vcpus": row.vcpus, "other-is": row.other,
                    "unit": row.unit.name(), "ours": ours, "other": other,
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

    /// Draws cost against the number of vCPUs.
    pub(super) fn plot(&self, file: &Path) -> Result<(), Failure> {
        self.draw(file).map_err(|error| error.to_string())
    }

    fn draw(&self, file: &Path) -> Result<(), Box<dyn std::error::Error>> {
        let mut lines: Vec<(String, Vec<(f64, f64)>)> = Vec::new();
        let mut add = |name: String, vcpus: u32, ns: f64| {
            let point = (f64::from(vcpus), ns / 1000.0);
            match lines.iter_mut().find(|(other, _)| *other == name) {
                Some((_, points)) => points.push(point),
                None => lines.push((name, vec![point])),
            }
        };
        for row in self.comparisons.iter().filter(|row| row.unit == Unit::Ns) {
            let Some(vcpus) = row.vcpus else {
                continue;
            };
            let [ours, other] = row.medians();
            if row.other != super::request::QEMU {
                add(row.what.clone(), vcpus, ours);
            }
            add(format!("{}: {}", row.what, row.other), vcpus, other);
        }
        let all = || lines.iter().flat_map(|(_, points)| points);
        let x_max = all().map(|(x, _)| *x).fold(2.0, f64::max);
        let y_min = all().map(|(_, y)| *y).fold(f64::MAX, f64::min);
        let y_max = all().map(|(_, y)| *y).fold(1.0, f64::max);
        let area = SVGBackend::new(file, (1000, 640)).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(70)
            .build_cartesian_2d(
                (1.0..x_max * 1.1).log_scale(),
                (y_min / 1.5..y_max * 1.5).log_scale(),
            )?;
        chart
            .configure_mesh()
            .x_desc("vCPUs")
            .y_desc("microseconds")
            .draw()?;
        for (index, (name, points)) in lines.into_iter().enumerate() {
            let color = Palette99::pick(index).to_rgba();
            chart
                .draw_series(LineSeries::new(points, color.stroke_width(2)))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK)
            .draw()?;
        area.present()?;
        Ok(())
    }
}

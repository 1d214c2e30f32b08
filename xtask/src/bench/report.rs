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
    /// With how many vCPUs.
    pub(super) vcpus: u32,
    /// What ours is compared with.
    pub(super) other: &'static str,
    /// Nanoseconds of ours in each turn.
    pub(super) ours_ns: Vec<f64>,
    /// Nanoseconds of the other in each turn.
    pub(super) other_ns: Vec<f64>,
}

/// A number that stands alone.
pub(super) struct Count {
    pub(super) what: String,
    pub(super) vcpus: u32,
    pub(super) value: f64,
}

/// All that was measured.
#[derive(Default)]
pub(super) struct Report {
    pub(super) comparisons: Vec<Comparison>,
    pub(super) counts: Vec<Count>,
}

impl Comparison {
    /// Quartiles of how often as long the first takes as the second.
    fn ratio(&self) -> [f64; 3] {
        let mut ratios: Vec<f64> = self
            .ours_ns
            .iter()
            .zip(&self.other_ns)
            .map(|(ours, other)| ours / other)
            .collect();
        [0.25, 0.5, 0.75].map(|at| quantile(&mut ratios, at))
    }

    fn medians(&self) -> [f64; 2] {
        [&self.ours_ns, &self.other_ns].map(|side| quantile(&mut side.clone(), 0.5))
    }
}

impl Report {
    /// Prints a heading, and what was added since `from`.
    pub(super) fn print(&self, heading: &str, from: (usize, usize)) {
        println!("\n{heading}");
        println!(
            "{:<24} {:>6}  {:>12}  {:>12}  {:<22} ratio [quartiles]",
            "", "vCPUs", "ours", "other", "other is"
        );
        for row in self.comparisons.iter().skip(from.0) {
            let [ours, other] = row.medians();
            let [low, median, high] = row.ratio();
            println!(
                "{:<24} {:>6}  {:>12}  {:>12}  {:<22} {median:.3} [{low:.3}, {high:.3}]",
                row.what,
                row.vcpus,
                time(ours),
                time(other),
                row.other,
            );
        }
        for row in self.counts.iter().skip(from.1) {
            println!("{:<50} {:>6}  {:>12.2}", row.what, row.vcpus, row.value);
        }
    }

    pub(super) fn len(&self) -> (usize, usize) {
        (self.comparisons.len(), self.counts.len())
    }

    /// Prints everything for machines.
    pub(super) fn print_json(&self) {
        let comparisons: Vec<_> = self
            .comparisons
            .iter()
            .map(|row| {
                let ([ours, other], ratio) = (row.medians(), row.ratio());
                json!({
                    "what": row.what, "vcpus": row.vcpus, "other": row.other,
                    "ours-ns": ours, "other-ns": other,
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
        for row in &self.comparisons {
            let [ours, other] = row.medians();
            if row.other != super::request::QEMU {
                add(row.what.clone(), row.vcpus, ours);
            }
            add(format!("{}: {}", row.what, row.other), row.vcpus, other);
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

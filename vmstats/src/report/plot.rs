//! Plots and heat maps as SVG within HTML.
//!
//! In: a statistic over time. Out: text. The drawings stretch to the page's width, and
//! their labels are HTML, so that letters keep their size on a narrow screen. Colours are
//! classes of the page's style. Nothing here computes a rate.

use std::fmt::Write as _;
use std::time::Duration;

use super::columns::{Course, Grid};
use crate::html::escaped;
use crate::measure;
use crate::sample::Timestamp;
use crate::summary::{self, Event, Happening};
use crate::time_span;

/// The height of a drawing in its own units; the width is the number of columns.
const HEIGHT: f64 = 100.0;

/// The number of shades of a heat map.
const SHADES: usize = 6;

/// The share of a drawing's height that the largest value takes.
const HEADROOM: f64 = 0.8;

/// The marks that all drawings of a virtual machine have.
#[derive(Clone, Debug)]
pub(super) struct Marks<'a> {
    /// The columns.
    pub grid: Grid,
    /// The end of the first part.
    pub split: Timestamp,
    /// Restarts, resets, plugged vCPUs and gaps.
    pub events: &'a [Event],
}

impl Marks<'_> {
    fn write(&self, out: &mut String, height: f64) {
        for event in self.events {
            let x = self.grid.place(event.at);
            let class = match &event.happening {
                Happening::Gap(gap) | Happening::Late(gap) => {
                    let begin = self.grid.place(event.at.minus(*gap));
                    let _ = write!(
                        out,
                        "<rect class=\"gap\" x=\"{begin:.2}\" y=\"0\" width=\"{:.2}\" height=\"{height}\"/>",
                        x - begin
                    );
                    continue;
                }
                Happening::Restarted => "restart",
                Happening::Reset(..) | Happening::Appeared(..) | Happening::Gone(..) => "plug",
            };
            line(out, class, x, height);
        }
        line(out, "split", self.grid.place(self.split), height);
    }

    /// Returns the labels of the time axis.
    fn axis(&self) -> String {
        let Grid { begin, end, .. } = self.grid;
        let label = |moment| format!("<span>{}</span>", time_span::time_in((begin, end), moment));
        let middle = Timestamp(begin.0.midpoint(end.0));
        format!(
            "<div class=\"x\">{}{}{}</div>",
            label(begin),
            label(middle),
            label(end)
        )
    }

    fn svg(&self, class: &str, height: f64, content: &str) -> String {
        format!(
            "<svg class=\"{class}\" viewBox=\"0 0 {} {height}\" preserveAspectRatio=\"none\" \
             aria-hidden=\"true\">{content}</svg>",
            self.grid.columns
        )
    }
}

fn line(out: &mut String, class: &str, x: f64, height: f64) {
    let _ = write!(out, "<path class=\"{class}\" d=\"M{x:.2} 0V{height}\"/>");
}

/// Returns a plot of a statistic, with a heading.
#[must_use]
pub(super) fn plot(marks: &Marks<'_>, course: &Course, heading: &str) -> String {
    let levels: Vec<Option<f64>> = course.levels().collect();
    let highs = course.columns.iter().zip(&levels);
    let highs = highs.filter_map(|(column, level)| {
        let high = column.extremes.map(|(_, high)| high);
        high.or(*level)
    });
    let max = highs.fold(0.0, f64::max);
    let scale = if max > 0.0 {
        HEIGHT * HEADROOM / max
    } else {
        0.0
    };
    let y = |value: f64| HEIGHT - value * scale;
    let mut content = String::new();
    if course
        .columns
        .iter()
        .any(|column| column.extremes.is_some())
    {
        let band = course.columns.iter().map(|column| column.extremes);
        band_of(&mut content, &band.collect::<Vec<_>>(), y);
    } else {
        let area: Vec<_> = levels
            .iter()
            .map(|level| level.map(|high| (0.0, high)))
            .collect();
        band_of(&mut content, &area, y);
    }
    let _ = write!(
        content,
        "<path class=\"line\" d=\"{}\"/>",
        steps(&levels, y)
    );
    if max > 0.0 {
        let columns = marks.grid.columns;
        let _ = write!(
            content,
            "<path class=\"top\" d=\"M0 {:.1}H{columns}\"/>",
            y(max)
        );
    }
    marks.write(&mut content, HEIGHT);
    let svg = marks.svg("plot", HEIGHT, &content);
    format!(
        "<figure>{heading}<div class=\"frame\"><span class=\"y\">{}</span>{svg}</div>{}</figure>",
        escaped(&summary::level(&course.stat, max)),
        marks.axis()
    )
}

/// Returns the path of a line with a step for each column; a column without a value
/// interrupts the line.
fn steps(levels: &[Option<f64>], y: impl Fn(f64) -> f64) -> String {
    let mut path = String::new();
    let mut is_drawn = false;
    for (x, level) in levels.iter().enumerate() {
        if let Some(level) = level {
            let command = if is_drawn { 'V' } else { 'M' };
            let y = y(*level);
            let _ = if is_drawn {
                write!(path, "{command}{y:.1}H{}", x + 1)
            } else {
                write!(path, "{command}{x} {y:.1}H{}", x + 1)
            };
        }
        is_drawn = level.is_some();
    }
    path
}

/// Draws the area between the low and the high values.
fn band_of(out: &mut String, band: &[Option<(f64, f64)>], y: impl Fn(f64) -> f64) {
    let mut path = String::new();
    for (x, values) in band.iter().enumerate() {
        if let Some((low, high)) = values {
            let (low, high) = (y(*low), y(*high));
            let _ = write!(path, "M{x} {low:.1}V{high:.1}h1V{low:.1}z");
        }
    }
    let _ = write!(out, "<path class=\"area\" d=\"{path}\"/>");
}

/// Returns a heat map of a histogram, with a heading: a row for each bucket, the lowest
/// at the bottom.
#[must_use]
pub(super) fn heat_map(marks: &Marks<'_>, course: &Course, heading: &str) -> String {
    let count = course
        .columns
        .iter()
        .map(|column| column.buckets.len())
        .max()
        .unwrap_or(0);
    let has = |bucket: usize| {
        let mut columns = course.columns.iter();
        columns.any(|column| column.buckets.get(bucket).is_some_and(|count| *count > 0.0))
    };
    let (Some(first), Some(last)) = (
        (0..count).find(|one| has(*one)),
        (0..count).rfind(|one| has(*one)),
    ) else {
        return String::new();
    };
    let shades = shades(course, first, last);
    let mut content = String::new();
    for (shade, path) in shades.iter().enumerate() {
        let _ = write!(content, "<path class=\"h{}\" d=\"{path}\"/>", shade + 1);
    }
    #[expect(clippy::cast_precision_loss, reason = "a row's number is small")]
    let y = |bucket: f64| (last + 1) as f64 - bucket - 0.5;
    for (class, share) in [("p50", 0.5), ("p99", 0.99)] {
        let levels: Vec<Option<f64>> = course
            .columns
            .iter()
            .map(|column| percentile(&column.buckets, share))
            .collect();
        let _ = write!(
            content,
            "<path class=\"{class}\" d=\"{}\"/>",
            steps(&levels, y)
        );
    }
    #[expect(clippy::cast_precision_loss, reason = "a row's number is small")]
    let height = (last + 1 - first) as f64;
    marks.write(&mut content, height);
    let svg = marks.svg("heat", height, &content);
    let bucket = |index: usize| match &course.stat.schema {
        Some(meaning) => measure::bucket(meaning, index, count),
        None => format!("[{index}]"),
    };
    format!(
        "<figure>{heading}<div class=\"frame\">{svg}</div>{}\
         <div class=\"rows\">bottom {} · top {}</div></figure>",
        marks.axis(),
        escaped(&bucket(first)),
        escaped(&bucket(last))
    )
}

/// Returns a path of cells for each shade, by the logarithm of a cell's rate.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a shade is one of six"
)]
fn shades(course: &Course, first: usize, last: usize) -> [String; SHADES] {
    let rate = |column: usize, bucket: usize| {
        let column = course.columns.get(column)?;
        let count = column.buckets.get(bucket)?;
        (*count > 0.0 && column.seconds > 0.0).then(|| (count / column.seconds).ln())
    };
    let columns = course.columns.len();
    let cells =
        || (first..=last).flat_map(|bucket| (0..columns).map(move |column| (column, bucket)));
    let all = || cells().filter_map(|(column, bucket)| rate(column, bucket));
    let (low, high) = (
        all().fold(f64::MAX, f64::min),
        all().fold(f64::MIN, f64::max),
    );
    let shade = |rate: f64| {
        let share = if high > low {
            (rate - low) / (high - low)
        } else {
            1.0
        };
        ((share * SHADES as f64) as usize).min(SHADES - 1)
    };
    let mut paths = <[String; SHADES]>::default();
    for bucket in first..=last {
        let mut column = 0;
        while column < columns {
            let here = rate(column, bucket).map(shade);
            let same = (column..columns).take_while(|next| rate(*next, bucket).map(shade) == here);
            let width = same.count();
            if let Some(path) = here.and_then(|shade| paths.get_mut(shade)) {
                let _ = write!(path, "M{column} {}h{width}v1h-{width}z", last - bucket);
            }
            column += width;
        }
    }
    paths
}

/// Returns the bucket in which a percentile of fractional counts lies.
#[expect(clippy::cast_precision_loss, reason = "buckets are few")]
fn percentile(buckets: &[f64], share: f64) -> Option<f64> {
    let rank = buckets.iter().sum::<f64>() * share;
    let mut seen = 0.0;
    let place = buckets.iter().position(|count| {
        seen += count;
        // A sum of fractions is a little lower than their whole.
        *count > 0.0 && seen >= rank * (1.0 - 1e-9)
    });
    place.map(|place| place as f64)
}

/// Returns an event as words.
#[must_use]
pub(super) fn event(event: &Event) -> String {
    let object = |target: &qapi_stats::stats::StatsTarget, id: &crate::sample::ObjectId| {
        format!("{target} {id}").trim_end().to_owned()
    };
    match &event.happening {
        Happening::Restarted => "the VM was started again".to_owned(),
        Happening::Gap(gap) => {
            let whole = Duration::from_millis(u64::try_from(gap.as_millis()).unwrap_or(u64::MAX));
            format!(
                "the first sample after {} without any",
                time_span::length(whole)
            )
        }
        Happening::Late(delay) => {
            format!("the monitor took {:.1} s to answer", delay.as_secs_f64())
        }
        Happening::Reset(target, id) => format!("{} counts from zero again", object(target, id)),
        Happening::Appeared(target, id) => format!("{} appeared", object(target, id)),
        Happening::Gone(target, id) => format!("{} is gone", object(target, id)),
    }
}

#[cfg(test)]
mod tests {
    use super::{percentile, steps};

    #[test]
    fn line_is_interrupted_where_nothing_was_read() {
        let path = steps(&[Some(1.0), Some(2.0), None, Some(3.0)], |value| {
            10.0 - value
        });
        assert_eq!(path, "M0 9.0H1V8.0H2M3 7.0H4");
    }

    #[test]
    fn percentile_of_fractions_is_a_bucket_with_a_count() {
        assert_eq!(percentile(&[], 0.5), None);
        assert_eq!(percentile(&[0.0, 0.0], 0.5), None);
        assert_eq!(percentile(&[0.0, 0.1, 0.9], 0.05), Some(1.0));
        assert_eq!(percentile(&[0.0, 0.1, 0.9, 0.0], 1.0), Some(2.0));
    }
}

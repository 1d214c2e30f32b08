//! A statistic over time, in a bounded number of columns.
//!
//! In: steps from one sample to the next. Out: for each column of time the rate, mean or
//! maximum of what was covered in it. A step is shared among the columns that it touches
//! by time, so that columns need not be as long as steps. Nothing here draws.

use qapi_stats::stats::{StatsProvider, StatsTarget};

use crate::sample::{Kind, ObjectId, Stat, Timestamp};
use crate::summary::{Figure, Step, Summarizer};

/// The number of columns of a long recording.
pub(super) const COLUMNS_MAX: usize = 160;

/// A division of a span of time into columns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// The begin of the first column.
    pub begin: Timestamp,
    /// The end of the last column.
    pub end: Timestamp,
    /// The number of columns.
    pub columns: usize,
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "times are drawn within a column's width"
)]
impl Grid {
    /// Divides a span into as many columns as samples fit in, at most `COLUMNS_MAX`.
    #[must_use]
    pub fn new(begin: Timestamp, end: Timestamp, samples: u64) -> Self {
        let end = Timestamp(end.0.max(begin.0 + 1));
        let steps = usize::try_from(samples.saturating_sub(1)).unwrap_or(usize::MAX);
        Self {
            begin,
            end,
            columns: steps.clamp(1, COLUMNS_MAX),
        }
    }

    /// Returns the length of a column in seconds.
    #[must_use]
    pub fn column_seconds(&self) -> f64 {
        self.end.since(self.begin).as_secs_f64() / self.columns as f64
    }

    /// Returns the place of a moment, in columns from the begin.
    #[must_use]
    pub fn place(&self, moment: Timestamp) -> f64 {
        let place = moment.since(self.begin).as_secs_f64() / self.column_seconds();
        place.clamp(0.0, self.columns as f64)
    }

    /// Returns the columns that a span of time overlaps, each with its share of that time.
    fn shares(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = (usize, f64)> {
        let (from, to) = (self.place(from), self.place(to));
        let last = self.columns - 1;
        let first = (from as usize).min(last);
        (first..=last)
            .map(move |column| {
                let begin = (column as f64).max(from);
                let end = ((column + 1) as f64).min(to);
                (column, (end - begin) / (to - from))
            })
            .take_while(|(_, share)| *share > 0.0)
    }
}

/// A column of a statistic.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Column {
    /// The time of the column in which the statistic was read, in seconds.
    pub seconds: f64,
    /// The growth, or the values times the seconds.
    amount: f64,
    /// The lowest and the highest value.
    pub extremes: Option<(f64, f64)>,
    /// The growth of a histogram's buckets.
    pub buckets: Vec<f64>,
}

impl Column {
    /// Returns the rate or the mean; `None` if nothing was read.
    #[must_use]
    pub(super) fn level(&self) -> Option<f64> {
        (self.seconds > 0.0).then(|| self.amount / self.seconds)
    }
}

/// A statistic over time.
#[derive(Clone, Debug)]
pub(super) struct Course {
    /// The provider.
    pub provider: StatsProvider,
    /// The kind of object.
    pub target: StatsTarget,
    /// The object; `None` for all objects together.
    pub object: Option<ObjectId>,
    /// The statistic.
    pub stat: Stat,
    /// The columns, the earliest first.
    pub columns: Vec<Column>,
}

/// The statistics of a virtual machine over time.
#[derive(Clone, Debug)]
pub(super) struct Courses {
    grid: Grid,
    by_object: bool,
    only: Option<StatsProvider>,
    /// The statistics.
    pub courses: Vec<Course>,
}

impl Courses {
    /// Starts without samples. The objects of a kind are combined unless `by_object`.
    #[must_use]
    pub(super) fn new(grid: Grid, by_object: bool, only: Option<StatsProvider>) -> Self {
        Self {
            grid,
            by_object,
            only,
            courses: Vec::new(),
        }
    }

    /// Adds the time from one sample to the next.
    pub(super) fn add(&mut self, step: &Step<'_>) {
        let (Some(before), Some(_)) = (step.before, &step.comparison) else {
            return;
        };
        let mut summarizer = Summarizer::new(self.by_object);
        if let Some(only) = &self.only {
            summarizer = summarizer.only(only.clone());
        }
        summarizer.add(step);
        let shares = self
            .grid
            .shares(before.window.middle(), step.after.window.middle());
        let shares: Vec<(usize, f64)> = shares.collect();
        let mut next = 0;
        for group in summarizer.finish().groups {
            for series in group.series {
                let Some(figure) = series.figure else {
                    next += 1;
                    continue;
                };
                let key = (&group.provider, &group.target, &group.object, &series.stat);
                let course = self.find(next, key);
                next = course + 1;
                let Some(course) = self.courses.get_mut(course) else {
                    continue;
                };
                let elapsed = step.after.window.middle().since(before.window.middle());
                for (column, share) in &shares {
                    if let Some(column) = course.columns.get_mut(*column) {
                        column.add(&figure, *share, elapsed.as_secs_f64());
                    }
                }
            }
        }
    }

    /// Returns the place of a course, at the best the one at `next`.
    fn find(
        &mut self,
        next: usize,
        key: (&StatsProvider, &StatsTarget, &Option<ObjectId>, &Stat),
    ) -> usize {
        let is_wanted = |course: &Course| {
            (course.provider == *key.0 && course.target == *key.1)
                && (course.object == *key.2 && course.stat.name == key.3.name)
                && course.stat.kind == key.3.kind
        };
        if self.courses.get(next).is_some_and(is_wanted) {
            return next;
        }
        let found = self.courses.iter().position(is_wanted);
        found.unwrap_or_else(|| {
            self.courses.push(Course {
                provider: key.0.clone(),
                target: key.1.clone(),
                object: key.2.clone(),
                stat: key.3.clone(),
                columns: vec![Column::default(); self.grid.columns],
            });
            self.courses.len() - 1
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "a plot has few digits")]
impl Column {
    /// Adds a share of one step, which took `elapsed` seconds.
    fn add(&mut self, figure: &Figure, share: f64, elapsed: f64) {
        match figure {
            Figure::Counter { increase, seconds } => {
                self.amount += *increase as f64 * share;
                self.seconds += seconds * share;
            }
            Figure::Histogram { increases, seconds } => {
                if self.buckets.len() < increases.len() {
                    self.buckets.resize(increases.len(), 0.0);
                }
                for (sum, increase) in self.buckets.iter_mut().zip(increases) {
                    *sum += *increase as f64 * share;
                    self.amount += *increase as f64 * share;
                }
                self.seconds += seconds * share;
            }
            Figure::Gauge { .. } | Figure::Boolean { .. } | Figure::Peak(_) => {
                let Some(level) = figure.level() else { return };
                self.amount += level * share * elapsed;
                self.seconds += share * elapsed;
                let (low, high) = self.extremes.unwrap_or((level, level));
                self.extremes = Some((low.min(level), high.max(level)));
            }
        }
    }
}

impl Course {
    /// Returns the level of each column: the highest value of a peak, else the rate or
    /// the mean.
    pub(super) fn levels(&self) -> impl Iterator<Item = Option<f64>> {
        let is_peak = self.stat.kind == Kind::Peak;
        self.columns
            .iter()
            .map(move |column| match column.extremes {
                Some((_, high)) if is_peak => Some(high),
                _ => column.level(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn step_is_shared_among_the_columns_that_it_touches() {
        let seconds = |seconds: u64| Timestamp(seconds * 1_000_000_000);
        let grid = Grid::new(seconds(100), seconds(140), 5);
        assert_eq!((grid.columns, grid.column_seconds()), (4, 10.0));
        let shares = |from, to| {
            grid.shares(seconds(from), seconds(to))
                .collect::<Vec<(usize, f64)>>()
        };
        assert_eq!(shares(100, 110), [(0, 1.0)]);
        assert_eq!(shares(105, 125), [(0, 0.25), (1, 0.5), (2, 0.25)]);
        assert_eq!(shares(130, 140), [(3, 1.0)]);
        assert_eq!(shares(139, 139), []);
        let mut column = Column::default();
        assert_eq!(column.level(), None);
        let figure = Figure::Counter {
            increase: 100,
            seconds: 20.0,
        };
        column.add(&figure, 0.5, 20.0);
        assert_eq!((column.level(), column.seconds), (Some(5.0), 10.0));
    }

    #[test]
    fn grid_is_bounded_for_a_long_recording() {
        let day = Timestamp(86_400_000_000_000);
        assert_eq!(Grid::new(Timestamp(0), day, 86_400).columns, COLUMNS_MAX);
        assert_eq!(Grid::new(day, day, 1).columns, 1);
    }
}

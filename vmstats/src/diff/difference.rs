//! The differences between two spans.
//!
//! In: two summaries of virtual machines. Out: a difference for each statistic, sorted by
//! how much changed, and which virtual machines belong together. Nothing here prints.

use qapi_stats::stats::{StatsProvider, StatsTarget};

use crate::rates::{percentile, sum};
use crate::sample::{Identity, ObjectId, Stat};
use crate::summary::{Figure, Group, Series, Summary};

/// The shares of the percentiles that are compared: the median and the slow end.
pub const SHARES: [(&str, f64); 2] = [("p50", 0.5), ("p99", 0.99)];

/// The number of events beyond a percentile from which on its move counts.
const EVENTS_BEYOND_MIN: f64 = 10.0;

/// A statistic in two spans.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The provider.
    pub provider: StatsProvider,
    /// The kind of object.
    pub target: StatsTarget,
    /// The object; `None` for all objects together.
    pub object: Option<ObjectId>,
    /// The statistic.
    pub stat: Stat,
    /// The values in each span; `None` if nothing could be read.
    pub figures: [Option<Figure>; 2],
    /// The number of pairs of samples that were left out in each span.
    pub left_out: [u64; 2],
}

impl Difference {
    /// Returns the second level divided by the first; `None` if a span has no level,
    /// or the first level is zero.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        let [Some(before), Some(after)] = self.levels() else {
            return None;
        };
        (before > 0.0).then(|| after / before)
    }

    /// Returns the levels of both spans.
    #[must_use]
    pub fn levels(&self) -> [Option<f64>; 2] {
        self.figures
            .each_ref()
            .map(|figure| figure.as_ref()?.level())
    }

    /// Returns the buckets of a histogram in which a percentile lies in both spans.
    #[must_use]
    pub fn buckets(&self, share: f64) -> [Option<usize>; 2] {
        self.figures.each_ref().map(|figure| match figure {
            Some(Figure::Histogram { increases, .. }) => percentile(increases, share),
            _ => None,
        })
    }

    /// Returns whether the statistic moved: a counter counted, or another value is not
    /// the same all the time.
    #[must_use]
    pub fn is_moving(&self) -> bool {
        let moves = self.figures.iter().flatten().any(|figure| match figure {
            Figure::Counter { increase, .. } => *increase > 0,
            Figure::Histogram { increases, .. } => increases.iter().any(|count| *count > 0),
            Figure::Gauge { min, max, .. } => min != max,
            Figure::Boolean {
                true_count,
                samples,
            } => *true_count > 0 && true_count < samples,
            Figure::Peak(_) => false,
        });
        moves || self.figures.iter().any(Option::is_none) || self.levels()[0] != self.levels()[1]
    }

    /// Returns the change as a word: a factor, or which of the two parts alone has the
    /// statistic.
    #[must_use]
    pub fn change(&self, [first, second]: [&str; 2]) -> String {
        match (self.ratio(), self.levels()) {
            (Some(ratio), _) => format!("×{ratio:.2}"),
            (None, [Some(_), Some(after)]) if after > 0.0 => "new".to_owned(),
            (None, [None, None] | [Some(_), Some(_)]) => "–".to_owned(),
            (None, [None, _]) => format!("only {second}"),
            (None, [_, None]) => format!("only {first}"),
        }
    }

    /// Returns by how many doublings the level grew, or a percentile of a histogram moved
    /// if that is more. One event or unit is added to both sides, so that a change from
    /// none to a few events is not infinite. Returns zero if a side has no value.
    #[must_use]
    pub fn doublings(&self) -> f64 {
        let [Some(before), Some(after)] = &self.figures else {
            return 0.0;
        };
        let (Some(low), Some(high)) = (before.level(), after.level()) else {
            return 0.0;
        };
        let least = before.resolution().max(after.resolution());
        let of_level = ((high + least) / (low + least)).log2();
        let shifts = SHARES.map(|(_, share)| self.shift(share));
        let candidates = [of_level].into_iter().chain(shifts);
        candidates.fold(
            0.0,
            |most: f64, one| {
                if one.abs() > most.abs() { one } else { most }
            },
        )
    }

    /// Returns whether both sides have a value and differ by less than 5 %.
    #[must_use]
    pub fn is_small(&self) -> bool {
        let [before, after] = self
            .figures
            .each_ref()
            .map(|figure| figure.as_ref()?.level());
        let (Some(before), Some(after)) = (before, after) else {
            return false;
        };
        let is_near = (after - before).abs() < before.max(after) * 0.05;
        is_near && self.doublings().abs() < 1.05_f64.log2()
    }

    /// Returns by how many doublings a percentile moved: by one for each bucket of a
    /// histogram by powers of two. Returns zero if few events lie beyond the percentile,
    /// because each of them could move it.
    #[expect(clippy::cast_precision_loss, reason = "buckets are few")]
    fn shift(&self, share: f64) -> f64 {
        let [Some(before), Some(after)] = self.buckets(share) else {
            return 0.0;
        };
        let counts = self.figures.iter().map(|figure| match figure {
            Some(Figure::Histogram { increases, .. }) => sum(increases),
            _ => 0,
        });
        let fewest = counts.min().unwrap_or(0) as f64;
        if fewest * (1.0 - share) < EVENTS_BEYOND_MIN {
            return 0.0;
        }
        match self.stat.schema.as_ref().and_then(|one| one.bucket_size) {
            Some(_) => ((after + 1) as f64 / (before + 1) as f64).log2(),
            None => after as f64 - before as f64,
        }
    }
}

/// Compares two spans of a virtual machine. The statistics that changed most are first.
#[must_use]
pub fn differences(before: &Summary, after: &Summary) -> Vec<Difference> {
    let mut differences = Vec::new();
    for group in &before.groups {
        let other = find_group(after, group);
        for series in &group.series {
            let partner = other.and_then(|other| find_series(other, series));
            differences.push(difference(group, Some(series), partner));
        }
    }
    for group in &after.groups {
        let other = find_group(before, group);
        for series in &group.series {
            if other.and_then(|other| find_series(other, series)).is_none() {
                differences.push(difference(group, None, Some(series)));
            }
        }
    }
    differences.sort_by(|left, right| {
        let size = |one: &Difference| one.doublings().abs();
        size(right).total_cmp(&size(left))
    });
    differences
}

fn find_group<'a>(summary: &'a Summary, like: &Group) -> Option<&'a Group> {
    let key = |group: &Group| {
        let object = group.object.as_ref();
        // A vCPU's path may differ between versions of a VMM; its index does not.
        let object =
            object.map(|id| (id.index, id.qom_path.clone().filter(|_| id.index.is_none())));
        (group.provider.clone(), group.target.clone(), object)
    };
    summary.groups.iter().find(|group| key(group) == key(like))
}

fn find_series<'a>(group: &'a Group, like: &Series) -> Option<&'a Series> {
    let mut series = group.series.iter();
    series.find(|one| one.stat.name == like.stat.name && one.stat.kind == like.stat.kind)
}

fn difference(group: &Group, before: Option<&Series>, after: Option<&Series>) -> Difference {
    let figure = |series: Option<&Series>| series.and_then(|series| series.figure.clone());
    let left_out = |series: Option<&Series>| series.map_or(0, |series| series.left_out);
    let described = after.or(before);
    #[expect(clippy::expect_used, reason = "callers have one of the two")]
    let stat = described.expect("a statistic of one side").stat.clone();
    Difference {
        provider: group.provider.clone(),
        target: group.target.clone(),
        object: group.object.clone(),
        stat,
        figures: [figure(before), figure(after)],
        left_out: [left_out(before), left_out(after)],
    }
}

/// The virtual machines of two recordings that belong together, as places in both lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matches {
    /// The pairs.
    pub pairs: Vec<(usize, usize)>,
    /// The virtual machines that only one of the recordings has.
    pub alone: [Vec<usize>; 2],
}

/// Finds the virtual machines that belong together: those of one name, else those of one
/// UUID, else those of one endpoint. A name or UUID that a recording has twice matches
/// nothing.
#[must_use]
pub fn matches(before: &[Identity], after: &[Identity]) -> Matches {
    let keys: [fn(&Identity) -> Option<&str>; 3] = [
        |one| one.name.as_deref(),
        |one| one.uuid.as_deref(),
        |one| Some(&one.endpoint),
    ];
    let mut free = [before, after].map(|list| (0..list.len()).collect::<Vec<usize>>());
    let mut pairs = Vec::new();
    for key in keys {
        let [left, right] = &mut free;
        let is_unique = |list: &[Identity], wanted: &str| {
            list.iter().filter(|one| key(one) == Some(wanted)).count() == 1
        };
        left.retain(|place| {
            let Some(wanted) = before.get(*place).and_then(key) else {
                return true;
            };
            if !is_unique(before, wanted) || !is_unique(after, wanted) {
                return true;
            }
            let partner = right
                .iter()
                .position(|other| after.get(*other).and_then(key) == Some(wanted));
            match partner {
                Some(partner) => {
                    pairs.push((*place, right.remove(partner)));
                    false
                }
                None => true,
            }
        });
    }
    pairs.sort_unstable();
    Matches { pairs, alone: free }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use qapi_stats::stats::StatsSchemaValue;

    use super::*;
    use crate::sample::{Object, Sample, Table, Timestamp, Value, Window};
    use crate::summary::{Happening, Step, Summarizer};

    const SECOND: u64 = 1_000_000_000;

    fn table() -> Arc<Table> {
        let stats = [
            StatsSchemaValue::cumulative("exits"),
            StatsSchemaValue::instant("pages"),
            StatsSchemaValue::peak("highest"),
            StatsSchemaValue::instant("blocking").boolean(),
            StatsSchemaValue::log2_histogram("waits").seconds(-9),
        ];
        Arc::new(Table {
            provider: "kvm".into(),
            target: StatsTarget::Vcpu,
            stats: stats.map(Stat::new).into(),
        })
    }

    fn vcpu(table: &Arc<Table>, index: i64, second: u64, value: u64) -> Object {
        let time = Timestamp(second * SECOND);
        Object {
            table: Arc::clone(table),
            id: ObjectId {
                index: Some(index),
                qom_path: Some(format!("/vcpu{index}")),
            },
            window: Window {
                begin: time,
                end: time,
            },
            values: vec![
                Value::Number(value),
                Value::Number(value),
                Value::Number(value),
                Value::Boolean(!second.is_multiple_of(4)),
                Value::Buckets([value, 0, 2 * value].into()),
            ],
        }
    }

    /// Makes a sample of two vCPUs.
    fn sample(table: &Arc<Table>, second: u64, run: u32, values: [u64; 2]) -> Sample {
        let time = Timestamp(second * SECOND);
        let values = (0..).zip(values);
        Sample {
            window: Window {
                begin: time,
                end: time,
            },
            run,
            objects: values
                .map(|(index, value)| vcpu(table, index, second, value))
                .collect(),
            absences: Vec::new(),
        }
    }

    fn summary(samples: &[Sample]) -> Summary {
        let mut summarizer = Summarizer::new(false);
        let mut before = None;
        for sample in samples {
            summarizer.add(&Step::new(before, sample, Duration::from_secs(10)));
            before = Some(sample);
        }
        summarizer.finish()
    }

    fn figure<'a>(summary: &'a Summary, name: &str) -> &'a Series {
        let mut series = summary.groups[0].series.iter();
        series.find(|series| series.stat.name == name).unwrap()
    }

    #[test]
    fn each_kind_has_its_own_figure() {
        let table = table();
        let summary = summary(&[
            sample(&table, 1, 0, [10, 20]),
            sample(&table, 3, 0, [14, 30]),
            sample(&table, 4, 0, [14, 36]),
        ]);
        let level = |name: &str| figure(&summary, name).figure.as_ref().unwrap().level();
        assert_eq!(level("exits"), Some(20.0 / 3.0));
        assert_eq!(level("pages"), Some((30.0 + 44.0 + 50.0) / 3.0));
        assert_eq!(level("highest"), Some(36.0));
        assert_eq!(level("blocking"), Some(4.0 / 6.0));
        assert_eq!(level("waits"), Some(20.0));
        assert_eq!(summary.covered_seconds, 3.0);
    }

    #[test]
    fn reset_restart_and_gap_are_left_out_and_told() {
        let table = table();
        let summary = summary(&[
            sample(&table, 1, 0, [100, 100]),
            sample(&table, 2, 0, [110, 110]),
            // vCPU 1 counts from zero.
            sample(&table, 3, 0, [120, 5]),
            sample(&table, 4, 0, [130, 15]),
            // After a gap.
            sample(&table, 60, 0, [9_000, 9_000]),
            // Another run.
            sample(&table, 61, 1, [3, 3]),
            sample(&table, 62, 1, [4, 5]),
        ]);
        let exits = figure(&summary, "exits");
        let expected = Figure::Counter {
            increase: 20 + 20 + 3,
            seconds: 3.0,
        };
        assert_eq!(
            (exits.figure.as_ref(), exits.left_out),
            (Some(&expected), 1)
        );
        let events = summary.events.iter();
        let events: Vec<(u64, &Happening)> = events
            .map(|event| (event.at.0 / SECOND, &event.happening))
            .collect();
        let id = ObjectId {
            index: Some(1),
            qom_path: Some("/vcpu1".to_owned()),
        };
        assert_eq!(
            events,
            [
                (3, &Happening::Reset(StatsTarget::Vcpu, id)),
                (60, &Happening::Gap(Duration::from_secs(56))),
                (61, &Happening::Restarted),
            ]
        );
    }

    #[test]
    fn differences_begin_with_what_changed_most() {
        let table = table();
        let calm = summary(&[
            sample(&table, 1, 0, [0, 0]),
            sample(&table, 2, 0, [10, 10]),
            sample(&table, 3, 0, [20, 20]),
        ]);
        let busy = summary(&[
            sample(&table, 5, 0, [30, 30]),
            sample(&table, 6, 0, [190, 190]),
            sample(&table, 7, 0, [350, 350]),
        ]);
        let differences = differences(&calm, &busy);
        let exits = differences.iter().find(|one| one.stat.name == "exits");
        let exits = exits.unwrap();
        assert_eq!(exits.levels(), [Some(20.0), Some(320.0)]);
        assert_eq!(exits.ratio(), Some(16.0));
        let sizes: Vec<f64> = differences
            .iter()
            .map(|one| one.doublings().abs())
            .collect();
        assert!(sizes.is_sorted_by(|left, right| left >= right), "{sizes:?}");
        // A share of time that stays alike is last.
        assert_eq!(differences.last().unwrap().stat.name, "blocking");
    }

    #[test]
    fn percentile_of_few_events_does_not_lead() {
        let table = table();
        // All events move from the highest bucket to the lowest one.
        let shift = |count: u64| {
            let mut parts = [1, 2].map(|second| sample(&table, second, 0, [0, 0]));
            let mut others = parts.clone();
            for (part, buckets) in [
                (&mut parts[1], [0, 0, count]),
                (&mut others[1], [count, 0, 0]),
            ] {
                part.objects[0].values[4] = Value::Buckets(buckets.into());
            }
            let found = differences(&summary(&parts), &summary(&others));
            let mut waits = found.iter().filter(|one| one.stat.name == "waits");
            waits.next().unwrap().doublings()
        };
        assert_eq!(shift(19), 0.0);
        assert_eq!(shift(20), -2.0);
    }

    #[test]
    fn statistic_of_one_side_is_told_without_a_change() {
        let table = table();
        let both = [sample(&table, 1, 0, [0, 0]), sample(&table, 2, 0, [9, 9])];
        let summary = summary(&both);
        let differences = differences(&summary, &Summary::default());
        assert_eq!(differences.len(), 5);
        for one in differences {
            assert!(one.is_moving() && one.ratio().is_none());
            assert_eq!((one.doublings(), &one.figures[1]), (0.0, &None));
        }
    }

    #[test]
    fn machines_match_by_name_then_uuid_then_endpoint() {
        let vm = |name: &str, uuid: &str, endpoint: &str| Identity {
            endpoint: endpoint.to_owned(),
            name: Some(name.to_owned()).filter(|name| !name.is_empty()),
            uuid: Some(uuid.to_owned()).filter(|uuid| !uuid.is_empty()),
            ..Identity::default()
        };
        let before = [
            vm("web", "1", "/a"),
            vm("old", "2", "/b"),
            vm("", "", "/c"),
            vm("twin", "", "/d"),
            vm("twin", "", "/e"),
        ];
        let after = [
            vm("", "", "/c"),
            vm("new", "2", "/x"),
            vm("web", "9", "/y"),
            vm("twin", "", "/z"),
        ];
        let found = matches(&before, &after);
        assert_eq!(found.pairs, [(0, 2), (1, 1), (2, 0)]);
        assert_eq!(found.alone, [vec![3, 4], vec![3]]);
    }
}

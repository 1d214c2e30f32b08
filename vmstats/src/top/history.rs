//! The samples of the last minutes.
//!
//! In: samples as they come. Out: the samples of a virtual machine by time. Old samples
//! are dropped by their age and when all samples together take too much memory.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::figures::Figures;
use super::vm_id::VmId;
use crate::sample::{Object, Sample, Timestamp, Value};

/// The age beyond which samples are dropped.
pub(super) const AGE_MAX: Duration = Duration::from_secs(5 * 60);

/// The memory of all samples together. The last two of each virtual machine remain
/// beyond it, because rates need them.
pub(super) const BYTES_MAX: usize = 64 << 20;

/// The number of samples of a virtual machine that answers which are never dropped.
const KEPT_MIN: usize = 2;

/// A sample, and what was computed of it when it came.
#[derive(Debug)]
pub(super) struct Entry {
    /// The sample.
    pub(super) sample: Arc<Sample>,
    /// The figures of the interval that the sample ends.
    pub(super) figures: Figures,
    bytes: usize,
}

impl Entry {
    /// Returns the moment from which on the sample is known.
    pub(super) fn end(&self) -> Timestamp {
        self.sample.window.end
    }
}

/// The samples of all virtual machines.
#[derive(Debug)]
pub(super) struct History {
    spans: HashMap<VmId, VecDeque<Entry>>,
    /// The virtual machines of which samples were dropped.
    dropped: HashSet<VmId>,
    /// The moment that is looked at, whose samples have no age.
    pinned: Option<Timestamp>,
    bytes: usize,
    bytes_max: usize,
    age_max: Duration,
}

impl Default for History {
    fn default() -> Self {
        Self::new(BYTES_MAX, AGE_MAX)
    }
}

impl History {
    /// Makes an empty history with limits.
    pub(super) fn new(bytes_max: usize, age_max: Duration) -> Self {
        Self {
            spans: HashMap::new(),
            dropped: HashSet::new(),
            pinned: None,
            bytes: 0,
            bytes_max,
            age_max,
        }
    }

    /// Appends a sample, and drops what is too old or too much. A sample that is not
    /// later than the last one of its virtual machine is ignored.
    pub(super) fn push(&mut self, vm: VmId, sample: Arc<Sample>, figures: Figures) {
        let span = self.spans.entry(vm).or_default();
        let end = sample.window.end;
        if span.back().is_some_and(|last| last.end() >= end) {
            return;
        }
        let bytes = bytes(&sample, &figures);
        span.push_back(Entry {
            sample,
            figures,
            bytes,
        });
        self.bytes += bytes;
        let newest = self.pinned.map_or(end, |pinned| pinned.min(end));
        while span.len() > KEPT_MIN
            && span
                .front()
                .is_some_and(|entry| newest.since(entry.end()) > self.age_max)
            && let Some(entry) = span.pop_front()
        {
            self.bytes -= entry.bytes;
            self.dropped.insert(vm);
        }
        while self.bytes > self.bytes_max && self.drop_oldest() {}
    }

    /// Drops the oldest sample of all that can be dropped. Returns whether there is one.
    fn drop_oldest(&mut self) -> bool {
        let spans = self.spans.iter_mut();
        let long = spans.filter(|(_, span)| span.len() > KEPT_MIN);
        let oldest = long.min_by_key(|(_, span)| span.front().map(Entry::end));
        let Some((vm, span)) = oldest else {
            return false;
        };
        self.dropped.insert(*vm);
        let bytes = span.pop_front().map_or(0, |entry| entry.bytes);
        self.bytes -= bytes;
        true
    }

    /// Keeps the samples of a moment however old they become, as long as the memory
    /// suffices; `None` ends that.
    pub(super) fn pin(&mut self, moment: Option<Timestamp>) {
        self.pinned = moment;
    }

    /// Returns whether samples of a virtual machine were dropped.
    pub(super) fn has_dropped(&self, vm: VmId) -> bool {
        self.dropped.contains(&vm)
    }

    /// Drops the samples of a virtual machine.
    pub(super) fn forget(&mut self, vm: VmId) {
        self.dropped.remove(&vm);
        if let Some(span) = self.spans.remove(&vm) {
            self.bytes -= span.iter().map(|entry| entry.bytes).sum::<usize>();
        }
    }

    /// Returns the samples of a virtual machine until a moment, the oldest first.
    pub(super) fn until(
        &self,
        vm: VmId,
        moment: Timestamp,
    ) -> impl DoubleEndedIterator<Item = &Entry> + Clone {
        let span = self.spans.get(&vm);
        let count = span.map_or(0, |span| {
            span.partition_point(|entry| entry.end() <= moment)
        });
        span.into_iter().flat_map(move |span| span.range(..count))
    }

    /// Returns the last sample of a virtual machine at a moment.
    pub(super) fn at(&self, vm: VmId, moment: Timestamp) -> Option<&Entry> {
        self.until(vm, moment).next_back()
    }

    /// Returns the first sample of a virtual machine after a moment.
    pub(super) fn after(&self, vm: VmId, moment: Timestamp) -> Option<&Entry> {
        let span = self.spans.get(&vm)?;
        span.get(span.partition_point(|entry| entry.end() <= moment))
    }

    /// Returns the end of the oldest sample of all.
    pub(super) fn begin(&self) -> Option<Timestamp> {
        let fronts = self.spans.values().filter_map(VecDeque::front);
        fronts.map(Entry::end).min()
    }

    /// Returns the memory of all samples.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Returns the moment that shows a sample, of which the end and the end of the next one
/// are given: half an interval later at most, because other virtual machines' samples of
/// the same tick may end slightly later.
pub(super) fn shown_at(end: Timestamp, next: Option<Timestamp>, interval: Duration) -> Timestamp {
    let shown = end.plus(interval / 2);
    next.map_or(shown, |next| shown.min(Timestamp(end.0.midpoint(next.0))))
}

/// Returns about how much memory a sample takes.
fn bytes(sample: &Sample, figures: &Figures) -> usize {
    let of_object = |object: &Object| {
        let buckets = object.values.iter().map(|value| match value {
            Value::Buckets(buckets) => size_of_val(&**buckets),
            _ => 0,
        });
        let path = object.id.qom_path.as_ref().map_or(0, String::len);
        size_of::<Object>() + size_of_val(&*object.values) + buckets.sum::<usize>() + path
    };
    let of_figures = (figures.vcpus.len() + 1) * (size_of_val(&*figures.vm) + 64);
    let reasons: usize = sample
        .absences
        .iter()
        .map(|one| one.reason.len() + 96)
        .sum();
    size_of::<Entry>()
        + size_of::<Sample>()
        + sample.objects.iter().map(of_object).sum::<usize>()
        + of_figures
        + reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Window;

    fn push(history: &mut History, vm: usize, second: u64) {
        let at = Timestamp(second * 1_000_000_000);
        let sample = Sample {
            window: Window { begin: at, end: at },
            run: 0,
            objects: Vec::new(),
            absences: Vec::new(),
        };
        let figures = Figures {
            vm: Box::new([]),
            vcpus: Vec::new(),
            notes: Vec::new(),
            has_reset: false,
        };
        history.push(VmId(vm), Arc::new(sample), figures);
    }

    fn seconds(history: &History, vm: usize) -> Vec<u64> {
        let entries = history.until(VmId(vm), Timestamp(u64::MAX));
        entries.map(|entry| entry.end().0 / 1_000_000_000).collect()
    }

    #[test]
    fn old_samples_are_dropped_except_for_the_last_two() {
        let mut history = History::new(usize::MAX, Duration::from_secs(3));
        push(&mut history, 1, 1);
        push(&mut history, 1, 2);
        for second in 1..=9 {
            push(&mut history, 0, second);
        }
        assert_eq!(seconds(&history, 0), [6, 7, 8, 9]);
        assert_eq!(seconds(&history, 1), [1, 2]);
        push(&mut history, 1, 10);
        assert_eq!(seconds(&history, 1), [2, 10]);
        history.forget(VmId(1));
        assert_eq!(history.begin(), Some(Timestamp(6_000_000_000)));
    }

    #[test]
    fn sample_is_shown_within_half_an_interval_and_before_the_next_one() {
        let shown = |next: Option<u64>| {
            let next = next.map(Timestamp);
            shown_at(Timestamp(100), next, Duration::from_nanos(10)).0
        };
        // Across a hang, within a tick, between samples that are close, and at the end.
        assert_eq!(
            [Some(1000), Some(110), Some(104), None].map(shown),
            [105, 105, 102, 105]
        );
    }

    #[test]
    fn memory_is_bounded_over_all_virtual_machines() {
        let mut history = History::new(0, AGE_MAX);
        push(&mut history, 0, 1);
        let one = history.bytes();
        let mut history = History::new(10 * one, AGE_MAX);
        for second in 1..=100 {
            for vm in 0..3 {
                push(&mut history, vm, second);
            }
        }
        assert!(history.bytes() <= 10 * one);
        for vm in 0..3 {
            assert!(seconds(&history, vm).ends_with(&[98, 99, 100]));
            history.forget(VmId(vm));
        }
        assert_eq!(history.bytes(), 0);
    }

    #[test]
    fn sample_at_a_moment_is_the_last_one_before_it() {
        let mut history = History::default();
        for second in [1, 2, 4] {
            push(&mut history, 0, second);
        }
        let at = |tenths: u64| {
            history
                .at(VmId(0), Timestamp(tenths * 100_000_000))
                .map(Entry::end)
        };
        assert_eq!(at(9), None);
        assert_eq!(at(20), Some(Timestamp(2_000_000_000)));
        assert_eq!(at(39), Some(Timestamp(2_000_000_000)));
        let after = history.after(VmId(0), Timestamp(2_000_000_000)).unwrap();
        assert_eq!(after.end(), Timestamp(4_000_000_000));
        // A sample that came late is ignored.
        push(&mut history, 0, 3);
        assert_eq!(seconds(&history, 0), [1, 2, 4]);
    }
}

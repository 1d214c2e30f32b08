//! The text of a collection.
//!
//! In: a collection. Out: a text in either format, family by family. This file decides
//! neither names nor numbers.

use std::sync::Arc;

use qapi_stats::stats::StatsValue;
use stats_runtime::exposition::{Catalog, Format, Metric, Object as Label, Options, Point};

use super::answer::{Reason, VmState};
use super::busiest::Busiest;
use super::choice::Choice;
use super::collector::Collection;
use super::naming;
use super::own::number;
use super::plan::Plans;
use super::points::{self, VmPoint};
use super::totals::Totals;
use crate::sample::nanos;

/// The text of a collection.
#[derive(Debug)]
pub(super) struct Text {
    /// The parts, one for each family.
    pub(super) parts: Vec<String>,
    /// The number of samples.
    pub(super) series: usize,
}

impl Text {
    /// Returns the size.
    pub(super) fn bytes(&self) -> usize {
        self.parts.iter().map(String::len).sum()
    }
}

/// The encoder of collections, which keeps the names of metrics.
#[derive(Debug)]
pub(super) struct Encoder {
    choice: Choice,
    plans: Plans,
    /// The totals of the host and the choice of virtual machines, if there is one.
    top: Option<(Totals, Busiest)>,
    /// The size and the samples of the last text.
    last: (usize, usize),
    /// The size of each family in the last text.
    sizes: Vec<usize>,
}

/// Figures of the messages to an OpenTelemetry receiver.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OtlpFigures {
    /// The messages that were sent.
    pub(super) sent: u64,
    /// The messages that were refused.
    pub(super) failed: u64,
    /// The messages that were left out because too many waited.
    pub(super) dropped: u64,
    /// The messages that wait.
    pub(super) queued: u64,
}

impl Encoder {
    /// Makes an encoder of the chosen statistics.
    pub(super) fn new(choice: Choice) -> Self {
        Self {
            plans: Plans::new(choice.clone()),
            top: { choice.top }.map(|count| (Totals::default(), Busiest::new(count))),
            choice,
            last: (0, 0),
            sizes: Vec::new(),
        }
    }

    /// Returns the metrics of the last collection.
    pub(super) fn plans(&self) -> &Plans {
        &self.plans
    }

    /// Takes the names of metrics and the totals of a collection.
    fn update(&mut self, collection: &Collection) {
        // Names stay with machines that are down or late, as long as they are there.
        let answers: Vec<_> = { collection.vms.iter() }
            .filter_map(|vm| Some(Arc::clone(&vm.last.as_ref()?.1)))
            .collect();
        self.plans.update(&answers);
        if let Some((totals, busiest)) = &mut self.top
            && totals.update(collection, &self.plans)
        {
            busiest.update(collection);
        }
    }

    /// Calls `take` with each point of each virtual machine that is exported, then with
    /// the totals of the host, which have no virtual machine. `take` returns false if the
    /// point was left out. Returns the number of statistics of each virtual machine that
    /// were left out.
    pub(super) fn each_point(
        &mut self,
        collection: &Collection,
        take: &mut dyn FnMut(&Plans, Option<usize>, VmPoint<'_>) -> bool,
    ) -> Vec<usize> {
        self.update(collection);
        let plans = &self.plans;
        let is_exported =
            |vm: &VmState| self.top.as_ref().is_none_or(|(_, busiest)| busiest.has(vm));
        let vms = collection.vms.iter().enumerate();
        let dropped = vms.map(|(place, vm)| {
            let mut left = self.choice.series_max;
            let Some(answer) = vm.answer().filter(|_| is_exported(vm)) else {
                return 0;
            };
            points::each(answer, plans, &mut |point| {
                let lines = plans.catalog.lines(&point.value);
                match left.checked_sub(lines) {
                    Some(rest) => left = rest,
                    None => return false,
                }
                take(plans, Some(place), point)
            })
        });
        let dropped = dropped.collect();
        if let Some((totals, _)) = &self.top {
            totals.each(plans, &mut |point| take(plans, None, point));
        }
        dropped
    }

    /// Writes a collection.
    pub(super) fn encode(
        &mut self,
        collection: &Collection,
        format: Format,
        otlp: Option<OtlpFigures>,
    ) -> Text {
        let options: Vec<_> = { collection.vms.iter() }
            .map(|vm| options(&[("vm", &vm.vm.label)]))
            .collect();
        let on_host = Options::new();
        let with_created = self.choice.with_created;
        let sizes = std::mem::take(&mut self.sizes);
        // A text that grows has twice its size in the end, and three times while it moves.
        let make_room = |texts: &mut Vec<String>, plans: &Plans| {
            while texts.len() < plans.catalog.families() {
                let size = sizes.get(texts.len()).copied().unwrap_or_default();
                texts.push(String::with_capacity(size + size / 16));
            }
        };
        let mut texts = Vec::new();
        let dropped = self.each_point(collection, &mut |plans, vm, point| {
            let mut exposed = Point::new(&point.value).with_sum(point.sum.as_ref());
            let vm = vm.and_then(|vm| Some((collection.vms.get(vm)?, options.get(vm)?)));
            let labels = vm.map_or(&on_host, |(_, options)| options);
            let answer = vm.and_then(|(vm, _)| vm.answer());
            let created = answer.and_then(|answer| answer.started);
            if let Some(created) = created.filter(|_| with_created) {
                exposed = exposed.created_at(created);
            }
            let metric = &point.column.metric;
            make_room(&mut texts, plans);
            let Some(text) = texts.get_mut(metric.family()) else {
                return false;
            };
            let catalog = &plans.catalog;
            let written = catalog.write(text, format, metric, labels, &point.label, &exposed);
            written.is_ok()
        });
        let plans = &self.plans;
        make_room(&mut texts, plans);
        let mut families = Families {
            catalog: &plans.catalog,
            format,
            texts,
        };
        for (vm, dropped) in collection.vms.iter().zip(dropped) {
            self.write_vm(&mut families, vm, dropped);
        }
        let own = &plans.own;
        let version = [("version", env!("VMSTATS_VERSION"))];
        families.own(own.build_info.as_ref(), &version, 1);
        let duration = nanos(collection.duration);
        families.own(own.scrape_duration.as_ref(), &[], duration);
        families.own(own.collections.as_ref(), &[], collection.generation);
        for reason in Reason::ALL {
            let count = collection
                .failures
                .get(&reason)
                .copied()
                .unwrap_or_default();
            families.own(own.failures.as_ref(), &[("reason", reason.name())], count);
        }
        families.own(own.vms.as_ref(), &[], number(collection.vms.len()));
        let duplicates = number(naming::duplicates(&collection.vms));
        families.own(own.duplicate_names.as_ref(), &[], duplicates);
        for (place, sockets) in &collection.places {
            let count = sockets.as_ref().map_or(0, |count| number(*count));
            families.own(
                own.place_sockets.as_ref(),
                &[("place", &naming::text(&place.to_string()))],
                count,
            );
        }
        let omitted = plans.catalog.omitted().len();
        families.own(own.omitted_statistics.as_ref(), &[], number(omitted));
        families.own(own.exposition_bytes.as_ref(), &[], number(self.last.0));
        families.own(own.exposition_series.as_ref(), &[], number(self.last.1));
        if let Some(otlp) = otlp {
            let OtlpFigures {
                sent,
                failed,
                dropped,
                queued,
            } = otlp;
            for (outcome, count) in [("sent", sent), ("failed", failed), ("dropped", dropped)] {
                families.own(own.otlp_exports.as_ref(), &[("outcome", outcome)], count);
            }
            families.own(own.otlp_queue_length.as_ref(), &[], queued);
        }
        self.sizes = families.texts.iter().map(String::len).collect();
        let text = families.text();
        self.last = (text.bytes(), text.series);
        text
    }

    /// Writes a virtual machine.
    fn write_vm(&self, families: &mut Families<'_>, vm: &VmState, dropped: usize) {
        let own = &self.plans.own;
        let label = vm.vm.label.as_str();
        let labels = [("vm", label)];
        match &vm.failure {
            None => families.own(own.up.as_ref(), &labels, 1),
            Some((reason, _)) => {
                let labels = [("vm", label), ("reason", reason.name())];
                families.own(own.up.as_ref(), &labels, 0);
                if let Some((at, _)) = &vm.last {
                    families.own(own.last_answer.as_ref(), &[("vm", label)], at.0);
                }
            }
        }
        let Some(answer) = vm.answer() else {
            return;
        };
        let text = |text: &Option<String>| naming::text(text.as_deref().unwrap_or_default());
        let identity = &answer.identity;
        let info = [
            ("vm", label),
            ("name", &*text(&identity.name)),
            ("uuid", &*text(&identity.uuid)),
            ("version", &*naming::text(&identity.version)),
        ];
        families.own(own.info.as_ref(), &info, 1);
        if let Some(vcpus) = answer.vcpus {
            families.own(own.vcpus.as_ref(), &labels, number(vcpus));
        }
        if let Some(started) = answer.started {
            families.own(own.start_time.as_ref(), &labels, started);
        }
        let duration = nanos(answer.duration);
        families.own(own.vm_scrape_duration.as_ref(), &labels, duration);
        if dropped > 0 {
            families.own(own.dropped_statistics.as_ref(), &labels, number(dropped));
        }
    }
}

/// The texts of families, while they are written.
struct Families<'a> {
    catalog: &'a Catalog,
    format: Format,
    /// The lines of each family.
    texts: Vec<String>,
}

impl Families<'_> {
    /// Writes a value that is not a statistic.
    fn own(&mut self, metric: Option<&Metric>, labels: &[(&str, &str)], value: u64) {
        let Some(metric) = metric else {
            return;
        };
        let Some(text) = self.texts.get_mut(metric.family()) else {
            return;
        };
        let (value, labels) = (StatsValue::Scalar(value), options(labels));
        let (point, only) = (Point::new(&value), Label::Only);
        // A number always has a line.
        let _ = { self.catalog }.write(text, self.format, metric, &labels, &only, &point);
    }

    /// Returns the families that have lines, and the end.
    fn text(self) -> Text {
        let mut parts = Vec::new();
        let mut series = 0;
        for (family, text) in self.texts.into_iter().enumerate() {
            if !text.is_empty() {
                series += text.bytes().filter(|byte| *byte == b'\n').count();
                parts.push(self.catalog.metadata(self.format, family));
                parts.push(text);
            }
        }
        if self.format == Format::OpenMetrics {
            parts.push(Catalog::END.to_owned());
        }
        Text { parts, series }
    }
}

/// Returns the labels of a sample.
fn options(labels: &[(&str, &str)]) -> Options {
    let mut options = Options::new();
    for (name, value) in labels {
        match options.label(name, *value) {
            Ok(with_label) => options = with_label,
            Err(_) => unreachable!("the labels of this file are valid and differ"),
        }
    }
    options
}

//! The part of the page about one virtual machine.
//!
//! In: its samples, one after the other. Out: HTML of a bounded size, and how much the
//! virtual machine changed. This file knows no other virtual machine.

use std::fmt::Write as _;
use std::sync::Arc;

use qapi_stats::stats::StatsProvider;

use super::columns::{Course, Courses, Grid};
use super::plot::{self, Marks};
use crate::diff::{Difference, SHARES, differences};
use crate::explain;
use crate::html::escaped;
use crate::intervals::Intervals;
use crate::measure;
use crate::rates::TimeShare;
use crate::sample::{Identity, Kind, Sample, Timestamp};
use crate::source::{RUN_DELAY, SCHED};
use crate::summary::{self, Figure, Step, Summarizer, Summary};
use crate::time_span;

/// The number of plots of a virtual machine.
const PLOTS_MAX: usize = 8;

/// The number of heat maps of a virtual machine.
const HEAT_MAPS_MAX: usize = 4;

/// The number of vCPUs whose steal time is plotted.
const STEAL_PLOTS_MAX: usize = 16;

/// The number of listed events, and of listed absences.
const LIST_MAX: usize = 50;

/// The number of rows in the table of all statistics.
const ROWS_MAX: usize = 300;

/// Collects the samples of a virtual machine.
#[derive(Debug)]
pub struct SectionBuilder {
    identity: Identity,
    grid: Grid,
    split: Timestamp,
    intervals: Intervals,
    last: Option<Arc<Sample>>,
    whole: Summarizer,
    parts: [PartBuilder; 2],
    courses: Courses,
    steal: Courses,
    /// The events of the monitor: times and sentences.
    told: Vec<(Timestamp, String)>,
}

/// Collects the samples before the split, or those after it.
#[derive(Debug)]
struct PartBuilder {
    summarizer: Summarizer,
    steal: TimeShare,
}

/// The part of the page about one virtual machine.
#[derive(Clone, Debug)]
pub struct Section {
    /// The virtual machine.
    pub identity: Identity,
    /// The summary of the whole recording.
    pub whole: Summary,
    /// The statistics that moved, the largest change first.
    pub differences: Vec<Difference>,
    /// The share of their time in which the vCPUs waited for a processor, in both parts.
    pub steal: [Option<f64>; 2],
    /// The number of events, of the virtual machine and of its monitor.
    pub events: u64,
    /// The plots and tables.
    pub body: String,
}

impl SectionBuilder {
    /// Starts without samples. The parts before and after `split` are compared.
    #[must_use]
    pub fn new(identity: Identity, grid: Grid, split: Timestamp, intervals: Intervals) -> Self {
        let sched = StatsProvider::Unknown(SCHED.into());
        Self {
            identity,
            grid,
            split,
            intervals,
            last: None,
            whole: Summarizer::new(false),
            parts: [PartBuilder::new(), PartBuilder::new()],
            courses: Courses::new(grid, false, None),
            steal: Courses::new(grid, true, Some(sched)),
            told: Vec::new(),
        }
    }

    /// Adds the next sample.
    pub fn add(&mut self, sample: &Arc<Sample>) {
        let gap_min = self.intervals.gap_min(sample.window.begin);
        let step = Step::new(self.last.as_deref(), sample, gap_min);
        self.whole.add(&step);
        let [first, second] = &mut self.parts;
        if sample.window.middle() <= self.split {
            first.add(&step);
        } else {
            second.add(&step);
        }
        self.courses.add(&step);
        self.steal.add(&step);
        self.last = Some(Arc::clone(sample));
    }

    /// Adds a sentence about the monitor, which no sample tells.
    pub fn tell(&mut self, at: Timestamp, sentence: String) {
        self.told.push((at, sentence));
    }

    /// Writes the section.
    #[must_use]
    pub fn finish(self) -> Section {
        let whole = self.whole.finish();
        let steal = self.parts.each_ref().map(|part| part.steal.share());
        let [before, after] = self.parts.map(|part| part.summarizer.finish());
        let mut differences = differences(&before, &after);
        differences.retain(Difference::is_moving);
        let marks = Marks {
            grid: self.grid,
            split: self.split,
            events: &whole.events,
        };
        let mut body = String::new();
        let mut events = self.told;
        events.extend({ whole.events.iter() }.map(|event| (event.at, plot::event(event))));
        events.sort_by_key(|(at, _)| *at);
        write_events(&mut body, &events, self.split, &whole);
        write_steal(&mut body, &marks, &self.steal.courses);
        write_plots(&mut body, &marks, &differences, &self.courses.courses);
        if whole.samples == 0 {
            body.push_str("<p>It has no sample in this time.</p>");
        } else {
            write_table(&mut body, &differences);
        }
        Section {
            steal,
            events: u64::try_from(events.len()).unwrap_or(u64::MAX) + whole.events_unlisted,
            identity: self.identity,
            whole,
            differences,
            body,
        }
    }
}

impl PartBuilder {
    fn new() -> Self {
        Self {
            summarizer: Summarizer::new(false),
            steal: TimeShare::default(),
        }
    }

    fn add(&mut self, step: &Step<'_>) {
        self.summarizer.add(step);
        let changes = step.comparison.iter().flat_map(|one| &one.objects);
        for (object, changes) in step.after.objects.iter().zip(changes) {
            if object.table.provider.name() == SCHED {
                self.steal.add(object, changes, RUN_DELAY);
            }
        }
    }
}

impl Section {
    /// Returns how much the virtual machine changed, in doublings of its statistics that
    /// changed most.
    #[must_use]
    pub fn change(&self) -> f64 {
        let largest = self.differences.iter().take(PLOTS_MAX);
        largest.map(|one| one.doublings().abs()).sum()
    }
}

/// Returns a share as a percentage.
#[must_use]
pub(super) fn percent(share: f64) -> String {
    format!("{} %", measure::rate(share * 100.0, None))
}

/// Writes the events around the end of the first part, and how many others there are.
pub(super) fn write_told(
    out: &mut String,
    told: &[(Timestamp, String)],
    split: Timestamp,
    unlisted: u64,
) {
    let before = told.partition_point(|(at, _)| *at <= split);
    let last_start = told.len().saturating_sub(LIST_MAX);
    let start = before.saturating_sub(LIST_MAX / 2).min(last_start);
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let more = |out: &mut String, count: u64, which: &str| {
        if count > 0 {
            let plural = if count == 1 { "" } else { "s" };
            let count = measure::grouped(count);
            let _ = write!(out, "<li>and {count} {which} event{plural}</li>");
        }
    };
    more(out, count(start), "earlier");
    for (at, sentence) in told.iter().skip(start).take(LIST_MAX) {
        let at = time_span::date_time(*at);
        let _ = write!(out, "<li>{at}: {}</li>", escaped(sentence));
    }
    let later = last_start.saturating_sub(start);
    more(out, count(later).saturating_add(unlisted), "later");
}

fn write_events(
    out: &mut String,
    events: &[(Timestamp, String)],
    split: Timestamp,
    whole: &Summary,
) {
    if events.is_empty() && whole.absences.is_empty() {
        return;
    }
    out.push_str("<h3>What happened</h3><ul>");
    write_told(out, events, split, whole.events_unlisted);
    for reason in whole.absences.iter().take(LIST_MAX) {
        let _ = write!(out, "<li>not read: {}</li>", escaped(reason));
    }
    let more = whole.absences.len().saturating_sub(LIST_MAX);
    if more > 0 {
        let _ = write!(out, "<li>and {more} more reasons</li>");
    }
    out.push_str("</ul>");
}

fn write_steal(out: &mut String, marks: &Marks<'_>, courses: &[Course]) {
    let mut delays: Vec<&Course> = courses
        .iter()
        .filter(|course| course.stat.name == RUN_DELAY)
        .collect();
    if delays.is_empty() {
        return;
    }
    delays.sort_by_key(|course| course.object.clone());
    out.push_str(
        "<h3>Steal: time that vCPUs waited for a processor of the host</h3><div class=\"plots\">",
    );
    for course in delays.iter().take(STEAL_PLOTS_MAX) {
        let id = course.object.as_ref().map(ToString::to_string);
        let heading = format!(
            "<figcaption><b>vCPU {}</b><span class=\"dim\">waiting per second</span></figcaption>",
            escaped(&id.unwrap_or_default())
        );
        out.push_str(&plot::plot(marks, course, &heading));
    }
    out.push_str("</div>");
    if delays.len() > STEAL_PLOTS_MAX {
        let _ = write!(
            out,
            "<p class=\"dim\">{} more vCPUs have no plot.</p>",
            delays.len() - STEAL_PLOTS_MAX
        );
    }
}

fn write_plots(
    out: &mut String,
    marks: &Marks<'_>,
    differences: &[Difference],
    courses: &[Course],
) {
    let course = |one: &Difference| {
        courses.iter().find(|course| {
            (course.provider == one.provider && course.target == one.target)
                && (course.stat.name == one.stat.name && course.stat.kind == one.stat.kind)
        })
    };
    // Histograms have heat maps, and steal has plots for each vCPU.
    let is_plotted =
        |one: &&Difference| one.stat.kind != Kind::Histogram && one.stat.name != RUN_DELAY;
    let plots: String = differences
        .iter()
        .filter(is_plotted)
        .filter_map(|one| Some(plot::plot(marks, course(one)?, &heading(one))))
        .take(PLOTS_MAX)
        .collect();
    if !plots.is_empty() {
        let _ = write!(
            out,
            "<h3>Statistics that changed most</h3><div class=\"plots\">{plots}</div>"
        );
    }
    let heat_maps: String = differences
        .iter()
        .filter(|one| one.stat.kind == Kind::Histogram)
        .filter_map(|one| Some(plot::heat_map(marks, course(one)?, &heading(one))))
        .filter(|map| !map.is_empty())
        .take(HEAT_MAPS_MAX)
        .collect();
    if !heat_maps.is_empty() {
        let _ = write!(
            out,
            "<h3>Histograms over time</h3><div class=\"plots\">{heat_maps}</div>"
        );
    }
}

fn heading(one: &Difference) -> String {
    let meaning = explain::meaning(&one.provider, &one.target, &one.stat.name);
    format!(
        "<figcaption title=\"{}\"><b>{}</b><span class=\"dim\">{} · {}</span>{}</figcaption>",
        escaped(&meaning.unwrap_or_default()),
        escaped(&one.stat.name),
        escaped(one.target.name()),
        escaped(one.provider.name()),
        change(one)
    )
}

/// Returns the change of a statistic as a coloured word.
#[must_use]
pub(super) fn change(one: &Difference) -> String {
    let class = match one.doublings() {
        doublings if doublings > 0.05 => "up",
        doublings if doublings < -0.05 => "down",
        _ => "dim",
    };
    let text = one.change(["before", "after"]);
    format!("<span class=\"{class}\">{text}</span>")
}

/// Returns the values of a statistic in one part, as HTML.
#[must_use]
pub(super) fn value(one: &Difference, part: usize) -> String {
    let Some(figure) = one.figures.get(part).and_then(Option::as_ref) else {
        return "not read".to_owned();
    };
    let Some(level) = figure.level() else {
        return "not read".to_owned();
    };
    let mut text = escaped(&summary::level(&one.stat, level));
    let meaning = one.stat.schema.as_ref();
    match figure {
        Figure::Histogram { increases, .. } => {
            for (name, share) in SHARES {
                let bucket = one.buckets(share).get(part).copied().flatten();
                if let (Some(bucket), Some(meaning)) = (bucket, meaning) {
                    let bounds = measure::bucket(meaning, bucket, increases.len());
                    let _ = write!(text, "<br><small>{name} {}</small>", escaped(&bounds));
                }
            }
        }
        Figure::Gauge { min, max, .. } if min != max => {
            #[expect(clippy::cast_precision_loss, reason = "rounded for people")]
            let bound = |bound: u128| escaped(&measure::mean(bound as f64, meaning));
            let _ = write!(
                text,
                "<br><small>{} to {}</small>",
                bound(*min),
                bound(*max)
            );
        }
        _ => {}
    }
    text
}

fn write_table(out: &mut String, differences: &[Difference]) {
    if differences.is_empty() {
        out.push_str("<p>No statistic moved.</p>");
        return;
    }
    let _ = write!(
        out,
        "<details><summary>All {} statistics that moved, with their meaning</summary>{TABLE_HEAD}",
        differences.len()
    );
    for one in differences.iter().take(ROWS_MAX) {
        out.push_str(&row(one, ""));
    }
    out.push_str("</tbody></table></div></details>");
    if differences.len() > ROWS_MAX {
        let _ = write!(
            out,
            "<p class=\"dim\">The table has the {ROWS_MAX} that changed most.</p>"
        );
    }
}

/// The begin of a table of statistics.
pub(super) const TABLE_HEAD: &str = "<div class=\"wide\"><table class=\"cards\"><thead><tr>\
    <th>Statistic</th><th class=\"n\">Before</th><th class=\"n\">After</th>\
    <th class=\"n\">Change</th><th>Meaning</th></tr></thead><tbody>";

/// Returns the row of a statistic; `vm` comes before its name.
#[must_use]
pub(super) fn row(one: &Difference, vm: &str) -> String {
    let meaning = explain::meaning(&one.provider, &one.target, &one.stat.name);
    let left_out = match one.left_out {
        [0, 0] => String::new(),
        [first, second] => format!(
            "<br><small>{} steps left out: reset or not read</small>",
            measure::grouped(first + second)
        ),
    };
    format!(
        "<tr><td class=\"name\">{}{} <small class=\"tag\">{} · {}</small>{left_out}</td>\
         <td class=\"n\" data-h=\"before\">{}</td><td class=\"n\" data-h=\"after\">{}</td>\
         <td class=\"n\" data-h=\"change\">{}</td><td class=\"meaning\">{}</td></tr>",
        if vm.is_empty() {
            String::new()
        } else {
            format!("<b>{}</b> ", escaped(vm))
        },
        escaped(&one.stat.name),
        escaped(one.target.name()),
        escaped(one.provider.name()),
        value(one, 0),
        value(one, 1),
        change(one),
        escaped(&meaning.unwrap_or_default()),
    )
}

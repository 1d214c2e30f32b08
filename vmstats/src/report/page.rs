//! The page as a whole.
//!
//! In: the sections of virtual machines, and what is common to them. Out: one HTML
//! document that loads nothing. This file knows no samples.

use std::fmt::Write as _;
use std::time::Duration;

use super::columns::{COLUMNS_MAX, Grid};
use super::section::{Section, TABLE_HEAD, percent, row, write_told};
use crate::diff::Difference;
use crate::html::escaped;
use crate::measure;
use crate::sample::Timestamp;
use crate::time_span;

const STYLE: &str = include_str!("style.css");

/// The number of virtual machines with a section of their own.
pub(super) const SECTIONS_MAX: usize = 20;

/// The number of rows in the table of the largest changes.
const TOP_MAX: usize = 12;

/// The facts about a recording that the page begins with.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The recording, as its user names it.
    pub recording: String,
    /// The host that recorded, if it is known.
    pub host: Option<String>,
    /// The times from one sample to the next, in the order in which they were used.
    pub intervals: Vec<Duration>,
    /// The columns of all plots.
    pub grid: Grid,
    /// The end of the first part.
    pub split: Timestamp,
    /// The events of the recorder: times and sentences.
    pub told: Vec<(Timestamp, String)>,
}

/// Returns the page. The sections come in the order of the page.
#[must_use]
pub fn page(facts: &Facts, sections: &[Section]) -> String {
    let mut out = String::new();
    let title = escaped(&facts.recording);
    let _ = write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src \
         'unsafe-inline'\"><title>{title} – vmstats report</title><style>{STYLE}</style></head>\
         <body><header><h1>Statistics of virtual machines: {title}</h1>"
    );
    write_facts(&mut out, facts, sections);
    out.push_str("</header>");
    write_machines(&mut out, sections);
    if !facts.told.is_empty() {
        out.push_str("<h2>What happened to the recorder</h2><ul>");
        write_told(&mut out, &facts.told, facts.split, 0);
        out.push_str("</ul>");
    }
    write_top(&mut out, facts, sections);
    write_key(&mut out);
    for (number, section) in sections.iter().take(SECTIONS_MAX).enumerate() {
        let identity = &section.identity;
        let _ = write!(
            out,
            "<section><h2 id=\"vm{number}\">{}</h2><p class=\"dim\">{}{}{}</p>{}</section>",
            escaped(identity.label()),
            escaped(&identity.endpoint),
            match &identity.uuid {
                Some(uuid) => format!(" · {}", escaped(uuid)),
                None => String::new(),
            },
            if identity.version.is_empty() {
                String::new()
            } else {
                format!(" · {}", escaped(&identity.version))
            },
            section.body
        );
    }
    if sections.len() > SECTIONS_MAX {
        let _ = write!(
            out,
            "<p class=\"dim\">The {SECTIONS_MAX} VMs that changed most have plots; {} more are in \
             the table of VMs.</p>",
            sections.len() - SECTIONS_MAX
        );
    }
    let _ = writeln!(
        out,
        "<footer><p class=\"dim\">All times are UTC. Made by vmstats {} from the recording alone: \
         values that were not read are left out, and rates cover only the time between samples \
         that can be compared.</p></footer></body></html>",
        escaped(env!("VMSTATS_VERSION"))
    );
    out
}

fn write_facts(out: &mut String, facts: &Facts, sections: &[Section]) {
    let Grid {
        begin,
        end,
        columns,
    } = facts.grid;
    let samples: u64 = sections.iter().map(|one| one.whole.samples).sum();
    out.push_str("<dl>");
    let mut fact = |name: &str, text: String| {
        let _ = write!(out, "<dt>{name}</dt><dd>{text}</dd>");
    };
    fact(
        "Time",
        format!(
            "{} to {} UTC ({})",
            time_span::date_time(begin),
            time_span::date_time(end),
            time_span::length(end.since(begin))
        ),
    );
    if let Some(host) = &facts.host {
        fact("Host", escaped(host));
    }
    let intervals = facts.intervals.iter().copied().map(time_span::length);
    fact(
        "Interval",
        intervals.collect::<Vec<String>>().join(", then "),
    );
    fact(
        "Samples",
        format!(
            "{} of {} VM{}",
            measure::grouped(samples),
            sections.len(),
            if sections.len() == 1 { "" } else { "s" }
        ),
    );
    fact(
        "Parts",
        format!(
            "before and after {} UTC are compared",
            time_span::date_time(facts.split)
        ),
    );
    if columns == COLUMNS_MAX {
        fact(
            "Plots",
            format!(
                "{columns} columns of {} each: a column has the mean of what was read in it",
                time_span::length(Duration::from_secs_f64(facts.grid.column_seconds()))
            ),
        );
    }
    out.push_str("</dl>");
}

fn write_machines(out: &mut String, sections: &[Section]) {
    out.push_str(
        "<h2>Virtual machines</h2><div class=\"wide\"><table class=\"cards\"><thead><tr>\
         <th>VM</th><th class=\"n\">Samples</th><th class=\"n\">Covered</th>\
         <th class=\"n\">Events</th><th class=\"n\">Steal before</th>\
         <th class=\"n\">Steal after</th></tr></thead><tbody>",
    );
    for (number, section) in sections.iter().enumerate() {
        let label = escaped(section.identity.label());
        let name = if number < SECTIONS_MAX {
            format!("<a href=\"#vm{number}\">{label}</a>")
        } else {
            label
        };
        let whole = &section.whole;
        let covered = Duration::try_from_secs_f64(whole.covered_seconds).unwrap_or_default();
        let steal = section
            .steal
            .map(|share| share.map_or_else(|| "not read".to_owned(), percent));
        let [before, after] = steal;
        let _ = write!(
            out,
            "<tr><td class=\"name\">{name}</td><td class=\"n\" data-h=\"samples\">{}</td>\
             <td class=\"n\" data-h=\"covered\">{}</td><td class=\"n\" data-h=\"events\">{}</td>\
             <td class=\"n\" data-h=\"steal before\">{before}</td>\
             <td class=\"n\" data-h=\"steal after\">{after}</td></tr>",
            measure::grouped(whole.samples),
            time_span::length(covered),
            measure::grouped(section.events),
        );
    }
    out.push_str(
        "</tbody></table></div><p class=\"dim\">Steal is the share of time in which a vCPU was \
         ready to run and waited for a processor of the host, the mean of all vCPUs.</p>",
    );
}

fn write_top(out: &mut String, facts: &Facts, sections: &[Section]) {
    let mut top: Vec<(&str, &Difference)> = sections
        .iter()
        .flat_map(|section| {
            let label = section.identity.label();
            let differences = section.differences.iter().take(TOP_MAX);
            differences.map(move |one| (label, one))
        })
        .collect();
    top.sort_by(|(_, left), (_, right)| right.doublings().abs().total_cmp(&left.doublings().abs()));
    let _ = write!(
        out,
        "<h2>What changed most</h2><p>Before and after {} UTC. The order counts one event more \
         on both sides, so that a few events do not lead the list.</p>{TABLE_HEAD}",
        time_span::date_time(facts.split)
    );
    let is_one = sections.len() == 1;
    for (label, one) in top.into_iter().take(TOP_MAX) {
        out.push_str(&row(one, if is_one { "" } else { label }));
    }
    out.push_str("</tbody></table></div>");
}

fn write_key(out: &mut String) {
    out.push_str(
        "<p class=\"key\"><span><i class=\"k-split\"></i>end of the first part</span>\
         <span><i class=\"k-restart\"></i>VM started again</span>\
         <span><i class=\"k-plug\"></i>vCPU reset, plugged or unplugged</span>\
         <span><i class=\"k-gap\"></i>no samples, or a late answer</span>\
         <span><i class=\"k-p50\"></i>median of a histogram</span>\
         <span><i class=\"k-p99\"></i>99th percentile</span>\
         <span>histograms: time to the right, a row for each bucket; a darker cell has more \
         events, each shade by the same factor</span>\
         <span>the figure in a plot is the highest value</span></p>",
    );
}

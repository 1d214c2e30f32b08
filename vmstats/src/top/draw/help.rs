//! The keys, and the meaning of a statistic.
//!
//! In: the state. Out: a page of text.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Text};
use ratatui::widgets::{Paragraph, Widget, Wrap};

use super::super::history::{AGE_MAX, BYTES_MAX};
use super::super::state::{State, is_key};
use super::super::stats::StatRow;
use super::cells::{TITLE, line};
use crate::explain;
use crate::measure;
use crate::printable::printable;
use crate::sample::Kind;
use crate::time_span::length;

/// The keys and what they do.
const KEYS: [(&str, &str); 18] = [
    ("up down PgUp PgDn", "select a row"),
    ("Enter", "vCPUs, then statistics, then a chart"),
    ("Esc", "back, and fold the vCPUs in"),
    ("Tab", "the list or the statistics"),
    ("left right", "sort by the column beside"),
    ("i", "invert the order"),
    ("o", "sort statistics by total or by rate"),
    ("/ f", "show statistics that match a regex"),
    ("g", "show VMs that match a regex"),
    ("c Ctrl-L", "clear both filters"),
    ("z", "show or hide statistics that are 0"),
    ("x", "fold all vCPUs out or in"),
    ("b", "back to the list of guests"),
    ("r R", "totals from now (r), from the start (R)"),
    ("space", "pause, and go on"),
    ("t T", "one sample later, earlier"),
    ("j J", "jump later, earlier: 10s, 5m, 08:15:00"),
    ("?", "what the selected statistic means"),
];

/// The keys that are different for running virtual machines and in a recording.
const LIVE: (&str, &str) = ("+ - s", "a longer, a shorter, another interval");
const REPLAY: (&str, &str) = ("< >", "play slower, faster");

const LEAVE: (&str, &str) = ("q Ctrl-C Ctrl-Z", "quit; Ctrl-Z stops until `fg`");

/// The number of lines below the heading.
pub(in super::super) const LINES: usize = KEYS.len() + 3;

/// Draws the keys, and what the history takes, from the line `first` on.
pub(super) fn keys(state: &State, first: usize, area: Rect, buffer: &mut Buffer) {
    let heading = "Keys. STEAL% is time in which vCPUs waited for a processor of the host.";
    line(buffer, area, 0, Line::styled(heading, TITLE));
    let own = match state.replay {
        Some(_) => REPLAY,
        None => LIVE,
    };
    let keys = KEYS.into_iter().chain([own, LEAVE]);
    let mut lines: Vec<String> = keys
        .map(|(key, meaning)| format!("  {key:<18} {meaning}"))
        .collect();
    let history = &state.observed.history;
    lines.push(format!(
        "The samples of the last {} are kept, in {} KiB of at most {}.",
        length(AGE_MAX),
        measure::grouped(u64::try_from(history.bytes() >> 10).unwrap_or(u64::MAX)),
        measure::grouped(u64::try_from(BYTES_MAX >> 10).unwrap_or(u64::MAX)),
    ));
    for (text, row) in lines.into_iter().skip(first).zip(1..) {
        line(buffer, area, row, Line::raw(text));
    }
}

/// Draws what the selected statistic means.
pub(super) fn meaning(state: &State, area: Rect, buffer: &mut Buffer) {
    let list = state.list();
    let Some(row) = list.get(state.selected_place(&list)) else {
        return;
    };
    let (rows, _) = state.stats(row.vm, &row.scope);
    let stat = match &state.stat {
        Some(key) => rows.iter().find(|stat| is_key(stat, key)),
        None => rows.first(),
    };
    let lines = match stat {
        Some(stat) => describe(stat),
        None => vec!["nothing is selected".to_owned()],
    };
    let mut text = Text::from_iter(lines.into_iter().map(Line::raw));
    if let Some(first) = text.lines.first_mut() {
        first.style = TITLE;
    }
    Paragraph::new(text)
        .wrap(Wrap { trim: false })
        .render(area, buffer);
}

fn describe(stat: &StatRow<'_>) -> Vec<String> {
    let (name, provider) = (&stat.stat.name, stat.table.provider.name());
    let target = stat.table.target.name();
    let mut lines = vec![
        printable(name).into_owned(),
        format!(
            "of {} by the provider {}",
            printable(target),
            printable(provider)
        ),
        String::new(),
    ];
    let meaning = explain::meaning(&stat.table.provider, &stat.table.target, name);
    lines.push(meaning.unwrap_or_else(|| "Its meaning is unknown to this build.".to_owned()));
    lines.push(String::new());
    lines.push(
        match stat.stat.kind {
            Kind::Counter => "A counter: it only grows, and its rate is what matters.",
            Kind::Gauge => "A value that goes up and down. Of several vCPUs the sum is shown.",
            Kind::Boolean => "A truth value. Of several vCPUs the number of true ones is shown.",
            Kind::Peak => "The highest value so far. Of several vCPUs the highest is shown.",
            Kind::Histogram => {
                "A histogram: each value is counted in a bucket. A percentile is the bucket in \
                 which it lies."
            }
            Kind::Unknown => "This build does not know the type of the values.",
        }
        .to_owned(),
    );
    if let Some(schema) = &stat.stat.schema {
        let unit = schema.quantity().to_string();
        if !unit.is_empty() {
            lines.push(format!("The unit of the raw values: {}", printable(&unit)));
        }
    }
    lines
}

//! One statistic over time.
//!
//! In: the state. Out: a chart, or for a histogram bars beside a heat map, whose rows are
//! buckets and whose columns are time.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Sparkline, Widget};

use super::super::list::{NO_VALUE, Row};
use super::super::series::{StatKey, buckets, rates};
use super::super::state::{State, is_key, key};
use super::super::stats::{Scope, StatRow};
use super::cells::{DIM, HEADING, NOTABLE, TITLE, TREND, bars, line};
use super::tables::{joined, percentile_text, rate_text, timeline, total_text};
use crate::measure;
use crate::printable::printable;
use crate::rates::Amount;
use crate::sample::Kind;
use crate::time_span;

/// The cells of a bucket's bounds, and of its count.
const BOUNDS: u16 = 16;
const COUNT: u16 = 10;

/// Draws the selected statistic of the selected row.
pub(super) fn draw(state: &State, area: Rect, buffer: &mut Buffer) {
    let list = state.list();
    let row = list.get(state.selected_place(&list));
    let (Some(row), Some(wanted)) = (row, &state.stat) else {
        return;
    };
    let (rows, _) = state.stats(row.vm, &row.scope);
    title(state, row, wanted, area, buffer);
    let Some(stat) = rows.iter().find(|stat| is_key(stat, wanted)) else {
        let text = "it is 0 or filtered at this moment; z shows zeros, c clears the filter";
        line(buffer, area, 2, Line::styled(text, NOTABLE));
        return;
    };
    let below = Rect {
        y: area.y + 1,
        height: area.height.saturating_sub(1),
        ..area
    };
    figures(stat, below, buffer);
    let rest = Rect {
        y: area.y + 3,
        height: area.height.saturating_sub(3),
        ..area
    };
    match stat.stat.kind {
        Kind::Histogram => heat_map(state, row, stat, rest, buffer),
        _ => chart(state, row, stat, rest, buffer),
    }
}

fn title(state: &State, row: &Row<'_>, wanted: &StatKey, area: Rect, buffer: &mut Buffer) {
    let vm = state.observed.labels().remove(&row.vm).unwrap_or_default();
    let of = match row.scope {
        Scope::Vm => vm,
        Scope::Vcpu(_) => format!("{vm}, {}", row.name),
    };
    let text = format!(
        "{}  {} of {of}",
        printable(&wanted.name),
        printable(wanted.provider.name())
    );
    line(buffer, area, 0, Line::styled(text, TITLE));
}

/// Draws the rate, the percentiles and the total, or the reason why they are absent.
fn figures(stat: &StatRow<'_>, area: Rect, buffer: &mut Buffer) {
    let mut parts = Vec::new();
    if let Some(value) = &stat.value {
        let rate = rate_text(stat);
        if !rate.is_empty() {
            // The rate of a count has no unit.
            let unit = if rate.ends_with("/s") { "" } else { "/s" };
            parts.push(rate + unit);
        }
        if let Amount::Histogram { increases, .. } = &value.amount {
            let shares = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)].into_iter();
            parts.extend(
                shares.filter_map(|(name, share)| percentile_text(stat, increases, name, share)),
            );
        }
        parts.push(format!("total {}", total_text(stat)));
    }
    if let Some(reason) = &stat.reason {
        parts.push(printable(reason).into_owned());
    }
    line(buffer, area, 0, Line::raw(joined(parts, area.width)));
}

/// Draws a chart of the last minutes, and below it the vCPUs.
fn chart(state: &State, row: &Row<'_>, stat: &StatRow<'_>, area: Rect, buffer: &mut Buffer) {
    let timeline = timeline(state, area.width);
    let history = &state.observed.history;
    let key = key(stat);
    let values = rates(history, (row.vm, &row.scope), &key, timeline);
    let highest = values.iter().flatten().copied().fold(0.0, f64::max);
    let text = format!(
        "highest {}, {} s each",
        super::super::list::value(highest, Some(stat.stat)),
        timeline.step.as_secs_f64()
    );
    line(buffer, area, 0, Line::styled(text, DIM));
    let vcpus = vcpus(state, row, &key);
    let for_vcpus = u16::try_from(vcpus.len())
        .unwrap_or(u16::MAX)
        .min(area.height / 2);
    let height = area.height.saturating_sub(for_vcpus + 2).min(12);
    // Thousandths of the highest, because a sparkline draws whole numbers.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to 1000"
    )]
    let whole = |value: f64| {
        if highest > 0.0 {
            (value / highest * 1000.0).clamp(0.0, 1000.0) as u64
        } else {
            0
        }
    };
    let data = values.iter().map(|value| value.map(whole));
    Sparkline::default()
        .data(data)
        .max(1000)
        .absent_value_symbol(" ")
        .style(TREND)
        .render(
            Rect {
                y: area.y + 1,
                height,
                ..area
            },
            buffer,
        );
    let y = height + 2;
    for (at, (name, values, last)) in (y..).zip(vcpus.into_iter().take(for_vcpus.into())) {
        let last = last.map_or_else(
            || NO_VALUE.to_owned(),
            |last| super::super::list::value(last, Some(stat.stat)),
        );
        let spans = vec![
            Span::raw(format!("{name:<12} {last:>14} ")),
            Span::styled(bars(&values), TREND),
        ];
        line(buffer, area, at, Line::from(spans));
    }
}

/// Returns the name, the cells and the last value of each vCPU.
fn vcpus(
    state: &State,
    row: &Row<'_>,
    key: &StatKey,
) -> Vec<(String, Vec<Option<f64>>, Option<f64>)> {
    if row.scope != Scope::Vm || key.target.name() != "vcpu" {
        return Vec::new();
    }
    let ids = row.entry.iter().flat_map(|entry| &entry.figures.vcpus);
    let timeline = timeline(state, 40);
    ids.map(|(id, _)| {
        let scope = Scope::Vcpu(id.clone());
        let values = rates(&state.observed.history, (row.vm, &scope), key, timeline);
        let last = values.last().copied().flatten();
        (format!("vCPU {}", printable(&id.to_string())), values, last)
    })
    .collect()
}

/// Draws the buckets of the last interval as bars, and beside them how they were.
fn heat_map(state: &State, row: &Row<'_>, stat: &StatRow<'_>, area: Rect, buffer: &mut Buffer) {
    let increases = match stat.value.as_ref().map(|value| &value.amount) {
        Some(Amount::Histogram { increases, .. }) => Some(increases.as_slice()),
        _ => None,
    };
    let bar_width = (area.width / 5).max(6);
    let left = BOUNDS + 1 + COUNT + 1 + bar_width + 2;
    let map_width = area.width.saturating_sub(left);
    let timeline = timeline(state, map_width);
    let columns = buckets(
        &state.observed.history,
        (row.vm, &row.scope),
        &key(stat),
        timeline,
    );
    let known = || columns.iter().flatten().map(Vec::as_slice).chain(increases);
    let length = known().map(<[u64]>::len).max().unwrap_or(0);
    let is_used =
        |index: &usize| known().any(|counts| counts.get(*index).is_some_and(|count| *count > 0));
    let used: Vec<usize> = (0..length).filter(is_used).collect();
    let (Some(low), Some(high)) = (used.first(), used.last()) else {
        line(
            buffer,
            area,
            0,
            Line::styled("no values in this time", NOTABLE),
        );
        return;
    };
    let times = [
        format!(
            "last {}",
            time_span::length(timeline.step * u32::from(map_width))
        ),
        format!("one column is {} s", timeline.step.as_secs_f64()),
    ];
    let heading = format!(
        "{:>width$} {:>COUNT_WIDTH$} {:<bars$}  {}",
        "BUCKET",
        "LAST",
        "",
        joined(times, map_width),
        width = usize::from(BOUNDS),
        COUNT_WIDTH = usize::from(COUNT),
        bars = usize::from(bar_width),
    );
    line(buffer, area, 0, Line::styled(heading, HEADING));
    let highest = increases.into_iter().flatten().copied().max().unwrap_or(0);
    let cells = columns.iter().flatten().flatten().copied();
    let hottest = cells.max().unwrap_or(0);
    // The largest values are the ones that matter if not all fit.
    let rows = (*low..=*high)
        .rev()
        .take(area.height.saturating_sub(1).into());
    for (index, y) in rows.zip(1..) {
        let bounds = stat.stat.schema.as_ref().map_or_else(
            || format!("[{index}]"),
            |schema| measure::bucket(schema, index, length),
        );
        let count = increases.map(|counts| counts.get(index).copied().unwrap_or(0));
        let bar = "█".repeat(scaled(count.unwrap_or(0), highest, bar_width));
        let count = count.map_or_else(|| NO_VALUE.to_owned(), measure::grouped);
        let mut spans = vec![
            Span::raw(pad(&bounds, BOUNDS)),
            Span::raw(format!(" {count:>10} ")),
            Span::styled(format!("{bar:<width$}", width = bar_width.into()), TREND),
            Span::raw("  "),
        ];
        for column in &columns {
            let count = column
                .as_ref()
                .map(|column| column.get(index).copied().unwrap_or(0));
            let (symbol, style) = heat(count, hottest);
            spans.push(Span::styled(symbol, style));
        }
        line(buffer, area, y, Line::from(spans));
    }
}

fn pad(text: &str, width: u16) -> String {
    let blanks = usize::from(width).saturating_sub(Span::raw(text).width());
    format!("{}{text}", " ".repeat(blanks))
}

/// Returns the length of a bar. A count above 0 has a bar.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a length for the eye"
)]
fn scaled(count: u64, highest: u64, width: u16) -> usize {
    if count == 0 || highest == 0 {
        return 0;
    }
    let share = count as f64 / highest as f64;
    ((share * f64::from(width)).round() as usize).max(1)
}

/// Returns how hot a cell of the heat map is: by the order of magnitude, because rare
/// long waits must be seen beside frequent short ones.
#[expect(clippy::cast_precision_loss, reason = "a shade for the eye")]
fn heat(count: Option<u64>, hottest: u64) -> (&'static str, Style) {
    let Some(count) = count else {
        return (" ", Style::new());
    };
    if count == 0 {
        return ("·", DIM);
    }
    let share = (count as f64).ln_1p() / (hottest as f64).ln_1p();
    match share {
        ..0.3 => ("░", Style::new().fg(Color::Blue)),
        0.3..0.6 => ("▒", Style::new().fg(Color::Green)),
        0.6..0.85 => ("▓", Style::new().fg(Color::Yellow)),
        _ => ("█", Style::new().fg(Color::Red)),
    }
}

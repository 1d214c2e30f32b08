//! The list of virtual machines, and the statistics of the selected one.
//!
//! In: the state. Out: two tables, one above the other.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::column::{Column, EXITS};
use super::super::figures::vcpu_id;
use super::super::list::{NO_VALUE, Row, cell, fit, value};
use super::super::observed::Severity;
use super::super::series::{StatKey, Timeline, rates};
use super::super::state::{Focus, State, StatsColumn, key, total};
use super::super::stats::{Scope, StatRow};
use super::cells::{BAD, DIM, HEADING, NOTABLE, SELECTED, TITLE, TREND, bars, line, right};
use crate::measure;
use crate::printable::printable;
use crate::rates::{Amount, percentile};
use crate::sample::Kind;
use crate::time_span::time;

/// The rows of the lower table that remain when the list is long: a title, a heading and
/// some statistics.
const STATS_MIN: u16 = 8;

/// The width of a list whose heading has room for the place of the selected row.
const PLACE_WIDTH_MIN: u16 = 60;

/// The cells that the column of names loses when the list is too narrow.
const NAME_SPARE: u16 = 8;

/// Draws both tables.
pub(super) fn draw(state: &State, area: Rect, buffer: &mut Buffer) {
    let list = state.list();
    if list.is_empty() {
        empty(state, area, buffer);
        return;
    }
    let wanted = u16::try_from(list.len() + 1).unwrap_or(u16::MAX);
    let most = area.height.saturating_sub(STATS_MIN).max(area.height / 2);
    let height = wanted.min(most);
    let (upper, lower) = split(area, height);
    machines(state, &list, upper, buffer);
    let selected = list.get(state.selected_place(&list));
    if let Some(row) = selected {
        stats(state, row, lower, buffer);
    }
}

fn split(area: Rect, height: u16) -> (Rect, Rect) {
    let upper = Rect { height, ..area };
    let lower = Rect {
        y: area.y + height,
        height: area.height - height,
        ..area
    };
    (upper, lower)
}

/// Draws the reason for an empty list.
fn empty(state: &State, area: Rect, buffer: &mut Buffer) {
    let mut row = 1;
    let mut say = |text: String, style: Style| {
        line(buffer, area, row, Line::styled(text, style));
        row += 1;
    };
    if state.machines.is_some() && !state.observed.machines.is_empty() {
        say("No VM matches the filter; c clears it.".to_owned(), NOTABLE);
        return;
    }
    say("No virtual machine yet.".to_owned(), TITLE);
    for problem in state.observed.places.values().flatten() {
        say(printable(problem).into_owned(), NOTABLE);
    }
    let what_follows = match state.replay {
        Some(_) => "Nothing is recorded at this moment; t goes to the next sample.",
        None => "Sockets that appear are observed at once.",
    };
    say(what_follows.to_owned(), Style::new());
}

/// Returns the first row to draw, so that the selected one is in the middle if the list
/// is longer than the screen.
fn first(selected: usize, height: usize, length: usize) -> usize {
    selected
        .saturating_sub(height / 2)
        .min(length.saturating_sub(height))
}

fn machines(state: &State, list: &[Row<'_>], area: Rect, buffer: &mut Buffer) {
    let columns = &state.observed.columns;
    let (places, spare) = fit(columns, area.width, &state.order.column);
    let shown = places
        .iter()
        .filter_map(|place| Some((*place, columns.get(*place)?)));
    let least: u16 = shown.clone().map(|(_, column)| column.width() + 1).sum();
    // A narrow name can still be told apart, but a narrow state says nothing.
    let excess = least.saturating_sub(area.width + 1).min(NAME_SPARE);
    let widths: Vec<(usize, &Column, u16)> = shown
        .map(|(place, column)| {
            let excess = if *column == Column::Name { excess } else { 0 };
            (
                place,
                column,
                column.width() + share(column, spare) - excess,
            )
        })
        .collect();
    let mut x = area.x;
    for (_, column, width) in &widths {
        let title = column.title();
        let style = if *column == &state.order.column && state.focus == Focus::Machines {
            HEADING.patch(SELECTED)
        } else {
            HEADING
        };
        aligned(buffer, (x, area.y), *width, &title, style, column.is_text());
        x += width + 1;
    }
    let height = usize::from(area.height.saturating_sub(1));
    let selected = state.selected_place(list);
    let first = first(selected, height, list.len());
    let visible = list.iter().enumerate().skip(first).take(height);
    for ((at, row), y) in visible.zip(area.y + 1..) {
        let mut x = area.x;
        for (place, column, width) in &widths {
            let (text, style) = match column {
                Column::Trend => (trend(state, row, *width), TREND),
                Column::Name => (name(state, row), Style::new()),
                Column::State => (cell(row, column, *place), severity(row.state.0)),
                _ => {
                    let text = cell(row, column, *place);
                    let style = if text == NO_VALUE {
                        DIM
                    } else {
                        number_style(row, column, *place)
                    };
                    (text, style)
                }
            };
            aligned(buffer, (x, y), *width, &text, style, column.is_text());
            x += width + 1;
        }
        if at == selected {
            let style = if state.focus == Focus::Machines {
                SELECTED
            } else {
                TITLE
            };
            buffer.set_style(Rect::new(area.x, y, area.width, 1), style);
        }
    }
    if list.len() > height && area.width >= PLACE_WIDTH_MIN {
        let text = format!(" {} of {} ", selected + 1, list.len());
        right(buffer, area, 0, Span::styled(text, DIM));
    }
}

/// Returns how many of the spare cells a column gets.
fn share(column: &Column, spare: u16) -> u16 {
    match column {
        Column::State => spare - spare / 4 - spare / 4,
        Column::Name | Column::Trend => spare / 4,
        _ => 0,
    }
}

fn number_style(row: &Row<'_>, column: &Column, place: usize) -> Style {
    let number = row
        .numbers
        .and_then(|numbers| numbers.get(place).copied().flatten());
    match (column, number) {
        (Column::Steal, Some(steal)) if steal >= 10.0 => BAD,
        (Column::Steal, Some(steal)) if steal >= 2.0 => NOTABLE,
        _ => Style::new(),
    }
}

fn severity(severity: Severity) -> Style {
    match severity {
        Severity::Good => TREND,
        Severity::Notable => NOTABLE,
        Severity::Bad => BAD,
    }
}

fn name(state: &State, row: &Row<'_>) -> String {
    match row.scope {
        Scope::Vm if state.unfolded.contains(&row.vm) => format!("▾ {}", row.name),
        Scope::Vm => format!("▸ {}", row.name),
        Scope::Vcpu(_) => format!("    {}", row.name),
    }
}

/// Writes a text into a column. A text that is too long is cut, but a number is replaced,
/// because the first digits of a number are another number.
fn aligned(
    buffer: &mut Buffer,
    (x, y): (u16, u16),
    width: u16,
    text: &str,
    style: Style,
    is_left: bool,
) {
    let width = width.min(buffer.area().right().saturating_sub(x));
    let length = |text: &str| u16::try_from(Span::raw(text).width()).unwrap_or(u16::MAX);
    let fits = length(text) <= width;
    let text = if fits || is_left { text } else { "…" };
    let indent = if is_left {
        0
    } else {
        width.saturating_sub(length(text))
    };
    if width == 0 {
        return;
    }
    buffer.set_stringn(x + indent, y, text, width.into(), style);
    if !fits && is_left {
        buffer.set_stringn(x + width - 1, y, "…", 1, style);
    }
}

fn trend(state: &State, row: &Row<'_>, width: u16) -> String {
    let Some(entry) = row.entry else {
        return String::new();
    };
    let objects = &entry.sample.objects;
    let has = |object: &&crate::sample::Object| object.table.position(EXITS).is_some();
    let Some(object) = objects.iter().find(has) else {
        return String::new();
    };
    let key = StatKey {
        provider: object.table.provider.clone(),
        target: object.table.target.clone(),
        name: EXITS.to_owned(),
    };
    let timeline = timeline(state, width);
    let of = (row.vm, &row.scope);
    bars(&rates(&state.observed.history, of, &key, timeline))
}

/// Returns the timeline of a drawing.
pub(super) fn timeline(state: &State, width: u16) -> Timeline {
    let begin = state.observed.history.begin().unwrap_or(state.now);
    Timeline::new(begin, state.moment(), state.interval(), width.into())
}

/// The columns of the statistics: name, rate, total, trend, and notes.
struct Widths {
    name: u16,
    rate: u16,
    total: u16,
    trend: u16,
}

impl Widths {
    fn of(area: Rect) -> Self {
        // The width of a large number of nanoseconds, and of a sum of years.
        let (rate, total) = (10, 17);
        let (name, total, trend) = match area.width {
            ..52 => (area.width.saturating_sub(rate + 1), 0, 0),
            52..70 => (area.width - rate - total - 2, total, 0),
            70..120 => (22, total, 10),
            _ => (36, total, 40),
        };
        Self {
            name,
            rate,
            total,
            trend,
        }
    }
}

fn stats(state: &State, row: &Row<'_>, area: Rect, buffer: &mut Buffer) {
    if area.height < 3 {
        return;
    }
    let (rows, hidden) = state.stats(row.vm, &row.scope);
    title(state, row, (rows.len(), hidden), area, buffer);
    let widths = Widths::of(area);
    headings(state, &widths, area, buffer);
    let mut y = area.y + 2;
    // The absences of an old sample say nothing of the current moment.
    let absences = match row.numbers {
        Some(_) => absences(row),
        None => Vec::new(),
    };
    let height = usize::from(area.height) - 2;
    let for_absences = absences.len().min(height / 3);
    let for_rows = height - for_absences;
    if rows.is_empty() && hidden > 0 {
        line(
            buffer,
            area,
            2,
            Line::styled("All are 0; z shows them.", DIM),
        );
    }
    let selected = state.stat_place(&rows);
    let first = first(selected, for_rows, rows.len());
    for (at, stat) in rows.iter().enumerate().skip(first).take(for_rows) {
        stat_line(
            state,
            row,
            stat,
            &widths,
            Rect {
                y,
                height: 1,
                ..area
            },
            buffer,
        );
        if at == selected && state.focus == Focus::Stats {
            buffer.set_style(
                Rect {
                    y,
                    height: 1,
                    ..area
                },
                SELECTED,
            );
        }
        y += 1;
    }
    for absence in absences.into_iter().take(for_absences) {
        let text = Line::styled(absence, NOTABLE);
        buffer.set_line(area.x, y, &text, area.width);
        y += 1;
    }
}

/// Returns what could not be read of a row's objects, each as a line.
fn absences(row: &Row<'_>) -> Vec<String> {
    let absences = row.entry.iter().flat_map(|entry| &entry.sample.absences);
    let own = absences.filter(|absence| match (&row.scope, &absence.object) {
        (Scope::Vcpu(id), Some(object)) => vcpu_id(object) == *id,
        _ => true,
    });
    own.map(|absence| {
        let (provider, reason) = (absence.provider.name(), &absence.reason);
        let text = match &absence.object {
            Some(object) => format!("{provider} of {} {object}: {reason}", absence.target),
            None => format!("{provider}: {reason}"),
        };
        printable(&text).into_owned()
    })
    .collect()
}

/// Draws whose statistics follow, and what is left out.
fn title(
    state: &State,
    row: &Row<'_>,
    (shown, hidden): (usize, usize),
    area: Rect,
    buffer: &mut Buffer,
) {
    let mut text = format!("─ {}", row.name);
    if let Scope::Vcpu(_) = row.scope {
        let vm = state.observed.labels().remove(&row.vm).unwrap_or_default();
        text = format!("─ {vm}, {}", row.name);
    }
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    match (row.numbers, row.entry) {
        (_, None) => text += &format!(" ─ no sample: {}", printable(&row.state.1)),
        (None, Some(entry)) => {
            let (read, state) = (time(entry.end()), printable(&row.state.1));
            text += &format!(" ─ read last at {read}: {state}");
        }
        (Some(_), Some(_)) => text += &format!(" ─ {shown} statistic{}", plural(shown)),
    }
    if hidden > 0 && row.numbers.is_some() {
        text += &format!(", {hidden} zero{} hidden", plural(hidden));
    }
    if let Some(baseline) = state.baseline(row.vm) {
        text += &format!(", since {}", time(baseline.window.end));
    }
    if let Some(names) = &state.names {
        text += &format!(", filter /{}/", printable(names.as_str()));
    }
    text.push(' ');
    let width = Span::raw(text.as_str()).width();
    let rest = usize::from(area.width).saturating_sub(width);
    text.extend(std::iter::repeat_n('─', rest));
    aligned(buffer, (area.x, area.y), area.width, &text, DIM, true);
}

fn headings(state: &State, widths: &Widths, area: Rect, buffer: &mut Buffer) {
    let y = area.y + 1;
    let style = |column: StatsColumn| {
        if state.focus == Focus::Stats && state.stats_order.0 == column {
            HEADING.patch(SELECTED)
        } else {
            HEADING
        }
    };
    let total = if state.observed.baseline.is_some() {
        "SINCE r"
    } else {
        "TOTAL"
    };
    let mut x = area.x;
    aligned(
        buffer,
        (x, y),
        widths.name,
        "STATISTIC",
        style(StatsColumn::Name),
        true,
    );
    x += widths.name + 1;
    aligned(
        buffer,
        (x, y),
        widths.rate,
        "RATE/s",
        style(StatsColumn::Rate),
        false,
    );
    x += widths.rate + 1;
    if widths.total > 0 {
        let style = style(StatsColumn::Total);
        aligned(buffer, (x, y), widths.total, total, style, false);
        x += widths.total + 1;
    }
    if widths.trend > 0 {
        let step = timeline(state, widths.trend).step.as_secs_f64();
        let text = format!("{step} s each");
        aligned(buffer, (x, y), widths.trend, &text, HEADING, true);
        x += widths.trend + 1;
    }
    let rest = area.right().saturating_sub(x);
    aligned(buffer, (x, y), rest, "NOTES", HEADING, true);
}

fn stat_line(
    state: &State,
    row: &Row<'_>,
    stat: &StatRow<'_>,
    widths: &Widths,
    area: Rect,
    buffer: &mut Buffer,
) {
    let y = area.y;
    let mut x = area.x;
    aligned(
        buffer,
        (x, y),
        widths.name,
        &printable(&stat.label()),
        Style::new(),
        true,
    );
    x += widths.name + 1;
    let (mut rate, total) = (rate_text(stat), total_text(stat));
    if rate.is_empty() && widths.total == 0 {
        rate.clone_from(&total);
    }
    aligned(buffer, (x, y), widths.rate, &rate, Style::new(), false);
    x += widths.rate + 1;
    if widths.total > 0 {
        aligned(buffer, (x, y), widths.total, &total, Style::new(), false);
        x += widths.total + 1;
    }
    if widths.trend > 0 {
        let timeline = timeline(state, widths.trend);
        let of = (row.vm, &row.scope);
        let values = rates(&state.observed.history, of, &key(stat), timeline);
        aligned(buffer, (x, y), widths.trend, &bars(&values), TREND, true);
        x += widths.trend + 1;
    }
    let rest = area.right().saturating_sub(x);
    // The title has the reason for all statistics of a virtual machine that is not read.
    let (notes, style) = match row.numbers {
        Some(_) => notes(stat, rest),
        None => (String::new(), Style::new()),
    };
    aligned(buffer, (x, y), rest, &notes, style, true);
}

/// Returns the rate of a statistic; empty if it is a value without a rate.
pub(super) fn rate_text(stat: &StatRow<'_>) -> String {
    match stat.value.as_ref().map(|value| &value.amount) {
        Some(Amount::Count { per_second, .. } | Amount::Histogram { per_second, .. }) => {
            value(*per_second, Some(stat.stat))
        }
        Some(_) => String::new(),
        None => NO_VALUE.to_owned(),
    }
}

/// Returns the total of a statistic with its unit.
pub(super) fn total_text(stat: &StatRow<'_>) -> String {
    let Some(total) = total(stat) else {
        return NO_VALUE.to_owned();
    };
    let schema = stat.stat.schema.as_ref();
    match (stat.stat.kind, stat.value.as_ref()) {
        (Kind::Boolean, Some(value)) if value.objects == 1 => {
            if total == 0 { "no" } else { "yes" }.to_owned()
        }
        (Kind::Boolean, Some(value)) => format!("{total} of {}", value.objects),
        (Kind::Histogram, _) => measure::grouped(total),
        _ => match u64::try_from(total) {
            Ok(total) => measure::amount(total, schema),
            Err(_) => measure::grouped(total),
        },
    }
}

/// Returns the percentiles of a histogram as the buckets in which they lie, as many as
/// fit, or the reason why something is missing.
fn notes(stat: &StatRow<'_>, width: u16) -> (String, Style) {
    if let Some(reason) = &stat.reason {
        return (printable(reason).into_owned(), NOTABLE);
    }
    let text = match stat.value.as_ref().map(|value| &value.amount) {
        Some(Amount::Histogram { increases, .. }) => {
            let parts = [("p99", 0.99), ("p50", 0.5)].into_iter();
            let parts =
                parts.filter_map(|(name, share)| percentile_text(stat, increases, name, share));
            joined(parts, width)
        }
        Some(Amount::Highest(_)) => "peak".to_owned(),
        _ => String::new(),
    };
    (text, Style::new())
}

/// Returns a percentile with its name, as the bucket in which it lies; `None` if nothing
/// was counted.
pub(super) fn percentile_text(
    stat: &StatRow<'_>,
    increases: &[u64],
    name: &str,
    share: f64,
) -> Option<String> {
    let index = percentile(increases, share)?;
    let schema = stat.stat.schema.as_ref()?;
    let bucket = measure::bucket(schema, index, increases.len());
    Some(format!("{name} {bucket}"))
}

/// Joins as many parts as fit into a width. The first part is always there.
pub(super) fn joined(parts: impl IntoIterator<Item = String>, width: u16) -> String {
    const GAP: &str = "  ";
    let mut text = String::new();
    for part in parts {
        let length = Span::raw(&text).width() + GAP.len() + Span::raw(&part).width();
        if text.is_empty() {
            text = part;
        } else if length <= width.into() {
            text = text + GAP + &part;
        }
    }
    text
}

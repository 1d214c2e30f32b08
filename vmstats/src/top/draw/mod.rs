//! The screen.
//!
//! In: the state. Out: cells. Drawing changes nothing: the same state gives the same
//! screen.

mod cells;
mod detail;
mod help;
mod plain;
mod tables;

use std::time::Duration;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::column::Column;
use super::list;
use super::observed::Severity;
use super::state::{Focus, Overlay, Question, State};
use crate::printable::printable;
use crate::time_span::{date_time, length, time};
use cells::{BAD, NOTABLE, SELECTED, TITLE, line, right};
pub(super) use help::LINES as HELP_LINES;

/// The size below which nothing useful fits.
const WIDTH_MIN: u16 = 24;
const HEIGHT_MIN: u16 = 5;

/// Returns the columns of the list that fit into a width.
pub(super) fn shown_columns(state: &State, width: u16) -> Vec<Column> {
    let columns = &state.observed.columns;
    let (places, _) = list::fit(columns, width, &state.order.column);
    let shown = places.iter().filter_map(|place| columns.get(*place));
    shown.cloned().collect()
}

/// Draws the state.
pub(super) fn draw(state: &State, frame: &mut Frame<'_>) {
    let area = frame.area();
    let buffer = frame.buffer_mut();
    if area.width < WIDTH_MIN || area.height < HEIGHT_MIN {
        line(buffer, area, 0, Line::raw("too small: q leaves"));
    } else {
        screen(state, area, buffer);
    }
    plain::simplify(buffer, state.look);
}

fn screen(state: &State, area: Rect, buffer: &mut Buffer) {
    header(state, area, buffer);
    let body = Rect::new(area.x, area.y + 1, area.width, area.height - 2);
    match (state.overlay, state.focus) {
        (Some(Overlay::Help(first)), _) => help::keys(state, first, body, buffer),
        (Some(Overlay::Meaning), _) => help::meaning(state, body, buffer),
        (None, Focus::Detail) => detail::draw(state, body, buffer),
        (None, _) => tables::draw(state, body, buffer),
    }
    footer(state, area, buffer);
}

/// Draws how many virtual machines there are and how they are, and the time.
fn header(state: &State, area: Rect, buffer: &mut Buffer) {
    let moment = state.moment();
    let observed = &state.observed;
    let mut count = 0;
    let (mut silent, mut gone) = (0, 0);
    let mut cost: Option<f64> = None;
    for id in { observed.machines.keys() }.filter(|id| observed.is_there(**id, moment)) {
        if observed.is_gone(*id, moment) {
            gone += 1;
            continue;
        }
        count += 1;
        let is_bad = observed.state(*id, moment).0 == Severity::Bad;
        silent += usize::from(is_bad);
        if let Some(entry) = observed.history.at(*id, moment).filter(|_| !is_bad) {
            let length = entry.sample.window.length().as_secs_f64() * 1e9;
            cost = Some(cost.unwrap_or(0.0) + length);
        }
    }
    let plural = if count == 1 { "" } else { "s" };
    let count = Span::raw(format!("{count} VM{plural}"));
    let silent = (silent > 0).then(|| format!("{silent} without answer"));
    let gone = (gone > 0).then(|| format!(", {gone} gone"));
    let mut costs = vec![format!("  every {} s", state.interval().as_secs_f64())];
    costs.extend(cost.map(|cost| format!("  queries {}", list::duration(cost))));
    let left = |has_title: bool, costs: &[String]| {
        let mut spans = Vec::new();
        if has_title {
            spans.extend([Span::styled("vmstats", TITLE), Span::raw("  ")]);
        }
        spans.push(count.clone());
        if let Some(silent) = &silent {
            spans.extend([Span::raw(", "), Span::styled(silent.clone(), BAD)]);
        }
        spans.extend(gone.iter().chain(costs).cloned().map(Span::raw));
        Line::from(spans)
    };
    // The parts that matter least are left out first, and as a whole.
    let mut forms = Vec::new();
    for mode in modes(state) {
        for count in (0..=costs.len()).rev() {
            forms.push((
                left(true, costs.get(..count).unwrap_or_default()),
                mode.clone(),
            ));
        }
        forms.push((left(false, &[]), mode));
    }
    let fits = |(left, mode): &(Line<'_>, String)| {
        left.width() + Span::raw(mode).width() <= usize::from(area.width)
    };
    let Some((left, mode)) = forms.into_iter().find(fits) else {
        line(buffer, area, 0, left(false, &[]));
        return;
    };
    line(buffer, area, 0, left);
    let style = if state.paused.is_some() {
        SELECTED
    } else {
        Style::new()
    };
    right(buffer, area, 0, Span::styled(mode, style));
}

/// Returns texts for the time that is shown, the longest first. The last one is empty.
fn modes(state: &State) -> Vec<String> {
    let moment = state.moment();
    let (short, date) = (time(moment), date_time(moment));
    // The date of a running virtual machine is that of today, unless midnight has passed.
    let has_date =
        state.replay.is_some() || date.split(' ').next() != date_time(state.now).split(' ').next();
    let ago = state.paused.map(|paused| state.now.since(paused).as_secs());
    let mode = match (ago, state.replay) {
        (Some(0), _) => Some("PAUSED".to_owned()),
        (Some(ago), _) => Some(format!("PAUSED {} ago", length(Duration::from_secs(ago)))),
        (None, Some(_)) if state.is_at_end => Some("REPLAY ended".to_owned()),
        (None, Some(replay)) => Some(format!("REPLAY x{}", replay.speed)),
        (None, None) => None,
    };
    let mut modes = Vec::new();
    match &mode {
        Some(mode) => {
            if has_date {
                modes.push(format!(" {mode}  {date} UTC "));
            }
            modes.push(format!(" {mode}  {short} UTC "));
        }
        None => modes.push(format!(" {short} UTC")),
    }
    if state.paused.is_some() {
        modes.push(format!(" PAUSED  {short} UTC "));
    }
    modes.extend([format!(" {short}"), String::new()]);
    modes
}

/// Draws the question, the sentence, or the keys.
fn footer(state: &State, area: Rect, buffer: &mut Buffer) {
    let row = area.height - 1;
    let message = state.message.as_deref().map(printable);
    let spans = match (&state.prompt, message) {
        (Some(prompt), message) => {
            let question = match prompt.question {
                Question::Names => "statistics that match (regex): ",
                Question::Machines => "VMs that match (regex): ",
                Question::Interval => "seconds between samples: ",
                Question::Jump { is_back: false } => "forward by (10s, 5m) or to (HH:MM:SS): ",
                Question::Jump { is_back: true } => "back by (10s, 5m) or to (HH:MM:SS): ",
            };
            // In the row above, because the answer may take the rest of its row.
            if let Some(message) = message {
                let width = usize::from(area.width);
                let text = Span::styled(format!("{message:<width$}"), BAD);
                line(buffer, area, row - 1, Line::from(text));
            }
            let room = usize::from(area.width).saturating_sub(question.len() + 1);
            vec![
                Span::styled(question, TITLE),
                Span::raw(tail(&printable(&prompt.text), room)),
                Span::styled(" ", SELECTED),
            ]
        }
        (None, Some(message)) => vec![Span::styled(message, NOTABLE)],
        (None, None) => match state.observed.note(state.moment()) {
            Some(note) => vec![Span::styled(printable(note), NOTABLE)],
            None => vec![Span::raw(hint(state, area.width.into()))],
        },
    };
    line(buffer, area, row, Line::from(spans));
}

/// Returns the end of a text, as much as fits into a width.
fn tail(text: &str, width: usize) -> String {
    if Span::raw(text).width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    for letter in text.chars().rev() {
        if Span::raw(format!("…{letter}{kept}")).width() > width {
            break;
        }
        kept.insert(0, letter);
    }
    format!("…{kept}")
}

/// Returns as many of the most important keys as fit.
fn hint(state: &State, width: usize) -> String {
    const GAP: usize = 2;
    match state.overlay {
        Some(Overlay::Help(_)) => return "up down scroll  any other key goes back".to_owned(),
        Some(Overlay::Meaning) => return "any key goes back  q quit".to_owned(),
        None => {}
    }
    let mut keys = vec!["q quit", "h help"];
    keys.extend_from_slice(match state.paused {
        Some(_) => &["space go on", "t T step", "j J jump"],
        None => &["space pause"],
    });
    keys.extend_from_slice(match state.focus {
        Focus::Machines => &["Enter open", "/ filter", "Tab statistics", "arrows sort"],
        Focus::Stats => &[
            "Enter chart",
            "Esc back",
            "? meaning",
            "/ filter",
            "z zeros",
        ],
        Focus::Detail => &["Esc back", "? meaning", "up/down next statistic"],
    });
    let mut left = width + GAP;
    keys.retain(|key| {
        let has_room = key.len() + GAP <= left;
        if has_room {
            left -= key.len() + GAP;
        }
        has_room
    });
    keys.join("  ")
}

//! The screen.
//!
//! In: the state. Out: cells. Drawing changes nothing: the same state gives the same
//! screen.

mod cells;
mod detail;
mod help;
mod plain;
mod tables;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::column::Column;
use super::list;
use super::observed::{Condition, Severity};
use super::state::{Focus, Overlay, Question, State};
use crate::printable::printable;
use crate::time_span::{length, time};
use cells::{BAD, NOTABLE, SELECTED, TITLE, line, right};

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
        (Some(Overlay::Help), _) => help::keys(state, body, buffer),
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
    let mut silent = 0;
    let mut cost = 0.0;
    for (id, machine) in &observed.machines {
        count += 1;
        let is_bad = observed.state(*id, moment).0 == Severity::Bad;
        silent += usize::from(is_bad && machine.condition != Condition::Gone);
        if let Some(entry) = observed.history.at(*id, moment) {
            cost += entry.sample.window.length().as_secs_f64() * 1e9;
        }
    }
    let plural = if count == 1 { "" } else { "s" };
    let mut spans = vec![
        Span::styled("vmstats", TITLE),
        Span::raw(format!("  {count} VM{plural}")),
    ];
    if silent > 0 {
        spans.push(Span::raw(", "));
        spans.push(Span::styled(format!("{silent} without answer"), BAD));
    }
    spans.push(Span::raw(format!(
        "  every {}  queries {}",
        seconds(state.interval().as_secs_f64()),
        list::duration(cost)
    )));
    line(buffer, area, 0, Line::from(spans));
    let mode = match (state.paused, state.speed) {
        (Some(paused), _) => {
            let back = state.now.since(paused);
            let ago = if back.is_zero() {
                String::new()
            } else {
                format!(" {} ago", length(back))
            };
            format!(" PAUSED{ago}  {} UTC ", time(paused))
        }
        (None, Some(speed)) => format!(" REPLAY x{speed}  {} UTC ", time(moment)),
        (None, None) => format!(" {} UTC", time(moment)),
    };
    let style = if state.paused.is_some() {
        SELECTED
    } else {
        Style::new()
    };
    right(buffer, area, 0, Span::styled(mode, style));
}

fn seconds(seconds: f64) -> String {
    format!("{seconds} s")
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
            let mut spans = vec![
                Span::styled(question, TITLE),
                Span::raw(printable(&prompt.text).into_owned()),
                Span::styled(" ", SELECTED),
            ];
            if let Some(message) = message {
                spans.push(Span::styled(format!("  {message}"), BAD));
            }
            spans
        }
        (None, Some(message)) => vec![Span::styled(message, NOTABLE)],
        (None, None) => hint(state).into_iter().map(Span::raw).collect(),
    };
    line(buffer, area, row, Line::from(spans));
}

fn hint(state: &State) -> Vec<&'static str> {
    if state.overlay.is_some() {
        return vec!["any key goes back  q quit"];
    }
    let mut hint = vec![match state.focus {
        Focus::Machines => "h help  Enter open  Tab statistics  arrows sort  / filter  ",
        Focus::Stats => "h help  ? meaning  Enter chart  Esc back  / filter  z zeros  ",
        Focus::Detail => "h help  ? meaning  up/down next statistic  Esc back  ",
    }];
    hint.push(match state.paused {
        Some(_) => "t T step  j J jump  space go on  ",
        None => "space pause  ",
    });
    hint.push("q quit");
    hint
}

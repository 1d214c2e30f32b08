//! The meaning of the keys.
//!
//! In: keys. Out: changes of the state, and what the program must do outside of it. The
//! letters are those of kvm_stat, below and atop where they do not contradict each other.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use regex_lite::Regex;

use super::draw::{HELP_LINES, shown_columns};
use super::jump;
use super::state::{Focus, Overlay, Prompt, Question, State, StatsColumn};
use super::vm_id::VmId;
use crate::sample::Timestamp;

/// The number of rows of a page.
const PAGE: isize = 10;

/// The number of letters of an answer.
const ANSWER_MAX: usize = 200;

/// The intervals that `+` and `-` choose among, in milliseconds.
const INTERVALS: [u64; 11] = [
    100, 200, 500, 1_000, 2_000, 3_000, 5_000, 10_000, 20_000, 30_000, 60_000,
];

/// The slowest and the fastest replay.
const SPEED_MIN: f64 = 1.0 / 64.0;
const SPEED_MAX: f64 = 4096.0;

/// A change outside of the state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Effect {
    /// Only the state changed, or the key has no meaning.
    None,
    /// End the program.
    Quit,
    /// Stop the program until the shell continues it.
    Suspend,
    /// Take samples at another interval.
    SetInterval(Duration),
    /// Go to this moment of a recording.
    Seek(Timestamp),
    /// Go to the next sample of a virtual machine in a recording, or to the one before.
    Step {
        /// The virtual machine.
        vm: VmId,
        /// True for the next sample.
        is_forward: bool,
    },
}

/// Changes the state as a key means it.
pub(super) fn press(state: &mut State, key: KeyEvent, width: u16) -> Effect {
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('c') if is_control => return Effect::Quit,
        KeyCode::Char('z') if is_control => return Effect::Suspend,
        _ => {}
    }
    state.message = None;
    if let Some(prompt) = state.prompt.take() {
        return answer(state, prompt, key);
    }
    if let Some(overlay) = state.overlay.take() {
        state.overlay = scrolled(overlay, key.code);
        return match key.code {
            KeyCode::Char('q') => Effect::Quit,
            _ => Effect::None,
        };
    }
    if is_control {
        if key.code == KeyCode::Char('l') {
            return letter_key(state, 'c');
        }
        return Effect::None;
    }
    match key.code {
        KeyCode::Up => state.step(-1),
        KeyCode::Down => state.step(1),
        KeyCode::PageUp => state.step(-PAGE),
        KeyCode::PageDown => state.step(PAGE),
        KeyCode::Home => state.step(isize::MIN),
        KeyCode::End => state.step(isize::MAX),
        KeyCode::Enter => state.open(),
        KeyCode::Esc | KeyCode::Backspace => state.back(),
        KeyCode::Tab => {
            state.set_focus(match state.focus {
                Focus::Machines => Focus::Stats,
                Focus::Stats | Focus::Detail => Focus::Machines,
            });
        }
        KeyCode::Left => sort_beside(state, width, false),
        KeyCode::Right => sort_beside(state, width, true),
        KeyCode::F(1) => state.overlay = Some(Overlay::Help(0)),
        KeyCode::Char(letter) => return letter_key(state, letter),
        _ => {}
    }
    Effect::None
}

fn sort_beside(state: &mut State, width: u16, is_right: bool) {
    let shown = shown_columns(state, width);
    state.sort_beside(&shown, is_right);
}

fn letter_key(state: &mut State, letter: char) -> Effect {
    match letter {
        'q' => return Effect::Quit,
        '<' => change_speed(state, 0.5),
        '>' => change_speed(state, 2.0),
        '+' | '-' | 's' if state.replay.is_some() => {
            state.message = Some("a recording keeps its interval; < > change the speed".to_owned());
        }
        '+' => return change_interval(state, true),
        '-' => return change_interval(state, false),
        ' ' => match state.paused.take() {
            Some(moment) if state.replay.is_some() && moment < state.now => {
                return Effect::Seek(moment);
            }
            Some(_) => {}
            None => state.paused = Some(state.now),
        },
        'b' => {
            state.focus = Focus::Machines;
            state.unfolded.clear();
        }
        'c' => (state.names, state.machines) = (None, None),
        'f' | '/' => ask(state, Question::Names),
        'g' => ask(state, Question::Machines),
        's' => ask(state, Question::Interval),
        'h' => state.overlay = Some(Overlay::Help(0)),
        '?' => {
            state.overlay = Some(match state.focus {
                Focus::Machines => Overlay::Help(0),
                Focus::Stats | Focus::Detail => Overlay::Meaning,
            });
        }
        'i' => state.invert(),
        'o' => {
            state.stats_order = match state.stats_order.0 {
                StatsColumn::Rate => (StatsColumn::Total, false),
                _ => (StatsColumn::Rate, false),
            };
        }
        'r' => state.observed.set_baseline(Some(state.moment())),
        'R' => state.observed.set_baseline(None),
        'x' => state.fold_all(),
        'z' => state.has_zeros = !state.has_zeros,
        't' | 'T' => {
            if state.paused.is_none() {
                state.paused = Some(state.now);
            }
            let is_forward = letter == 't';
            if !state.step_time(is_forward) {
                match (state.replay, state.selected_vm()) {
                    (Some(_), Some(vm)) => return Effect::Step { vm, is_forward },
                    _ => state.message = Some(state.end_of_history(is_forward)),
                }
            }
        }
        'j' | 'J' => ask(
            state,
            Question::Jump {
                is_back: letter == 'J',
            },
        ),
        _ => {}
    }
    Effect::None
}

/// Returns what covers the screen after a key.
fn scrolled(overlay: Overlay, key: KeyCode) -> Option<Overlay> {
    let Overlay::Help(first) = overlay else {
        return None;
    };
    let first = match key {
        KeyCode::Up => first.saturating_sub(1),
        KeyCode::PageUp => first.saturating_sub(PAGE.unsigned_abs()),
        KeyCode::Down => first + 1,
        KeyCode::PageDown => first + PAGE.unsigned_abs(),
        _ => return None,
    };
    Some(Overlay::Help(first.min(HELP_LINES - 1)))
}

fn change_speed(state: &mut State, factor: f64) {
    if let Some(replay) = &mut state.replay {
        replay.speed = (replay.speed * factor).clamp(SPEED_MIN, SPEED_MAX);
    }
}

fn ask(state: &mut State, question: Question) {
    let old = match question {
        Question::Names => state.names.as_ref(),
        Question::Machines => state.machines.as_ref(),
        Question::Interval | Question::Jump { .. } => None,
    };
    let text = old.map_or_else(String::new, |regex| regex.as_str().to_owned());
    state.prompt = Some(Prompt { question, text });
}

/// Takes a key of an answer.
fn answer(state: &mut State, mut prompt: Prompt, key: KeyEvent) -> Effect {
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Esc => return Effect::None,
        KeyCode::Enter => return accept(state, prompt),
        KeyCode::Char('u') if is_control => prompt.text.clear(),
        KeyCode::Char('w') if is_control => {
            let words = prompt.text.trim_end();
            let end = words.rfind(' ').map_or(0, |space| space + 1);
            prompt.text.truncate(end);
        }
        KeyCode::Char('h') if is_control => {
            prompt.text.pop();
        }
        KeyCode::Backspace => {
            prompt.text.pop();
        }
        KeyCode::Char(_) if is_control => {}
        KeyCode::Char(letter) if prompt.text.len() < ANSWER_MAX => prompt.text.push(letter),
        _ => {}
    }
    state.prompt = Some(prompt);
    Effect::None
}

/// Does what an answer says. A wrong answer remains, with a sentence about it.
fn accept(state: &mut State, prompt: Prompt) -> Effect {
    let text = prompt.text.as_str();
    let problem = match prompt.question {
        Question::Names | Question::Machines => match regex(text) {
            Ok(regex) => {
                if prompt.question == Question::Names {
                    state.names = regex;
                } else {
                    state.machines = regex;
                }
                return Effect::None;
            }
            Err(problem) => problem,
        },
        Question::Interval => {
            let seconds: Option<f64> = text.trim().parse().ok();
            let interval = seconds.and_then(|one| Duration::try_from_secs_f64(one).ok());
            let range = Duration::from_millis(10)..=Duration::from_secs(3600);
            match interval.filter(|interval| range.contains(interval)) {
                Some(interval) => return set_interval(state, interval),
                None => "expected a number of seconds from 0.01 to 3600".to_owned(),
            }
        }
        Question::Jump { is_back } => {
            let moment =
                jump::parse(text).and_then(|jump| jump.from(state.moment(), is_back, state.span()));
            match moment {
                Ok(moment) if state.replay.is_some() => return Effect::Seek(moment),
                Ok(moment) => {
                    state.jump(moment);
                    return Effect::None;
                }
                Err(problem) => problem,
            }
        }
    };
    state.message = Some(problem);
    state.prompt = Some(prompt);
    Effect::None
}

fn regex(text: &str) -> Result<Option<Regex>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    Regex::new(text)
        .map(Some)
        .map_err(|error| format!("no regular expression: {error}"))
}

fn change_interval(state: &mut State, is_longer: bool) -> Effect {
    let interval = state.observed.interval_at(state.now);
    let mut intervals = INTERVALS.into_iter().map(Duration::from_millis);
    let next = if is_longer {
        intervals.find(|one| *one > interval)
    } else {
        intervals.rev().find(|one| *one < interval)
    };
    match next {
        Some(interval) => set_interval(state, interval),
        None => Effect::None,
    }
}

fn set_interval(state: &mut State, interval: Duration) -> Effect {
    state.observed.set_interval(state.now, interval);
    Effect::SetInterval(interval)
}

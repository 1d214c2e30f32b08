//! The loop of the screen.
//!
//! In: keys, signals, and news. Out: drawings. The screen is drawn when something
//! changed and at least twice a second, so that the age of what is silent is right.

use std::time::{Duration, Instant};

use crossterm::event::{Event, KeyEventKind, poll, read};

use super::column::{self, Column};
use super::draw::draw;
use super::keys::{Effect, press};
use super::list::Order;
use super::live::Live;
use super::observed::Observed;
use super::state::State;
use super::terminal::{Screen, cannot_use, look};
use crate::cli::TopArgs;
use crate::failure::Failure;
use crate::shutdown::PendingSignals;

/// The time between two looks at the news, which bounds the number of drawings.
const PAUSE: Duration = Duration::from_millis(100);

/// The longest time without a drawing.
const DRAWING_AGE_MAX: Duration = Duration::from_millis(500);

/// Shows the screen until a key or a signal ends it.
pub(super) fn run(arguments: &TopArgs) -> Result<(), Failure> {
    let signals = PendingSignals::install()?.start()?;
    // Before any thread asks a monitor, because without a terminal there is no screen.
    let mut screen = Screen::open()?;
    let options = arguments.fleet.options();
    let word = arguments.sort.as_deref().unwrap_or(column::EXITS);
    let order = Order {
        column: Column::parse(word),
        is_inverted: false,
    };
    let columns = Column::all(Some(&order.column));
    let observed = Observed::new(columns, options.interval);
    let mut live = Live::start(arguments.fleet.places(), options)?;
    let look = look(arguments.no_color, arguments.ascii);
    let mut state = State::new(observed, order, live.now(), look);
    let mut wanted = arguments.sort.clone();
    let mut drawn: Option<Instant> = None;
    loop {
        if signals.wait_timeout(Duration::ZERO) {
            return Ok(());
        }
        if Screen::has_panicked() {
            return Err(Failure::other("a thread of the program failed"));
        }
        state.now = live.now();
        let mut has_changed = false;
        for news in live.news() {
            state.observed.apply(state.now, news);
            has_changed = true;
        }
        state.observed.forget_gone(state.now);
        check_sort(&mut state, &mut wanted);
        let is_due = drawn.is_none_or(|drawn| drawn.elapsed() >= DRAWING_AGE_MAX);
        if has_changed || is_due {
            screen
                .terminal
                .draw(|frame| draw(&state, frame))
                .map_err(cannot_use)?;
            drawn = Some(Instant::now());
        }
        if !poll(PAUSE).map_err(cannot_use)? {
            continue;
        }
        let event = read().map_err(cannot_use)?;
        // Draw at once what a key or another size changed.
        drawn = None;
        let Event::Key(key) = event else {
            continue;
        };
        if key.kind == KeyEventKind::Release {
            continue;
        }
        let width = screen.terminal.size().map_err(cannot_use)?.width;
        match press(&mut state, key, width) {
            Effect::Quit => return Ok(()),
            Effect::Suspend => screen.suspend()?,
            Effect::SetInterval(interval) => live.set_interval(interval),
            Effect::None => {}
        }
    }
}

/// Says once that the order is by a statistic that nothing has.
fn check_sort(state: &mut State, wanted: &mut Option<String>) {
    let Column::Stat(name) = &state.order.column else {
        *wanted = None;
        return;
    };
    if wanted.is_none() || state.observed.stat_names().next().is_none() {
        return;
    }
    *wanted = None;
    if state.observed.stat_names().all(|one| one != name) {
        state.message = Some(column::unknown(name, state.observed.stat_names()));
    }
}

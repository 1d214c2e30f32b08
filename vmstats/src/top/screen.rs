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
use super::observed::{News, Observed};
#[cfg(feature = "record")]
use super::player::Player;
use super::state::{Look, State};
use super::terminal::{Screen, cannot_use, look};
#[cfg(feature = "record")]
use crate::cli::ReplayArgs;
use crate::cli::TopArgs;
use crate::failure::Failure;
use crate::sample::Timestamp;
use crate::shutdown::{PendingSignals, ShutdownSignal};

/// The time between two looks at the news, which bounds the number of drawings.
const PAUSE: Duration = Duration::from_millis(100);

/// The longest time without a drawing.
const DRAWING_AGE_MAX: Duration = Duration::from_millis(500);

/// Where the news of a screen come from.
enum Source {
    /// Running virtual machines.
    Live(Live),
    /// A recording.
    #[cfg(feature = "record")]
    Replay(Box<Player>),
}

impl Source {
    fn now(&self) -> Timestamp {
        match self {
            Self::Live(live) => live.now(),
            #[cfg(feature = "record")]
            Self::Replay(player) => player.position(),
        }
    }

    fn news(&mut self, state: &State) -> Result<Vec<News>, Failure> {
        match self {
            Self::Live(live) => Ok(live.news()),
            #[cfg(feature = "record")]
            Self::Replay(player) => player.news(match (state.paused, state.speed) {
                (None, Some(speed)) => speed,
                _ => 0.0,
            }),
        }
    }
}

/// Shows running virtual machines until a key or a signal ends it.
pub(super) fn run(arguments: &TopArgs) -> Result<(), Failure> {
    let signals = PendingSignals::install()?.start()?;
    // Before any thread asks a monitor, because a screen needs a terminal; otherwise
    // monitors are asked in vain.
    let screen = Screen::open()?;
    let options = arguments.fleet.options();
    let interval = options.interval;
    let live = Live::start(arguments.fleet.places(), options)?;
    let state = state(arguments.sort.as_deref(), interval, live.now());
    let state = State {
        look: look(arguments.no_color, arguments.ascii),
        ..state
    };
    show(
        &signals,
        screen,
        Source::Live(live),
        state,
        arguments.sort.is_some(),
    )
}

/// Shows a recording until a key or a signal ends it.
#[cfg(feature = "record")]
pub(super) fn replay(arguments: &ReplayArgs) -> Result<(), Failure> {
    let mut player = Player::open(&arguments.recording)?;
    if let Some(at) = arguments.at {
        player.seek(at.within(player.span()).map_err(Failure::usage)?);
    }
    let signals = PendingSignals::install()?.start()?;
    let screen = Screen::open()?;
    let state = state(
        arguments.sort.as_deref(),
        player.interval(),
        player.position(),
    );
    let state = State {
        look: look(arguments.no_color, arguments.ascii),
        speed: Some(arguments.speed),
        ..state
    };
    let source = Source::Replay(Box::new(player));
    show(&signals, screen, source, state, arguments.sort.is_some())
}

fn state(sort: Option<&str>, interval: Duration, now: Timestamp) -> State {
    let order = Order {
        column: Column::parse(sort.unwrap_or(column::EXITS)),
        is_inverted: false,
    };
    let columns = Column::all(Some(&order.column));
    State::new(
        Observed::new(columns, interval),
        order,
        now,
        Look::default(),
    )
}

fn show(
    signals: &ShutdownSignal,
    mut screen: Screen,
    mut source: Source,
    mut state: State,
    mut is_sort_wanted: bool,
) -> Result<(), Failure> {
    let mut drawn: Option<Instant> = None;
    loop {
        if signals.wait_timeout(Duration::ZERO) {
            return Ok(());
        }
        if Screen::has_panicked() {
            return Err(Failure::other("a thread of the program failed"));
        }
        let news = source.news(&state)?;
        state.now = source.now();
        let has_changed = !news.is_empty();
        for news in news {
            state.observed.apply(state.now, news);
        }
        state.observed.forget_gone(state.now);
        check_sort(&mut state, &mut is_sort_wanted);
        let is_due = drawn.is_none_or(|drawn| drawn.elapsed() >= DRAWING_AGE_MAX);
        if has_changed || is_due {
            screen
                .terminal
                .draw(|frame| draw(&state, frame))
                .map_err(cannot_use)?;
            drawn = Some(Instant::now());
        }
        if !Screen::wait(PAUSE).map_err(cannot_use)? {
            return Ok(());
        }
        if !poll(Duration::ZERO).map_err(cannot_use)? {
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
        match (press(&mut state, key, width), &mut source) {
            (Effect::Quit, _) => return Ok(()),
            (Effect::Suspend, _) => screen.suspend()?,
            (Effect::SetInterval(interval), Source::Live(live)) => live.set_interval(interval),
            #[cfg(feature = "record")]
            (Effect::Seek(moment), Source::Replay(player)) => {
                player.seek(moment);
                let interval = state.observed.interval;
                state.observed = Observed::new(state.observed.columns, interval);
                state.paused = state.paused.map(|_| player.position());
            }
            (Effect::None | Effect::SetInterval(_) | Effect::Seek(_), _) => {}
        }
    }
}

/// Says once that the order is by a statistic that nothing has.
fn check_sort(state: &mut State, is_wanted: &mut bool) {
    let Column::Stat(name) = &state.order.column else {
        *is_wanted = false;
        return;
    };
    if !*is_wanted || state.observed.stat_names().next().is_none() {
        return;
    }
    *is_wanted = false;
    if state.observed.stat_names().all(|one| one != name) {
        state.message = Some(column::unknown(name, state.observed.stat_names()));
    }
}

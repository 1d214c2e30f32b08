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
use super::player::Player;
use super::state::{Look, Replay, State};
use super::terminal::{Screen, cannot_use, look};
use super::vm_id::VmId;
use crate::cli::{ReplayArgs, TopArgs};
use crate::failure::Failure;
use crate::intervals::Intervals;
use crate::sample::Timestamp;
use crate::shutdown::{PendingSignals, ShutdownSignal};
use crate::time_span::date_time;

/// The time between two looks at the news, which bounds the number of drawings.
const PAUSE: Duration = Duration::from_millis(100);

/// The longest time without a drawing.
const DRAWING_AGE_MAX: Duration = Duration::from_millis(500);

/// Where the news of a screen come from.
enum Source {
    /// Running virtual machines.
    Live(Live),
    /// A recording.
    Replay(Box<Player>),
}

impl Source {
    fn is_at_end(&self) -> bool {
        match self {
            Self::Live(_) => false,
            Self::Replay(player) => player.position() == player.span().1,
        }
    }

    fn now(&self) -> Timestamp {
        match self {
            Self::Live(live) => live.now(),
            Self::Replay(player) => player.position(),
        }
    }

    /// Frees the addresses of virtual machines that were dropped.
    fn forget(&mut self, gone: &[VmId]) {
        match self {
            Self::Live(live) => live.forget(gone),
            Self::Replay(_) => {}
        }
    }

    /// Returns what is new, each with its moment.
    fn news(&mut self, state: &State) -> Result<Vec<(Timestamp, News)>, Failure> {
        match self {
            Self::Live(live) => {
                let news = live.news();
                let now = live.now();
                Ok(news.into_iter().map(|news| (now, news)).collect())
            }
            Self::Replay(player) => player.news(match (state.paused, state.replay) {
                (None, Some(replay)) => replay.speed,
                _ => 0.0,
            }),
        }
    }
}

/// Shows running virtual machines until a key or a signal ends it.
pub(super) fn run(arguments: &TopArgs) -> Result<(), Failure> {
    let signals = PendingSignals::install()?.start()?;
    // Open the screen first: without a terminal the command fails, and should not have
    // connected to any monitor by then.
    let screen = Screen::open("--batch prints tables, -1 a single one, --json and --csv lines")?;
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
pub(super) fn replay(arguments: &ReplayArgs) -> Result<(), Failure> {
    let mut player = Player::open(&arguments.recording)?;
    if let Some(at) = arguments.at {
        player.seek(at.within(player.span()).map_err(Failure::usage)?);
    }
    let signals = PendingSignals::install()?.start()?;
    let screen =
        Screen::open("`vmstats dump` prints a recording, `vmstats report` writes a page of it")?;
    let state = state(
        arguments.sort.as_deref(),
        player.intervals().clone(),
        player.position(),
    );
    let state = State {
        look: look(arguments.no_color, arguments.ascii),
        replay: Some(Replay {
            speed: arguments.speed,
            span: player.span(),
        }),
        ..state
    };
    let source = Source::Replay(Box::new(player));
    show(&signals, screen, source, state, arguments.sort.is_some())
}

fn state(sort: Option<&str>, intervals: impl Into<Intervals>, now: Timestamp) -> State {
    let order = Order {
        column: Column::parse(sort.unwrap_or(column::EXITS)),
        is_inverted: false,
    };
    let columns = Column::all(Some(&order.column));
    State::new(
        Observed::new(columns, intervals),
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
    let mut is_queued = false;
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
        for (moment, news) in news {
            state.apply(moment, news);
        }
        state.is_at_end = source.is_at_end();
        let gone = state.observed.forget_gone(state.now);
        source.forget(&gone);
        check_sort(&mut state, &mut is_sort_wanted);
        let is_due = drawn.is_none_or(|drawn| drawn.elapsed() >= DRAWING_AGE_MAX);
        if has_changed || is_due {
            screen
                .terminal
                .draw(|frame| draw(&state, frame))
                .map_err(cannot_use)?;
            drawn = Some(Instant::now());
        }
        let pause = if is_queued { Duration::ZERO } else { PAUSE };
        if !Screen::wait(pause).map_err(cannot_use)? {
            return Ok(());
        }
        is_queued = false;
        // Handle all events before the next drawing: `Screen::wait` does not see those
        // that were read from the terminal and are queued.
        while !is_queued && poll(Duration::ZERO).map_err(cannot_use)? {
            drawn = None;
            let Event::Key(key) = read().map_err(cannot_use)? else {
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
                (Effect::Seek(moment), Source::Replay(player)) => {
                    seek(&mut state, player, moment);
                    // The next key acts on the news of the new moment.
                    is_queued = true;
                }
                (Effect::Step { vm, is_forward }, Source::Replay(player)) => {
                    match player.beside(vm, state.moment(), is_forward)? {
                        Some(moment) => seek(&mut state, player, moment),
                        None => state.message = Some(state.end_of_history(is_forward)),
                    }
                    is_queued = true;
                }
                (
                    Effect::None | Effect::SetInterval(_) | Effect::Seek(_) | Effect::Step { .. },
                    _,
                ) => {}
            }
        }
    }
}

/// Shows a moment of a recording, as near as the recording has it.
fn seek(state: &mut State, player: &mut Player, moment: Timestamp) {
    let (begin, end) = player.span();
    if moment < begin || moment > end {
        let (begin, end) = (date_time(begin), date_time(end));
        state.message = Some(format!("the recording is from {begin} to {end} UTC"));
    }
    if player.seek(moment) {
        let columns = std::mem::take(&mut state.observed.columns);
        let had_baseline = state.observed.baseline.is_some();
        state.observed = Observed::new(columns, player.intervals().clone());
        if had_baseline {
            state.message = Some("totals count from the start again; r sets a baseline".to_owned());
        }
    }
    state.now = player.position();
    state.paused = state.paused.map(|_| state.now);
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

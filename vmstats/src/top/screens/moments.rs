//! Moments that are not the current one, and answers to questions.
//!
//! In: states made of samples by hand, and keys. Out: a failed test if a state shows
//! something else than was read at its moment.

use super::super::keys::Effect;
use super::super::state::{Replay, total};
use super::super::stats::Scope;
use super::*;

/// Returns a state with one virtual machine, whose samples begin at these seconds.
fn sampled(interval: Duration, seconds: &[u64]) -> State {
    let order = Order {
        column: Column::Name,
        is_inverted: false,
    };
    let mut observed = Observed::new(Column::all(None), interval);
    let tables = tables();
    let news = |event| News::Vm(VM, "unix:/run/vm/a.sock".to_owned(), event);
    observed.apply(at(0), news(connected("a", "unix:/run/vm/a.sock", &tables)));
    for seconds in seconds {
        let sample = sample(&tables, *seconds, 1);
        observed.apply(sample.window.end, news(Event::Sampled(Arc::new(sample))));
    }
    screen(observed, order, at(*seconds.last().unwrap()))
}

#[test]
fn paused_moment_remains_when_its_samples_become_old() {
    let mut state = sampled(Duration::from_secs(1), &[0, 1, 2]);
    let tables = tables();
    let go_on = |state: &mut State, seconds| {
        let sample = sample(&tables, seconds, 1);
        let end = sample.window.end;
        state.now = end;
        let event = Event::Sampled(Arc::new(sample));
        state.apply(end, News::Vm(VM, String::new(), event));
    };
    keys(&mut state, " ");
    for seconds in 3..400 {
        go_on(&mut state, seconds);
    }
    let row = &state.list()[0];
    assert_eq!(row.state.1, "ok");
    assert!(row.numbers.is_some());
    // Samples that were dropped do not make the virtual machine one that did not answer.
    keys(&mut state, " ");
    go_on(&mut state, 400);
    state.paused = Some(at(5));
    let text = text(&terminal(&state, (80, 24)));
    assert!(text.contains("not kept any more"), "{text}");
    assert!(!text.contains("answer"), "{text}");
}

#[test]
fn earlier_states_remain_when_the_interval_changes() {
    let mut state = sampled(Duration::from_secs(10), &[0, 10, 20]);
    keys(&mut state, "s0.5");
    key(&mut state, KeyCode::Enter);
    state.jump(at(18));
    assert_eq!(state.list()[0].state.1, "ok");
    assert_eq!(state.interval(), Duration::from_secs(10));
}

#[test]
fn step_back_over_a_hang_shows_the_sample_before_it() {
    let mut state = sampled(Duration::from_secs(1), &[0, 1, 2, 11]);
    keys(&mut state, "T");
    assert!(state.moment() < at(3));
    let row = &state.list()[0];
    assert_eq!(row.state.1, "ok");
    assert!(row.numbers.is_some());
}

#[test]
fn totals_since_a_baseline_are_absent_when_nothing_was_read_there() {
    let tables = tables();
    let mut state = sampled(Duration::from_secs(1), &[0, 1]);
    keys(&mut state, "r");
    let totals = |state: &State| {
        let (rows, _) = state.stats(VM, &Scope::Vm);
        let exits = rows.iter().find(|row| row.stat.name == "exits").unwrap();
        (total(exits), exits.reason.clone())
    };
    let take = |state: &mut State, sample: Sample| {
        state.now = sample.window.end;
        let event = Event::Sampled(Arc::new(sample));
        state.apply(state.now, News::Vm(VM, String::new(), event));
    };
    take(&mut state, sample(&tables, 2, 1));
    assert_eq!(totals(&state), (Some(3000), None));
    // The vCPU that was plugged in has more exits than since the baseline.
    let mut state = sampled(Duration::from_secs(1), &[0]);
    take(&mut state, unplug(sample(&tables, 1, 1)));
    keys(&mut state, "r");
    take(&mut state, sample(&tables, 2, 1));
    take(&mut state, sample(&tables, 3, 1));
    let (growth, reason) = totals(&state);
    assert_eq!(growth, Some(4000));
    assert_eq!(reason.as_deref(), Some("only 1 of 2 are counted from r"));
    // A restart begins again.
    let restarted = |seconds| Sample {
        run: 1,
        ..sample(&tables, seconds, 1)
    };
    take(&mut state, restarted(4));
    take(&mut state, restarted(5));
    assert_eq!(totals(&state), (Some(3000), None));
    keys(&mut state, "R");
    assert_eq!(totals(&state), (Some(17_000), None));
    keys(&mut state, "r");
    state.paused = Some(at(4));
    assert_eq!(totals(&state).0, None);
}

#[test]
fn virtual_machine_that_is_found_after_a_baseline_counts_from_its_first_sample() {
    let mut state = state(SECONDS);
    keys(&mut state, "r");
    let tables = tables();
    let late = VmId(2);
    for seconds in SECONDS + 1..SECONDS + 3 {
        let sample = sample(&tables, seconds, 2);
        state.now = sample.window.end;
        let event = Event::Sampled(Arc::new(sample));
        state.apply(state.now, News::Vm(late, "unix:/late".to_owned(), event));
    }
    let (rows, _) = state.stats(late, &Scope::Vm);
    let exits = rows.iter().find(|row| row.stat.name == "exits").unwrap();
    assert_eq!(total(exits), Some(9000));
}

#[test]
fn filter_matches_names_as_they_are_shown() {
    let mut state = state(SECONDS);
    for filter in ["^sched", "^run_delay"] {
        keys(&mut state, "c/");
        keys(&mut state, filter);
        key(&mut state, KeyCode::Enter);
        let (rows, _) = state.stats(VM, &Scope::Vm);
        assert_eq!(rows.len(), 1, "{filter}");
    }
}

#[test]
fn answer_is_edited_and_its_problem_is_seen_when_it_is_long() {
    let mut state = state(SECONDS);
    let control = |state: &mut State, letter| {
        let key = KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL);
        press(state, key, 80);
    };
    let answer = |state: &State| state.prompt.as_ref().unwrap().text.clone();
    keys(&mut state, "/one two three");
    control(&mut state, 'w');
    assert_eq!(answer(&state), "one two ");
    control(&mut state, 'h');
    assert_eq!(answer(&state), "one two");
    control(&mut state, 'x');
    assert_eq!(answer(&state), "one two");
    control(&mut state, 'u');
    keys(&mut state, &format!("({}z", "a".repeat(150)));
    key(&mut state, KeyCode::Enter);
    let text = text(&terminal(&state, (80, 24)));
    assert!(text.contains("no regular expression"), "{text}");
    assert!(text.contains("aaz\n"), "{text}");
}

#[test]
fn all_keys_are_seen_when_the_screen_is_small_or_a_recording_is_shown() {
    let replay = Replay {
        speed: 1.0,
        span: (at(0), at(SECONDS)),
    };
    for replay in [None, Some(replay)] {
        let mut state = state(SECONDS);
        state.replay = replay;
        keys(&mut state, "h");
        let large = text(&terminal(&state, (80, 24)));
        assert!(
            large.contains("Ctrl-Z") && large.contains("are kept"),
            "{large}"
        );
        assert_eq!(large.contains("< >"), replay.is_some(), "{large}");
        let mut small = String::new();
        for _ in 0..3 {
            small += &text(&terminal(&state, (60, 16)));
            key(&mut state, KeyCode::PageDown);
        }
        for line in large.lines().filter(|line| line.starts_with("  ")) {
            assert!(small.contains(line), "{line}");
        }
        keys(&mut state, "h");
        assert_eq!(state.overlay, None);
    }
}

#[test]
fn recording_has_dates_and_finds_a_time_of_the_day_in_both_directions() {
    let mut state = state(SECONDS);
    state.replay = Some(Replay {
        speed: 1.0,
        span: (at(0), at(SECONDS)),
    });
    let shown = text(&terminal(&state, (80, 24)));
    assert!(
        shown.contains("REPLAY x1  2026-01-01 12:01:00 UTC"),
        "{shown}"
    );
    for keys_before in ["j", "J"] {
        keys(&mut state, keys_before);
        keys(&mut state, "12:00:30");
        let effect = press(
            &mut state,
            KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE),
            80,
        );
        assert_eq!(effect, Effect::Seek(at(30)));
    }
    keys(&mut state, " ");
    let shown = text(&terminal(&state, (80, 24)));
    assert!(shown.contains(" PAUSED  2026-01-01"), "{shown}");
    keys(&mut state, "s");
    assert!(state.message.is_some());
}

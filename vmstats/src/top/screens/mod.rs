//! Screens that are compared with texts.
//!
//! In: states made of samples by hand. Out: a failed test for each screen that differs
//! from its text. `BLESS=1` writes the texts, for a reader to compare by `git diff`.

mod moments;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use qapi_stats::stats::{StatsProvider, StatsSchema, StatsSchemaValue, StatsTarget};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;

use super::column::{Column, EXITS};
use super::draw::draw;
use super::keys::press;
use super::list::Order;
use super::observed::{News, Observed};
use super::state::{Look, State};
use super::vm_id::VmId;
use crate::sample::{Identity, Object, ObjectId, Sample, Table, Timestamp, Value, Window};
use crate::source::{Connected, Event, RUN_DELAY, SCHED};

/// The moment of the first sample: 2026-01-01 12:00:00 UTC.
const BEGIN: u64 = 1_767_268_800;

/// The seconds of samples, one sample each.
const SECONDS: u64 = 60;

const VM: VmId = VmId(0);
const OTHER: VmId = VmId(1);

fn at(seconds: u64) -> Timestamp {
    Timestamp((BEGIN + seconds) * 1_000_000_000)
}

fn nanoseconds(name: &str) -> StatsSchemaValue {
    StatsSchemaValue::cumulative(name).seconds(-9)
}

fn table(provider: &str, target: StatsTarget, stats: Vec<StatsSchemaValue>) -> Arc<Table> {
    Arc::new(Table::new(StatsSchema {
        provider: provider.into(),
        target,
        stats,
    }))
}

/// The tables of a virtual machine: of the VM, of its vCPUs, and of their steal.
fn tables() -> [Arc<Table>; 3] {
    let of_vcpus = vec![
        StatsSchemaValue::cumulative("exits"),
        StatsSchemaValue::cumulative("halt_exits"),
        nanoseconds("halt_wait_ns"),
        StatsSchemaValue::instant("blocking").boolean(),
        StatsSchemaValue::log2_histogram("halt_wait_hist").seconds(-9),
    ];
    let of_vm = vec![
        StatsSchemaValue::instant("pages_4k"),
        StatsSchemaValue::peak("max_mmu_page_hash_collisions"),
    ];
    [
        table(StatsProvider::Kvm.name(), StatsTarget::Vm, of_vm),
        table(StatsProvider::Kvm.name(), StatsTarget::Vcpu, of_vcpus),
        table(SCHED, StatsTarget::Vcpu, vec![nanoseconds(RUN_DELAY)]),
    ]
}

/// Returns the sample that begins some seconds after the first one, and takes 2 ms. The
/// first vCPU is twice as busy as the second, and waits longer from second 40 on.
fn sample(tables: &[Arc<Table>; 3], seconds: u64, pace: u64) -> Sample {
    let begin = at(seconds);
    let window = Window {
        begin,
        end: Timestamp(begin.0 + 2_000_000),
    };
    let [vm, vcpu, steal] = tables;
    let object = |table: &Arc<Table>, index: Option<u64>, values| Object {
        table: Arc::clone(table),
        id: ObjectId {
            index: index.and_then(|index| i64::try_from(index).ok()),
            qom_path: None,
        },
        window,
        values,
    };
    let mut objects = vec![object(
        vm,
        None,
        vec![Value::Number(4096), Value::Number(3)],
    )];
    let late = seconds.saturating_sub(40);
    for index in 0..2 {
        let busy = pace * (2 - index);
        let mut buckets = vec![0; 24];
        buckets[12] = seconds * 90 * busy;
        buckets[15] = seconds * 9 * busy;
        buckets[20] = late * busy;
        let values = vec![
            Value::Number(1000 + seconds * 1000 * busy + late * 500 * busy),
            Value::Number(seconds * 99 * busy),
            Value::Number(seconds * 250_000_000 * busy),
            Value::Boolean(index == 1),
            Value::Buckets(buckets.into()),
        ];
        objects.push(object(vcpu, Some(index), values));
    }
    for index in 0..2 {
        let waited = vec![Value::Number(late * 60_000_000 * (2 - index))];
        objects.push(object(steal, Some(index), waited));
    }
    Sample {
        window,
        run: 0,
        objects,
        absences: Vec::new(),
    }
}

/// Takes the vCPU with the index 1 out of a sample.
fn unplug(mut sample: Sample) -> Sample {
    sample.objects.retain(|object| object.id.index != Some(1));
    sample
}

/// Sets all numbers of a sample to a value.
fn fill(mut sample: Sample, number: u64) -> Sample {
    for value in sample.objects.iter_mut().flat_map(|one| &mut one.values) {
        match value {
            Value::Number(old) => *old = number,
            Value::Boolean(old) => *old = false,
            Value::Buckets(buckets) => buckets.fill(number),
            Value::Absent => {}
        }
    }
    sample
}

fn connected(name: &str, endpoint: &str, tables: &[Arc<Table>]) -> Event {
    Event::Connected(Arc::new(Connected {
        identity: Identity {
            endpoint: endpoint.to_owned(),
            name: Some(name.to_owned()),
            version: "7.2.0".to_owned(),
            ..Identity::default()
        },
        tables: tables.to_vec(),
        run: 0,
        problems: Vec::new(),
    }))
}

/// Returns a state with two virtual machines, of which the second has samples only in
/// the first `other` seconds.
fn state(other: u64) -> State {
    let order = Order {
        column: Column::parse(EXITS),
        is_inverted: false,
    };
    let columns = Column::all(Some(&order.column));
    let mut observed = Observed::new(columns, Duration::from_secs(1));
    let tables = tables();
    let machines = [
        (VM, "web-1", "unix:/run/vm/web-1.sock"),
        (OTHER, "db-1", "unix:/run/vm/db-1.sock"),
    ];
    for (vm, name, endpoint) in machines {
        let news = |event| News::Vm(vm, endpoint.to_owned(), event);
        observed.apply(at(0), news(Event::Found));
        observed.apply(at(0), news(connected(name, endpoint, &tables)));
        let (last, pace) = if vm == VM { (SECONDS, 2) } else { (other, 1) };
        for seconds in 0..=last {
            let sample = sample(&tables, seconds, pace);
            observed.apply(sample.window.end, news(Event::Sampled(Arc::new(sample))));
        }
    }
    screen(observed, order, at(SECONDS))
}

/// Returns the state of a screen that is drawn shortly after a moment.
fn screen(observed: Observed, order: Order, moment: Timestamp) -> State {
    let look = Look {
        has_color: true,
        is_ascii: false,
    };
    State::new(observed, order, Timestamp(moment.0 + 10_000_000), look)
}

/// Returns a state with virtual machines of which each has two samples.
fn pairs(machines: &[(&str, Sample, Sample)]) -> State {
    let order = Order {
        column: Column::Name,
        is_inverted: false,
    };
    let mut observed = Observed::new(Column::all(None), Duration::from_secs(1));
    let tables = tables();
    for (number, (name, before, after)) in machines.iter().enumerate() {
        let endpoint = format!("unix:/run/vm/{name}.sock");
        let news = |event| News::Vm(VmId(number), endpoint.clone(), event);
        observed.apply(at(0), news(connected(name, &endpoint, &tables)));
        for sample in [before, after] {
            observed.apply(
                sample.window.end,
                news(Event::Sampled(Arc::new(sample.clone()))),
            );
        }
    }
    screen(observed, order, at(2))
}

fn key(state: &mut State, code: KeyCode) {
    press(state, KeyEvent::new(code, KeyModifiers::NONE), 80);
}

fn keys(state: &mut State, letters: &str) {
    for letter in letters.chars() {
        key(state, KeyCode::Char(letter));
    }
}

/// Selects a statistic by its name, and opens its chart.
fn open(state: &mut State, name: &str) {
    key(state, KeyCode::Tab);
    keys(state, &format!("/^{name}$"));
    key(state, KeyCode::Enter);
    key(state, KeyCode::Enter);
}

fn terminal(state: &State, (width, height): (u16, u16)) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(state, frame)).unwrap();
    terminal
}

/// Returns what a terminal shows.
fn text(terminal: &Terminal<TestBackend>) -> String {
    let buffer = terminal.backend().buffer();
    let rows = buffer.content.chunks(buffer.area.width.into());
    rows.map(|row| {
        let row: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
        format!("{}\n", row.trim_end())
    })
    .collect()
}

/// Compares a screen with its text.
fn check(name: &str, state: &State, size: (u16, u16), expected: &str) {
    let text = text(&terminal(state, size));
    if std::env::var_os("BLESS").is_some_and(|value| value == "1") {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/top/screens");
        std::fs::write(folder.join(format!("{name}.txt")), text).unwrap();
        return;
    }
    assert!(
        text == expected,
        "{name}.txt differs; BLESS=1 writes it\nexpected:\n{expected}\ndrawn:\n{text}"
    );
}

macro_rules! check {
    ($name:literal, $state:expr, $size:expr) => {
        check($name, $state, $size, include_str!(concat!($name, ".txt")))
    };
}

#[test]
fn list_and_statistics_are_drawn_for_each_size() {
    let mut state = state(SECONDS);
    check!("list-80x24", &state, (80, 24));
    check!("list-30x8", &state, (30, 8));
    check!("list-20x4", &state, (20, 4));
    keys(&mut state, "xz");
    check!("vcpus-200x50", &state, (200, 50));
}

#[test]
fn screen_is_ascii_without_colour_when_the_terminal_has_no_more() {
    let mut state = state(SECONDS);
    state.look = Look {
        has_color: false,
        is_ascii: true,
    };
    open(&mut state, "halt_wait_hist");
    check!("ascii", &state, (80, 24));
    let terminal = terminal(&state, (80, 24));
    for cell in &terminal.backend().buffer().content {
        assert!(cell.symbol().is_ascii());
        assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
    }
}

#[test]
fn histogram_has_bars_and_a_heat_map_whose_late_waits_are_at_the_right() {
    let mut state = state(SECONDS);
    open(&mut state, "halt_wait_hist");
    check!("histogram-80x24", &state, (80, 24));
    check!("histogram-200x50", &state, (200, 50));
}

#[test]
fn state_says_when_a_machine_or_a_vcpu_began_anew() {
    let tables = tables();
    let sample = |seconds| sample(&tables, seconds, 1);
    let mut restarted = sample(2);
    restarted.run = 1;
    let state = pairs(&[
        ("plugged", unplug(sample(1)), sample(2)),
        ("reset", sample(1), fill(sample(2), 0)),
        ("restarted", sample(1), restarted),
        ("unplugged", sample(1), unplug(sample(2))),
    ]);
    check!("notes", &state, (80, 24));
    check!("notes-160x24", &state, (160, 24));
}

#[test]
fn zeros_are_hidden_and_counted() {
    let tables = tables();
    let sample = |seconds| fill(sample(&tables, seconds, 1), 0);
    let machines = ["a", "b", "c"].map(|name| (name, sample(1), sample(2)));
    let mut state = pairs(&machines);
    check!("zeros-hidden", &state, (80, 24));
    keys(&mut state, "z");
    check!("zeros-shown", &state, (80, 24));
}

#[test]
fn large_numbers_are_never_cut() {
    let tables = tables();
    let sample = |seconds, number| fill(sample(&tables, seconds, 1), number);
    let state = pairs(&[("a", sample(1, 0), sample(2, u64::MAX / 32))]);
    check!("large", &state, (80, 24));
    check!("large-40x24", &state, (40, 24));
}

#[test]
fn chart_remains_of_its_machine_when_the_order_changes() {
    let mut state = state(SECONDS);
    open(&mut state, "exits");
    // Another machine is the first one now.
    key(&mut state, KeyCode::Tab);
    keys(&mut state, "i");
    key(&mut state, KeyCode::Tab);
    key(&mut state, KeyCode::Enter);
    check!("chart", &state, (80, 24));
}

#[test]
fn empty_list_has_its_reason() {
    let mut state = pairs(&[]);
    let place = "/run/vm/*.sock".to_owned();
    let reason = format!("no socket matches {place}");
    let news = News::Place(place, Some(reason));
    state.observed.apply(at(0), news);
    check!("empty", &state, (80, 24));
}

#[test]
fn screen_has_no_remains_when_its_size_changes() {
    let state = state(SECONDS);
    let mut terminal = terminal(&state, (80, 24));
    for (size, expected) in [
        ((30, 8), include_str!("list-30x8.txt")),
        ((20, 4), include_str!("list-20x4.txt")),
        ((80, 24), include_str!("list-80x24.txt")),
    ] {
        terminal.backend_mut().resize(size.0, size.1);
        terminal.draw(|frame| draw(&state, frame)).unwrap();
        assert_eq!(text(&terminal), expected, "{size:?}");
    }
}

#[test]
fn chart_has_a_row_for_each_vcpu() {
    let mut state = state(SECONDS);
    open(&mut state, "exits");
    check!("chart", &state, (80, 24));
}

#[test]
fn help_and_meaning_cover_the_screen() {
    let mut state = state(SECONDS);
    keys(&mut state, "h");
    check!("help", &state, (80, 24));
    keys(&mut state, "h");
    open(&mut state, "exits");
    keys(&mut state, "?");
    check!("meaning", &state, (80, 24));
}

#[test]
fn virtual_machine_that_failed_has_its_reason() {
    let mut state = state(SECONDS - 10);
    let reason = "cannot connect: Connection refused (os error 111)".to_owned();
    let endpoint = "unix:/run/vm/db-1.sock".to_owned();
    let news = News::Vm(OTHER, endpoint, Event::Failed(reason));
    state.observed.apply(at(SECONDS - 9), news);
    check!("failed", &state, (80, 24));
    key(&mut state, KeyCode::Down);
    check!("failed-selected", &state, (80, 24));
    open(&mut state, "halt_wait_hist");
    check!("failed-histogram", &state, (80, 24));
    // The values of the moment before are not old at that moment.
    keys(&mut state, "T");
    assert_eq!(state.list()[0].state.1, "ok");
}

#[test]
fn virtual_machine_that_is_silent_has_the_seconds_of_its_silence() {
    check!("silent", &state(SECONDS - 4), (80, 24));
}

#[test]
fn paused_screen_shows_the_samples_of_its_moment() {
    let mut state = state(SECONDS);
    state.jump(at(30));
    check!("paused", &state, (80, 24));
    keys(&mut state, " ");
    check!("list-80x24", &state, (80, 24));
}

//! The demo guest on the kernel that runs this test.
//!
//! Where no guest can boot, every test says `skipped` with the reason.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may stop at the first surprise"
)]

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use demo_guest::{Guest, GuestConfig, GuestError, VCPUS_MAX};
use qapi_stats::stats::StatsTarget;
use stats_runtime::{Provider, StatsQuery, StatsSink};

/// A guest, if this machine lets us.
fn boot(vcpus: u32, running: u32) -> Option<Guest> {
    match Guest::boot(GuestConfig { vcpus, running }) {
        Ok(guest) => Some(guest),
        Err(error) if error.is_kvm_unavailable() => {
            skip::because(error);
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// The statistics of each vCPU by path and name; a histogram is its sum.
#[derive(Debug, Default)]
struct Sums {
    path: String,
    vcpus: BTreeMap<String, BTreeMap<String, u64>>,
}

impl StatsSink for Sums {
    fn result(&mut self, qom_path: Option<&str>) {
        self.path = qom_path.unwrap().to_owned();
        self.vcpus.insert(self.path.clone(), BTreeMap::new());
    }
    fn scalar(&mut self, name: &str, value: u64) {
        self.histogram(name, &[value]);
    }
    fn boolean(&mut self, name: &str, value: bool) {
        self.histogram(name, &[value.into()]);
    }
    fn histogram(&mut self, name: &str, buckets: &[u64]) {
        let stats = self.vcpus.get_mut(&self.path).unwrap();
        stats.insert(name.to_owned(), buckets.iter().sum());
    }
}

impl Sums {
    fn of(guest: &Guest) -> Self {
        let mut sums = Self::default();
        guest
            .provider()
            .query(&StatsQuery::all(&StatsTarget::Vcpu), &mut sums)
            .unwrap();
        sums
    }

    /// The statistic `name` of the vCPU at `index`; 0 where the kernel has
    /// none of this name.
    fn get(&self, guest: &Guest, index: usize, name: &str) -> u64 {
        self.vcpus[&guest.qom_paths()[index]]
            .get(name)
            .copied()
            .unwrap_or(0)
    }

    /// Halts, however they were waited for.
    fn halts(&self, guest: &Guest, index: usize) -> u64 {
        let histograms = ["halt_poll_success_hist", "halt_wait_hist"];
        histograms
            .iter()
            .map(|name| self.get(guest, index, name))
            .sum()
    }
}

#[test]
fn vcpu_wakes_about_a_thousand_times_a_second() {
    for vcpus in [1, 4] {
        let Some(guest) = boot(vcpus, vcpus) else {
            return;
        };
        sleep(Duration::from_millis(100));
        let (before, start) = (Sums::of(&guest), Instant::now());
        sleep(Duration::from_secs(1));
        let after = Sums::of(&guest);
        let seconds = start.elapsed().as_secs_f64();
        for index in 0..guest.vcpus() {
            let rate = |name: &str| {
                let count = after.get(&guest, index, name) - before.get(&guest, index, name);
                count as f64 / seconds
            };
            let halts = (after.halts(&guest, index) - before.halts(&guest, index)) as f64 / seconds;
            println!(
                "vCPU {index} of {vcpus}: {:.0} exits/s, {:.0} I/O exits/s, {:.0} interrupts/s, \
                 {halts:.0} halts/s of which {:.0} polled for",
                rate("exits"),
                rate("io_exits"),
                rate("irq_injections"),
                rate("halt_poll_success_hist"),
            );
            // Loose: a busy machine loses ticks, and none gains any.
            assert!((100.0..1500.0).contains(&halts), "{halts} halts/s");
            assert!(rate("exits") > 200.0);
            assert!(rate("halt_wait_hist") > 10.0);
        }
        let start = Instant::now();
        guest.stop().unwrap();
        assert!(
            start.elapsed() < Duration::from_secs(1),
            "{:?}",
            start.elapsed()
        );
    }
}

#[test]
fn statistics_do_not_move_when_the_guest_is_paused() {
    let Some(guest) = boot(3, 3) else { return };
    for _ in 0..3 {
        guest.pause().unwrap();
        guest.pause().unwrap();
        let before = Sums::of(&guest);
        sleep(Duration::from_millis(100));
        let after = Sums::of(&guest);
        for index in 0..3 {
            assert_eq!(
                before.get(&guest, index, "exits"),
                after.get(&guest, index, "exits")
            );
        }
        guest.resume().unwrap();
        guest.resume().unwrap();
        sleep(Duration::from_millis(200));
        let moved = Sums::of(&guest);
        for index in 0..3 {
            assert!(moved.get(&guest, index, "exits") > after.get(&guest, index, "exits") + 20);
        }
    }
    guest.pause().unwrap();
    guest.stop().unwrap();
}

#[test]
fn guest_pauses_and_resumes_when_asked_in_a_tight_loop() {
    let Some(guest) = boot(4, 4) else { return };
    for _ in 0..500 {
        guest.pause().unwrap();
        guest.resume().unwrap();
    }
    let start = Instant::now();
    guest.stop().unwrap();
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn guest_has_many_vcpus_when_only_one_runs() {
    let start = Instant::now();
    let Some(guest) = boot(300, 1) else { return };
    println!("300 vCPUs, 1 running: booted in {:?}", start.elapsed());
    assert_eq!(
        (guest.vcpus(), guest.running(), guest.thread_ids().len()),
        (300, 1, 1)
    );
    let start = Instant::now();
    let before = Sums::of(&guest);
    println!("300 vCPUs: read in {:?}", start.elapsed());
    assert_eq!(before.vcpus.len(), 300);
    sleep(Duration::from_millis(200));
    let after = Sums::of(&guest);
    assert!(after.get(&guest, 0, "exits") > before.get(&guest, 0, "exits"));
    assert_eq!(after.get(&guest, 299, "exits"), 0);
    let start = Instant::now();
    guest.stop().unwrap();
    println!("300 vCPUs: stopped in {:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn provider_answers_when_the_guest_is_gone() {
    let Some(guest) = boot(2, 2) else { return };
    let provider = guest.provider().clone();
    let id = std::fs::metadata(format!("/proc/self/task/{}", guest.thread_ids()[1]));
    assert!(id.is_ok());
    drop(guest);
    let mut sums = Sums::default();
    provider
        .query(&StatsQuery::all(&StatsTarget::Vcpu), &mut sums)
        .unwrap();
    assert_eq!(sums.vcpus.len(), 2);
}

#[test]
fn boot_names_the_number_when_it_is_impossible() {
    let boot = |vcpus, running| Guest::boot(GuestConfig { vcpus, running }).unwrap_err();
    let most = VCPUS_MAX;
    assert_eq!(boot(0, 0), GuestError::Vcpus { asked: 0, most });
    assert_eq!(
        boot(most + 1, 1),
        GuestError::Vcpus {
            asked: most + 1,
            most
        }
    );
    assert_eq!(
        boot(1, 2).to_string(),
        "2 vCPUs cannot run in a guest that has 1"
    );
    let error = GuestError::OpenKvm { errno: 13 };
    assert_eq!(
        error.to_string(),
        "cannot open /dev/kvm: Permission denied (os error 13)"
    );
    assert!(error.is_kvm_unavailable());
}

/// A vCPU that is kicked leaves KVM by a signal, which the kernel counts.
#[test]
fn vcpus_are_not_kicked_when_queried_in_a_tight_loop() {
    let Some(guest) = boot(2, 1) else {
        return;
    };
    sleep(Duration::from_millis(100));
    let (before, start) = (Sums::of(&guest), Instant::now());
    let mut queries = 0;
    while start.elapsed() < Duration::from_millis(500) {
        Sums::of(&guest);
        queries += 1;
    }
    let after = Sums::of(&guest);
    let grown = |name| after.get(&guest, 0, name) - before.get(&guest, 0, name);
    println!("{queries} queries, {} exits", grown("exits"));
    assert_eq!(grown("signal_exits"), 0);
    assert!(grown("exits") > 0, "the vCPU does not run");
}

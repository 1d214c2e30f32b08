//! The statistics that are exported.
//!
//! In: arguments. Out: what monitors are asked for, and which statistics of their answers
//! have a metric. The default is what a fleet can pay for; this file has its list.

use std::num::NonZeroUsize;

use qapi_stats::stats::{StatsProvider, StatsSchemaValue, StatsTarget};
use stats_runtime::exposition::Buckets;

use crate::cli::ExpositionArgs;
use crate::selection::{Selection, provider};
use crate::selector::NamePattern;
use crate::source::{RUN, RUN_DELAY, SCHED};

/// The statistics of KVM that are exported by default, of any architecture. A name that
/// the kernel does not have costs nothing.
const KVM: [&str; 19] = [
    // Why vCPUs leave the guest.
    "exits",
    "halt_exits",
    "io_exits",
    "mmio_exits",
    "irq_exits",
    "signal_exits",
    "irq_injections",
    "pf_taken",
    "insn_emulation",
    // Their counterparts on arm64, riscv and others.
    "mmio_exit_user",
    "mmio_exit_kernel",
    "wfe_exit_stat",
    "wfi_exit_stat",
    "hvc_exit_stat",
    "ecall_exit_stat",
    "int_exits",
    // How long they halt.
    "halt_wait_hist",
    "halt_poll_success_hist",
    "halt_poll_fail_hist",
];

/// The statistics of KVM that are asked for because histograms of [`KVM`] have them as
/// their sums.
const KVM_SUMS: [&str; 3] = ["halt_wait_ns", "halt_poll_success_ns", "halt_poll_fail_ns"];

/// The statistics of vCPUs' threads that are exported by default.
const THREADS: [&str; 2] = [RUN, RUN_DELAY];

/// The statistics of KVM that count all exits: one of them on most architectures.
pub(super) const EXITS: [&str; 2] = ["exits", "sum_exits"];

/// The choice of statistics, which the arguments make.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    /// The patterns of names; if the list is empty, the default names are chosen.
    pub(super) names: Vec<NamePattern>,
    /// The providers; if the list is empty, all of them are chosen.
    providers: Vec<StatsProvider>,
    /// True if vCPUs have metrics of their own.
    pub(super) per_vcpu: bool,
    /// The bounds of histograms that are written.
    pub(super) buckets: Buckets,
    /// True if the times at which counters were zero are written.
    pub(super) with_created: bool,
    /// The number of virtual machines that are exported; all of them without it.
    pub(super) top: Option<NonZeroUsize>,
    /// The number of samples that a virtual machine may have.
    pub(super) series_max: usize,
}

impl Choice {
    /// Takes the choice of the arguments.
    pub(super) fn new(arguments: &ExpositionArgs) -> Self {
        let names = arguments.names.iter();
        Self {
            names: names.flat_map(|names| names.0.clone()).collect(),
            providers: { arguments.providers.iter() }
                .map(|name| provider(name))
                .collect(),
            per_vcpu: arguments.per_vcpu,
            buckets: arguments.buckets,
            with_created: arguments.created,
            top: arguments.top,
            series_max: arguments.series_max.get(),
        }
    }

    #[cfg(test)]
    pub(super) fn all() -> Self {
        Self {
            names: vec!["*".parse().unwrap()],
            providers: Vec::new(),
            per_vcpu: false,
            buckets: Buckets::All,
            with_created: false,
            top: None,
            series_max: usize::MAX,
        }
    }

    /// Returns what monitors are asked for.
    pub(super) fn selection(&self) -> Selection {
        // Ask for everything if there are names, because the sum of a histogram may have
        // another name.
        if !self.names.is_empty() {
            return self.everything();
        }
        let ranks = EXITS.iter().filter(|_| self.top.is_some());
        let names = KVM.iter().chain(&KVM_SUMS).chain(ranks);
        let names = names.map(|name| (*name).to_owned()).collect();
        self.everything().with_names_of(StatsProvider::Kvm, names)
    }

    /// Returns all statistics of the providers, and what virtual machines are ranked by.
    pub(super) fn everything(&self) -> Selection {
        let mut providers = self.providers.clone();
        if self.top.is_some() && !providers.is_empty() {
            let of_ranks = [StatsProvider::Kvm, StatsProvider::Unknown(SCHED.into())];
            providers.extend(of_ranks);
        }
        Selection::new(None, providers, &[], Vec::new())
    }

    /// Returns whether a statistic has a metric of its own.
    pub(super) fn has(&self, provider: &StatsProvider, target: &StatsTarget, name: &str) -> bool {
        if !self.providers.is_empty() && !self.providers.contains(provider) {
            return false;
        }
        if !self.names.is_empty() {
            return self.names.iter().any(|pattern| pattern.matches(name));
        }
        match provider {
            StatsProvider::Kvm => KVM.contains(&name),
            _ if provider.name() == SCHED && *target == StatsTarget::Vcpu => {
                THREADS.contains(&name)
            }
            _ => true,
        }
    }
}

/// Returns whether a monitor describes a statistic of Linux's otherwise than Linux does, so
/// that its values would go under a name that means another thing to everybody else.
pub(super) fn is_misdescribed(
    provider: &StatsProvider,
    target: &StatsTarget,
    stat: &StatsSchemaValue,
) -> bool {
    let name = stat.name.as_str();
    let mut of_linux = KVM.iter().chain(&KVM_SUMS).chain(&THREADS);
    let is_of_linux = *target == StatsTarget::Vcpu
        && (*provider == StatsProvider::Kvm || provider.name() == SCHED)
        && of_linux.any(|known| *known == name);
    if !is_of_linux {
        return false;
    }
    let known = if name.ends_with("_hist") {
        StatsSchemaValue::log2_histogram(name).seconds(-9)
    } else if name.ends_with("_ns") || THREADS.contains(&name) {
        StatsSchemaValue::cumulative(name).seconds(-9)
    } else {
        StatsSchemaValue::cumulative(name)
    };
    // The base of no power means nothing.
    let base = |stat: &StatsSchemaValue| stat.base.filter(|_| stat.exponent != 0);
    (&stat.type_, &stat.unit, stat.exponent, base(stat))
        != (&known.type_, &known.unit, known.exponent, base(&known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::explanations;

    #[test]
    fn default_names_are_those_of_linux() {
        let known: Vec<_> = explanations().map(|one| one.name).collect();
        for name in KVM.iter().chain(&KVM_SUMS).chain(&THREADS) {
            assert!(known.contains(name), "{name}");
        }
    }

    #[test]
    fn statistic_of_linux_has_the_type_and_the_unit_of_linux() {
        let is_wrong = |provider: &str, stat: &StatsSchemaValue| {
            is_misdescribed(&provider.into(), &StatsTarget::Vcpu, stat)
        };
        let right = [
            StatsSchemaValue::cumulative("exits"),
            StatsSchemaValue::cumulative("exits").scaled(10, 0),
            StatsSchemaValue::cumulative("halt_wait_ns").seconds(-9),
            StatsSchemaValue::log2_histogram("halt_wait_hist").seconds(-9),
            // Linux has none of this name.
            StatsSchemaValue::instant("exists"),
        ];
        for stat in right {
            assert!(!is_wrong("kvm", &stat), "{stat:?}");
        }
        let wrong = [
            StatsSchemaValue::instant("exits"),
            StatsSchemaValue::cumulative("exits").scaled(10, 3),
            StatsSchemaValue::cumulative("exits").seconds(0),
            StatsSchemaValue::cumulative("halt_wait_ns").seconds(-6),
            StatsSchemaValue::linear_histogram("halt_wait_hist", 10).seconds(-9),
        ];
        for stat in wrong {
            assert!(is_wrong("kvm", &stat), "{stat:?}");
            assert!(!is_wrong("other", &stat), "{stat:?}");
        }
        assert!(is_wrong(SCHED, &StatsSchemaValue::cumulative(RUN)));
    }
}

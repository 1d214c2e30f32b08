//! The log of virtual machines and of choices.
//!
//! In: one collection after another. Out: a line for each virtual machine that goes down,
//! comes back or is gone, and a warning for each place, name or provider that selects
//! nothing. This file asks nobody.

use std::collections::{HashMap, HashSet};

use super::answer::{Reason, VmState};
use super::collector::Collection;
use crate::failure::warn;
use crate::printable::printable;
use crate::selector::NamePattern;

/// The state of the log.
#[derive(Debug)]
pub(super) struct Journal {
    /// The patterns and the providers of the arguments, until they have been checked.
    unchecked: Option<(Vec<NamePattern>, Vec<String>)>,
    generation: u64,
    /// The virtual machines of the last collection, with their addresses.
    vms: HashMap<usize, Known>,
}

#[derive(Debug)]
struct Known {
    address: String,
    is_up: bool,
}

impl Journal {
    /// Returns a log without lines. `names` and `providers` are those of the arguments.
    pub(super) fn new(names: Vec<NamePattern>, providers: Vec<String>) -> Self {
        Self {
            unchecked: Some((names, providers)),
            generation: 0,
            vms: HashMap::new(),
        }
    }

    /// Writes what is new in a collection.
    pub(super) fn note(&mut self, collection: &Collection) {
        // Collections that began earlier may end later.
        if collection.generation <= self.generation {
            return;
        }
        if self.generation == 0 {
            for (place, found) in &collection.places {
                match found {
                    // A folder that may be empty needs no warning.
                    Ok(0) if !place.is_searched() => warn(&format!("no socket is at {place} yet")),
                    Ok(_) => {}
                    Err(problem) => warn(problem),
                }
            }
        }
        self.generation = collection.generation;
        for vm in &collection.vms {
            self.note_vm(vm);
        }
        let present: HashSet<usize> = collection.vms.iter().map(|vm| vm.vm.id).collect();
        self.vms.retain(|id, known| {
            let is_present = present.contains(id);
            if !is_present {
                tracing::info!("{} is gone", known.address);
            }
            is_present
        });
        let is_heard = |vm: &VmState| match &vm.failure {
            None => true,
            Some((reason, _)) => *reason == Reason::Refused,
        };
        if collection.vms.iter().any(is_heard)
            && let Some((names, providers)) = self.unchecked.take()
        {
            for problem in unmatched(collection, &names, &providers) {
                warn(&problem);
            }
        }
    }

    fn note_vm(&mut self, vm: &VmState) {
        let is_up = vm.failure.is_none();
        let known = self.vms.entry(vm.vm.id).or_insert_with(|| Known {
            address: vm.vm.label.clone(),
            // A virtual machine that is down from the start has a line too.
            is_up: true,
        });
        if is_up == known.is_up {
            return;
        }
        known.is_up = is_up;
        let address = &known.address;
        match &vm.failure {
            None => tracing::info!("{address} is back"),
            Some((reason, text)) => {
                let reason = reason.name();
                tracing::info!("{address} is down ({reason}): {}", printable(text));
            }
        }
    }
}

/// Returns a sentence for each name and provider that no virtual machine of a collection
/// has.
fn unmatched(collection: &Collection, names: &[NamePattern], providers: &[String]) -> Vec<String> {
    let names = collection.unmatched(names).map(|pattern| {
        format!(
            "no statistic of the virtual machines that answered matches '{}' (`vmstats schemas` \
             lists those that there are)",
            pattern.text()
        )
    });
    let has_providers: HashSet<_> = { collection.tables() }
        .map(|table| table.provider.name())
        .collect();
    let providers = providers.iter();
    let providers = providers.filter(|name| !has_providers.contains(name.as_str()));
    let providers = providers.map(|name| {
        format!("no virtual machine that answered has statistics of the provider '{name}'")
    });
    names.chain(providers).collect()
}

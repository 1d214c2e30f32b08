//! The label `vm` of each virtual machine.
//!
//! In: names that monitors tell. Out: a label for each, no two of which are equal, and
//! which stays the same while the virtual machine is there.

use std::collections::HashSet;

use super::answer::VmState;
use crate::printable::printable;

/// The longest text of a label, in characters.
const CHARACTERS_MAX: usize = 200;

/// The labels of virtual machines.
#[derive(Debug)]
pub(super) struct Labels {
    /// A label for each virtual machine, in their order.
    pub(super) labels: Vec<String>,
    /// The number of virtual machines whose name another one has.
    pub(super) duplicates: usize,
}

/// Names virtual machines, in the order in which they were found: of those that have the
/// same name, the first has it as its label, and the others have their address too.
pub(super) fn labels(vms: &[VmState]) -> Labels {
    let mut taken = HashSet::new();
    let mut duplicates = 0;
    let labels = vms.iter().map(|state| {
        let endpoint = text(&state.vm.endpoint.to_string());
        let name = state.identity().and_then(|identity| identity.name.as_ref());
        let name = name.map_or_else(|| endpoint.clone(), |name| text(name));
        if taken.insert(name.clone()) {
            return name;
        }
        duplicates += 1;
        let with_endpoint = format!("{name} ({endpoint})");
        if taken.insert(with_endpoint.clone()) {
            return with_endpoint;
        }
        // A name may look like another one with its address.
        let with_number = format!("{with_endpoint} #{}", state.vm.id);
        taken.insert(with_number.clone());
        with_number
    });
    Labels {
        labels: labels.collect(),
        duplicates,
    }
}

/// Makes a text of a monitor fit for a label.
pub(super) fn text(text: &str) -> String {
    let text = printable(text);
    match text.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::answer::{Answer, Vm};
    use super::*;
    use crate::sample::{Identity, Sample, Timestamp, Window};

    fn state(id: usize, path: &str, name: Option<&str>) -> VmState {
        let now = Timestamp(0);
        let answer = Answer {
            identity: Identity {
                name: name.map(str::to_owned),
                ..Identity::default()
            },
            vcpus: None,
            process: None,
            started: None,
            sample: Sample {
                window: Window {
                    begin: now,
                    end: now,
                },
                run: 0,
                objects: Vec::new(),
                absences: Vec::new(),
            },
            unplugged: super::super::unplugged::Unplugged::default(),
            duration: Duration::ZERO,
            left_out: 0,
        };
        VmState {
            vm: Arc::new(Vm {
                id,
                endpoint: path.parse().unwrap(),
            }),
            last: Some((now, Arc::new(answer))),
            failure: None,
        }
    }

    #[test]
    fn label_is_unique_when_names_are_not() {
        let vms = [
            state(0, "/a", Some("web")),
            state(1, "/b", Some("web")),
            state(2, "/c", Some("web (/b)")),
            state(3, "/d", None),
            state(4, "/e", Some("a\nb")),
        ];
        let Labels { labels, duplicates } = labels(&vms);
        assert_eq!(labels, ["web", "web (/b)", "web (/b) (/c)", "/d", "a\\nb"]);
        assert_eq!(duplicates, 2);
    }
}

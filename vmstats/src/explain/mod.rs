//! `vmstats explain`: the meaning of Linux's statistics: KVM's, and the scheduler's of
//! vCPUs.
//!
//! In: the names of statistics. Out: sentences, each with the file of the kernel
//! that it is about. Nothing here asks a monitor or a kernel: `linux.txt` is the one
//! table.

use std::collections::BTreeSet;
use std::io::Write;

use qapi_stats::stats::{StatsProvider, StatsTarget};

use crate::cli::ExplainArgs;
use crate::failure::Failure;
use crate::nearest::hint;
use crate::source::SCHED;

/// The table, in sections for a target and its architectures.
const LINUX: &str = include_str!("linux.txt");

/// The word for all architectures in the head of a section.
const ALL: &str = "all";

/// The meaning of a statistic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The name of the statistic.
    pub name: &'static str,
    /// The target, by its name in the schema.
    pub target: &'static str,
    /// The architecture of the host, or `all`.
    pub architecture: &'static str,
    /// The meaning as a sentence.
    pub meaning: &'static str,
    /// The file of the kernel that declares or counts the statistic.
    pub source: &'static str,
}

/// Returns all explanations, in the order of the table.
pub fn explanations() -> impl Iterator<Item = Explanation> {
    let mut section = ("", "", "");
    LINUX.lines().filter_map(move |line| {
        if let Some(head) = line.strip_prefix("= ") {
            let mut words = head.split(' ');
            let mut word = || words.next().unwrap_or("");
            section = (word(), word(), word());
            return None;
        }
        let (name, meaning) = line.split_once(": ").filter(|_| !line.starts_with('#'))?;
        let (target, architecture, source) = section;
        Some(Explanation {
            name,
            target,
            architecture,
            meaning,
            source,
        })
    })
}

/// Returns the meaning of a statistic, on each architecture if it differs. Returns
/// `None` if the statistic is unknown to this build, or of a provider other than KVM and
/// the scheduler.
#[must_use]
pub fn meaning(provider: &StatsProvider, target: &StatsTarget, name: &str) -> Option<String> {
    if *provider != StatsProvider::Kvm && provider.name() != SCHED {
        return None;
    }
    let target = target.name();
    let mut found: Vec<Explanation> = Vec::new();
    for explanation in explanations() {
        let is_new = found
            .iter()
            .all(|other| other.meaning != explanation.meaning);
        if explanation.target == target && explanation.name == name && is_new {
            found.push(explanation);
        }
    }
    match found.as_slice() {
        [] => None,
        [only] => Some(only.meaning.to_owned()),
        several => {
            let several = several
                .iter()
                .map(|one| format!("{}: {}", one.architecture, one.meaning));
            Some(several.collect::<Vec<_>>().join(" "))
        }
    }
}

/// Runs `vmstats explain`.
///
/// # Errors
///
/// Returns an error if a name or pattern matches no statistic that this build
/// knows.
pub fn run(arguments: &ExplainArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let patterns: Vec<_> = arguments.names.iter().flat_map(|names| &names.0).collect();
    let mut wanted: Vec<Explanation> = explanations()
        .filter(|one| patterns.is_empty() || patterns.iter().any(|name| name.matches(one.name)))
        .collect();
    wanted.sort_by_key(|one| one.name);
    for one in wanted {
        let on = match one.architecture {
            ALL => String::new(),
            architecture => format!(", {architecture}"),
        };
        writeln!(
            out,
            "{} ({}{on}): {} [Linux: {}]",
            one.name, one.target, one.meaning, one.source
        )?;
    }
    let names: BTreeSet<&str> = explanations().map(|one| one.name).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let missing = patterns
        .iter()
        .filter(|pattern| !names.iter().any(|name| pattern.matches(name)));
    let problems: Vec<String> = missing
        .map(|pattern| {
            let text = pattern.text();
            let hint = hint(text, &names);
            format!("no statistic '{text}' is known to this build ({hint})")
        })
        .collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Failure::other(problems.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use qapi_stats::stats::{StatsProvider, StatsTarget};

    use super::{LINUX, explanations, meaning};

    #[test]
    fn table_has_no_line_that_is_lost_or_contradicts_another() {
        let mut seen = HashSet::new();
        for one in explanations() {
            let key = (one.name, one.target, one.architecture);
            assert!(seen.insert(key), "{key:?} is explained twice");
            assert!(one.meaning.ends_with('.'), "{}", one.name);
            assert!(matches!(one.target, "vm" | "vcpu"), "{}", one.name);
            for part in [one.name, one.architecture, one.source] {
                assert!(!part.is_empty() && !part.contains(' '), "{}", one.name);
            }
        }
        let lines = LINUX.lines().filter(|line| !line.is_empty());
        let lines = lines.filter(|line| !line.starts_with(['#', '=']));
        assert_eq!(seen.len(), lines.count());
    }

    #[test]
    fn meaning_names_the_architectures_when_they_differ() {
        let meaning = |target, name| meaning(&StatsProvider::Kvm, &target, name);
        assert_eq!(meaning(StatsTarget::Vcpu, "nosuch"), None);
        assert_eq!(meaning(StatsTarget::Vm, "exits"), None);
        let mmio = meaning(StatsTarget::Vcpu, "mmio_exits").unwrap();
        assert!(
            mmio.contains("x86: ") && mmio.contains(" powerpc: "),
            "{mmio}"
        );
        let exits = meaning(StatsTarget::Vcpu, "exits").unwrap();
        assert_eq!(exits, "Exits from the guest to KVM, for any reason.");
    }
}

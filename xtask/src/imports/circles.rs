//! Circles of imports, except those that are permitted.
//!
//! In: the graph of every package. Out: one finding for each circle that is not
//! permitted, and for each exception that permits nothing.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::graph::{Graph, Place};

/// An arrow that may close a circle.
#[derive(Debug)]
pub(super) struct Permitted {
    pub(super) package: &'static str,
    pub(super) from: &'static str,
    pub(super) to: &'static str,
}

/// Each with a comment that gives its reason. The fewer the better: a circle is
/// a missing third module.
const PERMITTED: &[Permitted] = &[];

/// Checks every package.
pub(super) fn check(graphs: &[(String, Graph)]) -> Vec<String> {
    let findings = |(package, graph): &(String, Graph)| findings(package, graph, PERMITTED);
    graphs.iter().flat_map(findings).collect()
}

/// Checks one package.
pub(super) fn findings(package: &str, graph: &Graph, permitted: &[Permitted]) -> Vec<String> {
    let permitted = permitted.iter().filter(|entry| entry.package == package);
    let permitted: Vec<[&Path; 2]> = permitted
        .map(|entry| [entry.from, entry.to].map(Path::new))
        .collect();
    let mut rest = graph.clone();
    for [from, to] in &permitted {
        rest.remove(from, to);
    }
    let mut findings = Vec::new();
    for [from, to] in permitted {
        if !graph.has_arrow(from, to) || rest.way(to, from).is_none() {
            let (from, to) = (from.display(), to.display());
            findings.push(format!(
                "{package}: {from} -> {to} closes no circle any more: delete the exception"
            ));
        }
    }
    // Once reported, a circle's arrows are removed, so that the next circle
    // shares none of them.
    while let Some(circle) = rest.circle() {
        let circle: Vec<PathBuf> = circle.into_iter().map(PathBuf::from).collect();
        let next = circle.iter().skip(1).chain(circle.first());
        let mut finding = format!("{package}: files import each other in a circle:");
        for (from, to) in circle.iter().zip(next) {
            if let Some(place) = rest.remove(from, to) {
                let (from, to) = (from.display(), to.display());
                let Place { line, path } = place;
                let _ = write!(
                    finding,
                    "\n    {from}:{line} uses `{path}`, which is defined in {to}"
                );
            }
        }
        findings.push(finding);
    }
    findings
}

//! Circles of imports.
//!
//! In: the graph of every package. Out: one finding for each circle. There is no
//! list of exceptions: a circle is a missing third module.

use std::fmt::Write;
use std::path::PathBuf;

use super::graph::{Graph, Place};

/// Checks every package.
pub(super) fn check(graphs: &[(String, Graph)]) -> Vec<String> {
    let findings = |(package, graph): &(String, Graph)| findings(package, graph);
    graphs.iter().flat_map(findings).collect()
}

/// Checks one package.
pub(super) fn findings(package: &str, graph: &Graph) -> Vec<String> {
    let mut rest = graph.clone();
    let mut findings = Vec::new();
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

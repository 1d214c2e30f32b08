//! Circles of imports, against the list of those that are permitted.
//!
//! In: the graph of every package, `xtask/circles.txt`. Out: one finding for
//! each circle that is not permitted, and for each entry that permits nothing.

use std::fmt::Write;
use std::path::PathBuf;

use super::graph::{Graph, Place};
use crate::tools::{Failure, read};

/// One permitted arrow a line: `package: from -> to: reason`.
const LIST: &str = "xtask/circles.txt";

/// An arrow that may close a circle.
#[derive(Debug)]
struct Permitted {
    line: usize,
    package: String,
    from: PathBuf,
    to: PathBuf,
}

/// Checks every package against the list.
pub(super) fn check(graphs: &[(String, Graph)]) -> Result<Vec<String>, Failure> {
    let list = read(LIST)?;
    let mut findings = Vec::new();
    for (package, graph) in graphs {
        findings.extend(self::findings(package, graph, &list)?);
    }
    for entry in parse(&list)? {
        if !graphs.iter().any(|(package, _)| *package == entry.package) {
            findings.push(format!("{LIST}:{}: there is no such package", entry.line));
        }
    }
    Ok(findings)
}

/// Checks one package against the text of the list.
pub(super) fn findings(package: &str, graph: &Graph, list: &str) -> Result<Vec<String>, Failure> {
    let mut permitted = parse(list)?;
    permitted.retain(|entry| entry.package == package);
    let mut rest = graph.clone();
    for entry in &permitted {
        rest.remove(&entry.from, &entry.to);
    }
    let mut findings = superfluous(&permitted, graph, &rest);
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
    Ok(findings)
}

/// Returns a finding for each permitted arrow that closes no circle, given that
/// `rest` is the graph without any permitted arrow.
fn superfluous(permitted: &[Permitted], graph: &Graph, rest: &Graph) -> Vec<String> {
    let mut findings = Vec::new();
    for entry in permitted {
        let (from, to) = (&entry.from, &entry.to);
        let closes_a_circle = graph.has_arrow(from, to) && rest.way(to, from).is_some();
        if !closes_a_circle {
            findings.push(format!(
                "{LIST}:{}: {} -> {} closes no circle any more: delete the line",
                entry.line,
                from.display(),
                to.display()
            ));
        }
    }
    findings
}

fn parse(text: &str) -> Result<Vec<Permitted>, Failure> {
    let mut all = Vec::new();
    for (text, line) in text.lines().zip(1..) {
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let parts = || {
            let (package, rest) = text.split_once(": ")?;
            let (from, rest) = rest.split_once(" -> ")?;
            let (to, reason) = rest.split_once(": ")?;
            (!reason.trim().is_empty()).then_some((package, from, to))
        };
        let (package, from, to) = parts().ok_or_else(|| {
            format!("{LIST}:{line}: not of the form `package: from -> to: reason`")
        })?;
        all.push(Permitted {
            line,
            package: package.to_owned(),
            from: from.into(),
            to: to.into(),
        });
    }
    Ok(all)
}

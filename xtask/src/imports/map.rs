//! The map of rooms in ARCHITECTURE.md, against the import graph.
//!
//! In: the graphs, and the fenced blocks `arrows PACKAGE` of the map. Out: the
//! rooms whose arrows differ; on request the map with the graph's arrows.
//!
//! A block has one line for each room: `room -> room room`. A room is a file,
//! or a folder, whose name ends with a slash; a file belongs to the longest
//! room that contains it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::graph::Graph;
use crate::tools::{Failure, read, workspace};

const MAP: &str = "ARCHITECTURE.md";
/// The packages that the map has to show.
const MAPPED: &[&str] = &["qapi-gen", "qapi-wire", "stats-runtime", "vmstats", "xtask"];
const OPENING: &str = "```arrows ";
const CLOSING: &str = "```";

/// The rooms of one package with the rooms that each imports from.
type Rooms = BTreeMap<String, BTreeSet<String>>;

pub(super) fn check(graphs: &[(String, Graph)]) -> Result<Vec<String>, Failure> {
    let declared = declared(&read(MAP)?);
    let mut findings = Vec::new();
    for package in declared.keys() {
        if !graphs.iter().any(|(name, _)| name == package) {
            findings.push(format!("{MAP}: there is no package {package}"));
        }
    }
    for (package, graph) in graphs {
        let Some(declared) = declared.get(package) else {
            if MAPPED.contains(&package.as_str()) {
                findings.push(format!("{MAP}: no block `arrows {package}`"));
            }
            continue;
        };
        findings.extend(differences(package, declared, graph));
    }
    if !findings.is_empty() {
        findings.push(format!(
            "`cargo xtask bless` writes the graph's arrows into {MAP}"
        ));
    }
    Ok(findings)
}

/// Replaces the arrows of every block by those of the graph. A file without a
/// room gets one.
pub(super) fn bless(graphs: &[(String, Graph)]) -> Result<(), Failure> {
    let text = read(MAP)?;
    let mut blessed = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        blessed.push_str(line);
        blessed.push('\n');
        let package = line.strip_prefix(OPENING);
        let graph = graphs
            .iter()
            .find(|(name, _)| Some(name.as_str()) == package);
        if let Some((_, graph)) = graph {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != CLOSING).collect();
            let rooms = parse_block(&block);
            blessed.push_str(&written(&actual(&rooms, graph)));
            blessed.push_str(CLOSING);
            blessed.push('\n');
        }
    }
    fs::write(workspace().join(MAP), blessed).map_err(|error| format!("{MAP}: {error}"))
}

/// Returns the lines of a block for a package: with the rooms that the map
/// declares, or with a room for each file and folder beside the root file.
pub(super) fn text(package: &str, graph: &Graph) -> Result<String, Failure> {
    let declared = declared(&read(MAP)?);
    let rooms = declared.get(package).cloned().unwrap_or_default();
    Ok(written(&actual(&rooms, graph)))
}

fn declared(map: &str) -> BTreeMap<String, Rooms> {
    let mut all = BTreeMap::new();
    let mut lines = map.lines();
    while let Some(line) = lines.next() {
        if let Some(package) = line.strip_prefix(OPENING) {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != CLOSING).collect();
            all.insert(package.to_owned(), parse_block(&block));
        }
    }
    all
}

/// Parses the lines of a block. A line that begins with a space continues the
/// line before it.
pub(super) fn parse_block(lines: &[&str]) -> Rooms {
    let mut rooms = Rooms::new();
    let mut current = String::new();
    for line in lines {
        let targets = match line.split_once("->") {
            Some((room, targets)) => {
                room.trim().clone_into(&mut current);
                targets
            }
            None => line,
        };
        let targets = targets.split_whitespace().map(str::to_owned);
        rooms.entry(current.clone()).or_default().extend(targets);
    }
    rooms
}

pub(super) fn differences(package: &str, declared: &Rooms, graph: &Graph) -> Vec<String> {
    let actual = actual(declared, graph);
    let mut findings = Vec::new();
    let names: BTreeSet<&String> = declared.keys().chain(actual.keys()).collect();
    for name in names {
        match (declared.get(name), actual.get(name)) {
            (Some(declared), Some(actual)) => {
                for extra in declared.difference(actual) {
                    findings.push(format!(
                        "{MAP}: {package}: the code has no arrow {name} -> {extra}"
                    ));
                }
                for missing in actual.difference(declared) {
                    findings.push(format!(
                        "{MAP}: {package}: missing arrow {name} -> {missing}"
                    ));
                }
            }
            (None, _) => findings.push(format!("{MAP}: {package}: missing room {name}")),
            (_, None) => findings.push(format!("{MAP}: {package}: no file is in room {name}")),
        }
    }
    findings
}

/// Returns the arrows between the declared rooms, and between rooms for the
/// files that no declared room contains.
fn actual(declared: &Rooms, graph: &Graph) -> Rooms {
    let mut rooms = Rooms::new();
    for file in &graph.files {
        rooms.entry(room(declared, file)).or_default();
    }
    for (from, arrows) in &graph.arrows {
        let from = room(declared, from);
        for to in arrows.keys() {
            let to = room(declared, to);
            if from != to {
                rooms.entry(from.clone()).or_default().insert(to);
            }
        }
    }
    rooms
}

/// Returns the room that contains a file.
pub(super) fn room(declared: &Rooms, file: &Path) -> String {
    let path = file.to_string_lossy();
    let contains =
        |room: &&String| *path == ***room || room.ends_with('/') && path.starts_with(room.as_str());
    match declared
        .keys()
        .filter(contains)
        .max_by_key(|room| room.len())
    {
        Some(room) => room.clone(),
        None => match path.split_once('/') {
            Some((folder, _)) => format!("{folder}/"),
            None => path.into_owned(),
        },
    }
}

/// Writes a block's lines, at most 80 columns wide.
fn written(rooms: &Rooms) -> String {
    let width = rooms.keys().map(String::len).max().unwrap_or_default();
    let mut text = String::new();
    for (room, targets) in rooms {
        let mut line = format!("{room:width$} ->");
        for target in targets {
            if line.len() + target.len() >= 80 {
                text.push_str(&line);
                text.push('\n');
                line = format!("{:width$}   ", "");
            }
            line.push(' ');
            line.push_str(target);
        }
        text.push_str(&line);
        text.push('\n');
    }
    text
}

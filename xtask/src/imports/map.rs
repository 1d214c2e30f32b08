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
const MAPPED: &[&str] = &[
    "demo-guest",
    "qapi-gen",
    "qapi-wire",
    "stats-runtime",
    "vmstats",
    "xtask",
];
const OPENING: &str = "```arrows ";
const CLOSING: &str = "```";

/// The rooms of one package with the rooms that each imports from.
type Rooms = BTreeMap<String, BTreeSet<String>>;

pub(super) fn check(graphs: &[(String, Graph)]) -> Result<Vec<String>, Failure> {
    let map = read(MAP)?;
    let blocks = blocks(&map);
    let mut findings = Vec::new();
    for package in MAPPED {
        if !blocks.iter().any(|(name, _)| name == package) {
            findings.push(format!("{MAP}: no block `arrows {package}`"));
        }
    }
    for (package, block) in blocks {
        match graphs.iter().find(|(name, _)| name == package) {
            Some((_, graph)) => findings.extend(differences(package, block, graph)),
            None => findings.push(format!("{MAP}: there is no package {package}")),
        }
    }
    if !findings.is_empty() {
        findings.push(format!(
            "`cargo xtask bless` writes the graph's arrows into {MAP}"
        ));
    }
    Ok(findings)
}

/// Returns the lines that a block lacks, and those that it has too many.
pub(super) fn differences(package: &str, block: &str, graph: &Graph) -> Vec<String> {
    let arrows = arrows(block, graph);
    let only_in = |one: &str, other: &str, finding: &str| -> Vec<String> {
        let lines = one
            .lines()
            .filter(|line| !other.lines().any(|it| it == *line));
        let findings = lines.map(|line| format!("{MAP}: {package}: {finding}: {}", line.trim()));
        findings.collect()
    };
    let mut findings = only_in(block, &arrows, "not in the code");
    findings.extend(only_in(&arrows, block, "not in the map"));
    findings
}

/// Replaces the arrows of every block by those of the graph. A file without a
/// room gets one.
pub(super) fn bless(graphs: &[(String, Graph)]) -> Result<(), Failure> {
    let mut blessed = read(MAP)?;
    for (package, block) in blocks(&blessed.clone()) {
        if let Some((_, graph)) = graphs.iter().find(|(name, _)| name == package) {
            let opening = format!("{OPENING}{package}\n");
            let [old, new] =
                [block, &arrows(block, graph)].map(|text| format!("{opening}{text}{CLOSING}"));
            blessed = blessed.replace(&old, &new);
        }
    }
    fs::write(workspace().join(MAP), blessed).map_err(|error| format!("{MAP}: {error}"))
}

/// Returns the lines of a block for a package: with the rooms that the map
/// declares, or with a room for each file and folder beside the root file.
pub(super) fn text(package: &str, graph: &Graph) -> Result<String, Failure> {
    let map = read(MAP)?;
    let blocks = blocks(&map);
    let block = blocks.iter().find(|(name, _)| *name == package);
    Ok(arrows(block.map_or("", |(_, block)| block), graph))
}

/// Returns each block's package and lines.
fn blocks(map: &str) -> Vec<(&str, &str)> {
    let blocks = map.split(OPENING).skip(1);
    let blocks = blocks.filter_map(|text| text.split_once(CLOSING)?.0.split_once('\n'));
    blocks.collect()
}

/// Returns the lines that a block should have: its own rooms with the graph's
/// arrows.
pub(super) fn arrows(block: &str, graph: &Graph) -> String {
    let rooms = block.lines().filter_map(|line| line.split_once("->"));
    let rooms: Vec<&str> = rooms.map(|(room, _)| room.trim()).collect();
    written(&rooms_of(&rooms, graph))
}

/// Returns the arrows between the declared rooms, and between rooms for the
/// files that no declared room contains.
fn rooms_of(declared: &[&str], graph: &Graph) -> Rooms {
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
fn room(declared: &[&str], file: &Path) -> String {
    let path = file.to_string_lossy();
    let contains = |room: &&&str| path == **room || room.ends_with('/') && path.starts_with(**room);
    let declared = declared
        .iter()
        .filter(contains)
        .max_by_key(|room| room.len());
    match (declared, path.split_once('/')) {
        (Some(room), _) => (*room).to_owned(),
        (None, Some((folder, _))) => format!("{folder}/"),
        (None, None) => path.into_owned(),
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

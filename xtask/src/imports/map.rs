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
    let declared = declared(&map);
    let mut findings = Vec::new();
    for package in declared.keys() {
        if !graphs.iter().any(|(name, _)| name == package) {
            findings.push(format!("{MAP}: there is no package {package}"));
        }
    }
    for (package, graph) in graphs {
        let Some(declared) = declared.get(package.as_str()) else {
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
    let mut blessed = read(MAP)?;
    for (package, block) in blocks(&blessed.clone()) {
        if let Some((_, graph)) = graphs.iter().find(|(name, _)| name == package) {
            let arrows = written(&actual(&parse_block(block), graph));
            let opening = format!("{OPENING}{package}\n");
            let [old, new] = [block, &arrows].map(|text| format!("{opening}{text}{CLOSING}"));
            blessed = blessed.replace(&old, &new);
        }
    }
    fs::write(workspace().join(MAP), blessed).map_err(|error| format!("{MAP}: {error}"))
}

/// Returns the lines of a block for a package: with the rooms that the map
/// declares, or with a room for each file and folder beside the root file.
pub(super) fn text(package: &str, graph: &Graph) -> Result<String, Failure> {
    let map = read(MAP)?;
    let declared = declared(&map);
    let rooms = declared.get(package).cloned().unwrap_or_default();
    Ok(written(&actual(&rooms, graph)))
}

fn declared(map: &str) -> BTreeMap<&str, Rooms> {
    let blocks = blocks(map).into_iter();
    blocks
        .map(|(package, block)| (package, parse_block(block)))
        .collect()
}

/// Returns each block's package and lines.
fn blocks(map: &str) -> Vec<(&str, &str)> {
    let blocks = map.split(OPENING).skip(1);
    let blocks = blocks.filter_map(|text| text.split_once(CLOSING)?.0.split_once('\n'));
    blocks.collect()
}

/// Parses the lines of a block. A line that begins with a space continues the
/// line before it.
pub(super) fn parse_block(block: &str) -> Rooms {
    let mut rooms = Rooms::new();
    let mut current = String::new();
    for line in block.lines() {
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
        let (declared, actual) = (declared.get(name), actual.get(name));
        if declared != actual {
            let arrows = |targets: Option<&BTreeSet<String>>| match targets {
                Some(targets) if targets.is_empty() => "nothing".to_owned(),
                Some(targets) => Vec::from_iter(targets.iter().map(String::as_str)).join(" "),
                None => "no such room".to_owned(),
            };
            findings.push(format!(
                "{MAP}: {package}: {name} -> {} in the map, but {} in the code",
                arrows(declared),
                arrows(actual)
            ));
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

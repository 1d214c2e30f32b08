//! The files of a recording's folder.
//!
//! In: names of files, and `schema.json`. Out: which file is what. A recording is
//!
//! - `schema.json`: the virtual machines and the descriptions of all statistics;
//! - `NNNN-PROVIDER-TARGET.parquet` and `NNNN-events.parquet`: sealed segments;
//! - `NNNN-sealing.jsonl`: lines that are being sealed. While the file exists, it is the
//!   segment, and Parquet files of the same number are incomplete;
//! - `NNNN-damaged.jsonl`: lines that could not be parsed; kept for people, read by no
//!   command;
//! - `tail.jsonl`: the newest lines;
//! - `lock`: locked while a recorder writes.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use qapi_stats::wire::{Context, Decode, Document, Node, Writer, from_node};

use super::row::{Layout, layouts_from_json, layouts_json};
use crate::intervals::Intervals;
use crate::sample::{Identity, Timestamp, nanos};

/// The file with the virtual machines and the descriptions.
pub const SCHEMA: &str = "schema.json";

/// The file with the newest lines.
pub const TAIL: &str = "tail.jsonl";

/// The beginning of the name of a file that is being written.
const TEMPORARY: &str = ".new-";

/// The file that a recorder locks.
pub const LOCK: &str = "lock";

/// The end of the name of the file with the events of a segment.
const EVENTS: &str = "events.parquet";

/// The end of the name of lines that are being sealed.
const SEALING: &str = "sealing.jsonl";

/// The mark of the format in `schema.json`.
const FORMAT: &str = "vmstats recording";

/// The version of the format. A reader refuses a later one.
const VERSION: u64 = 1;

/// The length of `schema.json`. A longer one was not written by a recorder.
const SCHEMA_BYTES_MAX: u64 = 64 << 20;

/// A virtual machine of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedVm {
    /// The name in the rows, which is unique in the recording.
    pub vm: String,
    /// The identity that its monitor told last.
    pub identity: Identity,
    /// The last run in the rows.
    pub run: u32,
}

/// The contents of `schema.json`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct About {
    /// The host's name, and the name and release of its kernel.
    pub host: String,
    /// The times from one sample to the next. Each recorder on the folder has its own.
    pub intervals: Intervals,
    /// The highest number that a sample has or will have before it is written here again.
    pub sample_max: u64,
    /// The virtual machines.
    pub vms: Vec<RecordedVm>,
    /// The descriptions of all statistics.
    pub layouts: Vec<Layout>,
}

impl About {
    /// Returns the text of `schema.json`.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut text = Vec::new();
        let mut writer = Writer::new(&mut text);
        let mut members = writer.object();
        members.required("format", FORMAT);
        members.required("version", &VERSION);
        members.required("host", self.host.as_str());
        let mut intervals = members.name("intervals").array();
        for (since, interval) in self.intervals.changes() {
            let mut members = intervals.element().object();
            members.required("since", &since.0);
            members.required("nanoseconds", &nanos(interval));
            members.end();
        }
        intervals.end();
        members.required("sample-max", &self.sample_max);
        let mut vms = members.name("vms").array();
        for vm in &self.vms {
            let mut members = vms.element().object();
            let identity = &vm.identity;
            members.required("vm", vm.vm.as_str());
            members.required("endpoint", identity.endpoint.as_str());
            members.optional("name", &identity.name);
            members.optional("uuid", &identity.uuid);
            members.required("version", identity.version.as_str());
            members.optional("process", &identity.process);
            members.required("run", &vm.run);
            members.end();
        }
        vms.end();
        members
            .name("tables")
            .raw(layouts_json(&self.layouts).as_bytes());
        members.end();
        text.push(b'\n');
        text
    }

    /// Reads the text of `schema.json`.
    ///
    /// # Errors
    ///
    /// Returns the reason if the text is another one, or of a later version.
    pub fn from_json(text: &[u8]) -> Result<Self, String> {
        let document = Document::parse(text).map_err(|error| error.to_string())?;
        let root = document.root();
        if optional::<String>(root, "format")?.as_deref() != Some(FORMAT) {
            return Err("it does not describe a recording".to_owned());
        }
        match optional::<u64>(root, "version")? {
            Some(VERSION) => {}
            version => {
                return Err(format!(
                    "the recording has version {}, and this build reads {VERSION}",
                    version.map_or_else(|| "?".to_owned(), |version| version.to_string())
                ));
            }
        }
        let vms = root.get("vms").and_then(Node::elements);
        let vms = vms.ok_or("'vms' is missing")?.map(|vm| {
            let text = |name| optional::<String>(vm, name);
            Ok(RecordedVm {
                vm: text("vm")?.ok_or("'vm' is missing")?,
                identity: Identity {
                    endpoint: text("endpoint")?.unwrap_or_default(),
                    name: text("name")?,
                    uuid: text("uuid")?,
                    version: text("version")?.unwrap_or_default(),
                    process: optional(vm, "process")?,
                },
                run: optional(vm, "run")?.unwrap_or_default(),
            })
        });
        let intervals = root.get("intervals").and_then(Node::elements);
        let mut known = Intervals::default();
        for interval in intervals.ok_or("'intervals' is missing")? {
            let number = |name| {
                let number = optional::<u64>(interval, name)?;
                number.ok_or_else(|| format!("'{name}' of an interval is missing"))
            };
            let nanos = Duration::from_nanos(number("nanoseconds")?);
            known.change(Timestamp(number("since")?), nanos);
        }
        let tables = root.get("tables").ok_or("'tables' is missing")?;
        Ok(Self {
            host: optional(root, "host")?.unwrap_or_default(),
            intervals: known,
            sample_max: optional(root, "sample-max")?.unwrap_or_default(),
            vms: vms.collect::<Result<_, String>>()?,
            layouts: layouts_from_json(qapi_stats::wire::to_json(&tables).as_bytes())?,
        })
    }

    /// Reads `schema.json` of a folder.
    ///
    /// # Errors
    ///
    /// Returns the reason if the file cannot be read or is another one.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let path = folder.join(SCHEMA);
        let metadata = fs::metadata(&path)?;
        if !metadata.is_file() || metadata.len() > SCHEMA_BYTES_MAX {
            return Err(io::Error::other("not a file of a recording"));
        }
        Self::from_json(&fs::read(path)?).map_err(io::Error::other)
    }

    /// Writes `schema.json` of a folder, whole or not at all. Returns the file, which may
    /// not be on the disk yet.
    ///
    /// # Errors
    ///
    /// Returns the error of writing.
    pub fn write(&self, folder: &Path) -> io::Result<File> {
        let temporary = folder.join(temporary_name(SCHEMA));
        let mut file = File::create(&temporary)?;
        file.write_all(&self.to_json())?;
        fs::rename(&temporary, folder.join(SCHEMA))?;
        Ok(file)
    }
}

fn optional<T: Decode>(node: Node<'_>, name: &str) -> Result<Option<T>, String> {
    node.get(name)
        .map(|node| from_node(node, &Context::tolerant()).map_err(|error| error.to_string()))
        .transpose()
}

/// The files of one segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// The Parquet files.
    pub files: Vec<PathBuf>,
    /// The lines that are being sealed. While they exist, the Parquet files are
    /// incomplete.
    pub sealing: Option<PathBuf>,
}

/// Returns the segments of a folder by their numbers. Files of other names that people put
/// into the folder are left out.
///
/// # Errors
///
/// Returns the error of reading the folder.
pub fn segments(folder: &Path) -> io::Result<BTreeMap<u64, Segment>> {
    let mut segments: BTreeMap<u64, Segment> = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Some((number, rest)) = path.file_name().and_then(|name| number_of(name.to_str()?))
        else {
            continue;
        };
        if rest == SEALING {
            segments.entry(number).or_default().sealing = Some(path);
        } else if rest == EVENTS || rest.ends_with(".parquet") && rest.contains('-') {
            segments.entry(number).or_default().files.push(path);
        }
    }
    segments.retain(|number, segment| {
        segment.files.sort();
        let has_events = || {
            segment
                .files
                .iter()
                .any(|path| path.ends_with(events_name(*number)))
        };
        segment.sealing.is_some() || has_events()
    });
    Ok(segments)
}

/// Returns the name that a file has until it is complete.
#[must_use]
pub fn temporary_name(name: &str) -> String {
    format!("{TEMPORARY}{name}")
}

/// Returns whether a file of this name was not completed by a recorder.
#[must_use]
pub fn is_temporary(name: &str) -> bool {
    name.strip_prefix(TEMPORARY)
        .is_some_and(|name| name == SCHEMA || name == TAIL || number_of(name).is_some())
}

/// Splits the name of a segment's file: `0007-kvm-vcpu.parquet`.
fn number_of(name: &str) -> Option<(u64, &str)> {
    let (number, rest) = name.split_once('-')?;
    let value = number.parse().ok()?;
    (number == digits(value)).then_some((value, rest))
}

/// Returns the number of a segment as its files have it.
fn digits(number: u64) -> String {
    format!("{number:04}")
}

/// Returns the name of the file with the rows of each layout. Names are unique.
#[must_use]
pub fn rows_names(number: u64, layouts: &[Layout]) -> Vec<String> {
    let safe = |name: &str| -> String {
        let letter = |letter: char| {
            if letter.is_ascii_alphanumeric() || letter == '_' {
                letter
            } else {
                '_'
            }
        };
        name.chars().map(letter).take(64).collect()
    };
    let number = digits(number);
    let mut taken = HashSet::new();
    let name = |(place, layout): (usize, &Layout)| {
        let table = &layout.table;
        let (provider, target) = (safe(table.provider.name()), safe(table.target.name()));
        let mut name = match layout.variant {
            0 => format!("{number}-{provider}-{target}"),
            variant => format!("{number}-{provider}-{target}-{variant}"),
        };
        // Providers may differ only in letters that are replaced or cut off.
        while !taken.insert(name.clone()) {
            name = format!("{name}-{place}");
        }
        format!("{name}.parquet")
    };
    layouts.iter().enumerate().map(name).collect()
}

/// Returns the name of the file with the events of a segment, which every segment has.
#[must_use]
pub fn events_name(number: u64) -> String {
    format!("{}-{EVENTS}", digits(number))
}

/// Returns the name of the file with the lines of a segment that could not be parsed.
#[must_use]
pub fn damaged_name(number: u64) -> String {
    format!("{}-damaged.jsonl", digits(number))
}

/// Returns the name of the lines of a segment that is being sealed.
#[must_use]
pub fn sealing_name(number: u64) -> String {
    format!("{}-{SEALING}", digits(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_people_add_belong_to_no_segment() {
        let folder = tempfile::tempdir().unwrap();
        let own = ["0001-events.parquet", "0001-kvm-vm.parquet"];
        let others = [
            "2026-11.parquet",
            "2026-export.parquet",
            "2026-11-28.parquet",
            "0001-mine.parquet",
            "00001-events.parquet",
            "0001-kvm-vm.csv",
        ];
        for name in own.iter().chain(&others).chain(&["0002-sealing.jsonl"]) {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let path = |name: &str| folder.path().join(name);
        let first = Segment {
            files: own.map(path).into(),
            sealing: None,
        };
        let second = Segment {
            files: Vec::new(),
            sealing: Some(path("0002-sealing.jsonl")),
        };
        let expected = BTreeMap::from([(1, first), (2, second)]);
        assert_eq!(segments(folder.path()).unwrap(), expected);
    }
}

//! Recordings of statistics, as they are read.
//!
//! In: a folder that a recorder wrote or is writing, or one packed file. Out: the samples of
//! each virtual machine by time, and events. A part of the recording is read when a sample
//! of it is asked for, so that hours open in a moment.

pub mod copy;
pub mod file;
pub mod folder;
pub mod line;
pub mod row;
mod unsealed;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use qapi_stats::wire::{Context, Decode, Document, Node, from_node};

use crate::failure::Failure;
use crate::sample::{Absence, ObjectId, Sample, Timestamp, Window};
use file::Contents;
use folder::{About, RecordedVm};
use row::{Event, EventKind, Layout, Row};
use unsealed::Unsealed;

/// The number of parts kept in memory. Two, because stepping back over a boundary needs the
/// part before.
const PARTS_MAX: usize = 2;

/// A recording.
#[derive(Debug)]
pub struct Recording {
    about: About,
    parts: Vec<Part>,
    /// The parts that were read last, the newest last.
    loaded: Vec<(usize, Rc<Loaded>)>,
}

/// A sample of a recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// The name of the virtual machine: see [`RecordedVm::vm`].
    pub vm: Arc<str>,
    /// The sample.
    pub sample: Arc<Sample>,
}

/// A part of a recording, which is read as a whole.
#[derive(Debug)]
struct Part {
    source: Source,
    begin: Timestamp,
    end: Timestamp,
}

#[derive(Debug)]
enum Source {
    /// The Parquet files of a segment.
    Files(Vec<PathBuf>),
    /// A group of rows of a packed recording.
    Group(PathBuf, usize),
    /// Lines that are not sealed.
    Lines(Unsealed),
}

impl Source {
    /// Reads all rows and events. The places of the layouts are those of the file that a
    /// row is in.
    fn read(&self, layouts: &[Layout]) -> Result<Contents, Failure> {
        match self {
            Self::Lines(lines) => {
                let contents = lines.read(layouts);
                contents.map_err(|error| cannot(lines.path(), &error))
            }
            Self::Group(path, group) => {
                file::read(path, Some(*group)).map_err(|reason| cannot(path, &reason))
            }
            Self::Files(files) => {
                let mut all = Contents::default();
                for path in files {
                    match file::read(path, None) {
                        Ok(contents) => {
                            all.rows.extend(contents.rows);
                            all.events.extend(contents.events);
                        }
                        // A recorder that keeps a bounded time removes old segments.
                        Err(_) if !path.exists() => {}
                        Err(reason) => return Err(cannot(path, &reason)),
                    }
                }
                Ok(all)
            }
        }
    }

    /// Reads the events only.
    fn events(&self, layouts: &[Layout]) -> Result<Vec<Event>, Failure> {
        match self {
            Self::Lines(_) => Ok(self.read(layouts)?.events),
            Self::Group(path, group) => {
                file::read_events(path, Some(*group)).map_err(|reason| cannot(path, &reason))
            }
            Self::Files(files) => {
                let path = files.iter().find(|path| is_of_events(path));
                // A recorder that keeps a bounded time removes old segments.
                let Some(path) = path.filter(|path| path.exists()) else {
                    return Ok(Vec::new());
                };
                file::read_events(path, None).map_err(|reason| cannot(path, &reason))
            }
        }
    }
}

/// Returns whether a file of a segment has the segment's events.
fn is_of_events(path: &Path) -> bool {
    path.to_string_lossy().ends_with("-events.parquet")
}

/// The contents of a part.
#[derive(Debug, Default)]
struct Loaded {
    samples: Vec<Recorded>,
}

/// Returns whether a path is a recording rather than a folder of other files.
#[must_use]
pub fn is_recording(path: &Path) -> bool {
    path.is_file() || path.join(folder::SCHEMA).exists()
}

impl Recording {
    /// Opens a recording without reading its samples.
    ///
    /// # Errors
    ///
    /// Returns an error that names the file which is damaged, or says that nothing at the
    /// path is a recording.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        if path.is_file() {
            return Self::open_packed(path);
        }
        let about = About::read(path).map_err(|error| {
            let path = path.display();
            Failure::other(match error.kind() {
                std::io::ErrorKind::NotFound => format!(
                    "{path} is not a recording: it has no {}; `vmstats record` makes recordings",
                    folder::SCHEMA
                ),
                _ => format!("{path}/{}: {error}", folder::SCHEMA),
            })
        })?;
        let mut parts = parts(path, &about.layouts)?;
        parts.sort_by_key(|part| part.begin);
        Ok(Self {
            about,
            parts,
            loaded: Vec::new(),
        })
    }

    fn open_packed(path: &Path) -> Result<Self, Failure> {
        let about = file::about(path).map_err(|reason| cannot(path, &reason))?;
        let groups = file::groups(path).map_err(|reason| cannot(path, &reason))?;
        let parts = groups
            .into_iter()
            .enumerate()
            .map(|(group, (begin, end))| Part {
                source: Source::Group(path.to_owned(), group),
                begin,
                end,
            });
        Ok(Self {
            about,
            parts: parts.collect(),
            loaded: Vec::new(),
        })
    }

    /// Returns what the recording says of itself.
    #[must_use]
    pub fn about(&self) -> &About {
        &self.about
    }

    /// Returns the virtual machines.
    #[must_use]
    pub fn vms(&self) -> &[RecordedVm] {
        &self.about.vms
    }

    /// Returns the descriptions of all statistics.
    #[must_use]
    pub fn layouts(&self) -> &[Layout] {
        &self.about.layouts
    }

    /// Returns the first and the last moment; `None` if the recording is empty.
    #[must_use]
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let begin = self.parts.iter().map(|part| part.begin).min()?;
        let end = self.parts.iter().map(|part| part.end).max()?;
        Some((begin, end))
    }

    /// Returns sentences about the lines that cannot be read. They are events of the kind
    /// [`EventKind::Lost`] too.
    pub fn damage(&self) -> impl Iterator<Item = &str> {
        let damage = self.parts.iter().filter_map(|part| match &part.source {
            Source::Lines(lines) => lines.damage.as_ref(),
            Source::Files(_) | Source::Group(..) => None,
        });
        damage.map(|event| event.text.as_str())
    }

    /// Returns the samples of all virtual machines that begin at or after a moment, in the
    /// order of time.
    pub fn samples(&mut self, from: Timestamp) -> Samples<'_> {
        let part = self.parts.iter().position(|part| part.end >= from);
        Samples {
            part: part.unwrap_or(self.parts.len()),
            recording: self,
            from,
            current: None,
            next: 0,
        }
    }

    /// Returns the last sample of a virtual machine that begins at or before a moment.
    ///
    /// # Errors
    ///
    /// Returns an error that names the file which is damaged.
    pub fn last(&mut self, vm: &str, at: Timestamp) -> Result<Option<Arc<Sample>>, Failure> {
        for index in (0..self.parts.len()).rev() {
            if self.parts.get(index).is_some_and(|part| part.begin > at) {
                continue;
            }
            let loaded = self.load(index)?;
            let mut samples = loaded.samples.iter().rev();
            let found = samples.find(|one| one.vm.as_ref() == vm && one.sample.window.begin <= at);
            if let Some(found) = found {
                return Ok(Some(Arc::clone(&found.sample)));
            }
        }
        Ok(None)
    }

    /// Returns all events in the order of time, without reading the statistics. The
    /// events of what cannot be read are repeated at the begin of each segment, and are
    /// left out here when nothing changed.
    ///
    /// # Errors
    ///
    /// Returns an error that names the file which is damaged.
    pub fn events(&self) -> Result<Vec<Event>, Failure> {
        let mut events = Vec::new();
        let mut absent: HashMap<Option<Arc<str>>, String> = HashMap::new();
        for part in &self.parts {
            let mut of_part = part.source.events(&self.about.layouts)?;
            of_part.sort_by_key(|event| event.time);
            for event in of_part {
                let is_repeated = event.kind == EventKind::Absent
                    && absent.insert(event.vm.clone(), event.text.clone()).as_ref()
                        == Some(&event.text);
                if !is_repeated {
                    events.push(event);
                }
            }
        }
        Ok(events)
    }

    /// Writes the whole recording into one file, part by part.
    ///
    /// # Errors
    ///
    /// Returns an error that names the file which is damaged or cannot be written.
    pub fn pack(&self, path: &Path) -> Result<(), Failure> {
        let written = |error: parquet::errors::ParquetError| cannot(path, &error);
        let layouts = self.about.layouts.clone();
        let mut writer = file::Writer::create(path, layouts, Some(&self.about)).map_err(written)?;
        for part in &self.parts {
            let contents = part.source.read(&self.about.layouts)?;
            let mut rows = contents.rows;
            for (place, row) in &mut rows {
                let layouts = self.about.layouts.iter();
                let own = layouts
                    .clone()
                    .position(|layout| layout.covers(&row.object.table));
                *place = own.ok_or_else(|| {
                    let table = &row.object.table;
                    let (provider, target) = (&table.provider, &table.target);
                    cannot(
                        path,
                        &format!("schema.json lacks statistics of {provider} {target}"),
                    )
                })?;
            }
            row::sort(&mut rows);
            writer.append(&rows, &contents.events).map_err(written)?;
        }
        writer.finish(None).map_err(written)
    }

    /// Reads a part, unless it was read before.
    fn load(&mut self, index: usize) -> Result<Rc<Loaded>, Failure> {
        if let Some((_, loaded)) = self.loaded.iter().find(|(known, _)| *known == index) {
            return Ok(Rc::clone(loaded));
        }
        let Some(part) = self.parts.get(index) else {
            return Ok(Rc::default());
        };
        let contents = part.source.read(&self.about.layouts)?;
        let rows = contents.rows.into_iter().map(|(_, row)| row).collect();
        let loaded = Rc::new(Loaded::new(rows, contents.events));
        if self.loaded.len() >= PARTS_MAX {
            self.loaded.remove(0);
        }
        self.loaded.push((index, Rc::clone(&loaded)));
        Ok(loaded)
    }
}

/// An iterator over the samples of a recording, in the order of time.
#[derive(Debug)]
pub struct Samples<'a> {
    recording: &'a mut Recording,
    from: Timestamp,
    part: usize,
    current: Option<Rc<Loaded>>,
    next: usize,
}

impl Iterator for Samples<'_> {
    type Item = Result<Recorded, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.part >= self.recording.parts.len() {
                return None;
            }
            let current = match &self.current {
                Some(current) => Rc::clone(current),
                None => match self.recording.load(self.part) {
                    Ok(loaded) => {
                        self.next = 0;
                        self.current = Some(Rc::clone(&loaded));
                        loaded
                    }
                    Err(failure) => {
                        self.part = self.recording.parts.len();
                        return Some(Err(failure));
                    }
                },
            };
            match current.samples.get(self.next) {
                Some(recorded) => {
                    self.next += 1;
                    if recorded.sample.window.begin >= self.from {
                        return Some(Ok(recorded.clone()));
                    }
                }
                None => {
                    self.part += 1;
                    self.current = None;
                }
            }
        }
    }
}

impl Loaded {
    /// Puts the rows of each sample together.
    fn new(mut rows: Vec<Row>, mut events: Vec<Event>) -> Self {
        events.sort_by_key(|event| event.time);
        rows.sort_by(|left, right| {
            let key = |row: &Row| (row.sample, Arc::clone(&row.vm));
            key(left).cmp(&key(right))
        });
        let mut samples: Vec<Recorded> = Vec::new();
        let mut rows = rows.into_iter().peekable();
        while let Some(row) = rows.next() {
            let Row {
                sample: number,
                vm,
                run,
                object,
            } = row;
            let mut objects = vec![object];
            while let Some(row) = rows.next_if(|row| row.sample == number && row.vm == vm) {
                objects.push(row.object);
            }
            objects.sort_by(|left, right| left.order().cmp(&right.order()));
            let windows = || objects.iter().map(|object| object.window);
            let begin = windows().map(|window| window.begin).min();
            let end = windows().map(|window| window.end).max();
            let (Some(begin), Some(end)) = (begin, end) else {
                continue;
            };
            samples.push(Recorded {
                vm,
                sample: Arc::new(Sample {
                    window: Window { begin, end },
                    run,
                    objects,
                    absences: Vec::new(),
                }),
            });
        }
        samples.sort_by_key(|recorded| recorded.sample.window.begin);
        let mut absences: HashMap<Arc<str>, Vec<Absence>> = HashMap::new();
        let mut told = events
            .iter()
            .filter(|event| event.kind == EventKind::Absent)
            .peekable();
        for recorded in &mut samples {
            let end = recorded.sample.window.end;
            while let Some(event) = told.next_if(|event| event.time <= end) {
                if let Some(vm) = &event.vm {
                    absences.insert(Arc::clone(vm), read_absences(&event.text));
                }
            }
            if let Some(absences) = absences.get(&recorded.vm).filter(|list| !list.is_empty()) {
                Arc::make_mut(&mut recorded.sample)
                    .absences
                    .clone_from(absences);
            }
        }
        Self { samples }
    }
}

/// Reads the text of an event of the kind [`EventKind::Absent`]. What cannot be
/// understood is left out: the values are absent in any case.
fn read_absences(text: &str) -> Vec<Absence> {
    let Ok(document) = Document::parse(text.as_bytes()) else {
        return Vec::new();
    };
    let absences = document.root().elements().into_iter().flatten();
    absences
        .filter_map(|node| {
            let Ok(provider) = member::<String>(node, "provider")?.parse();
            let Ok(target) = member::<String>(node, "target")?.parse();
            let object = ObjectId {
                index: member(node, "vcpu"),
                qom_path: member(node, "object"),
            };
            Some(Absence {
                provider,
                target,
                object: (object != ObjectId::default()).then_some(object),
                reason: member(node, "reason")?,
            })
        })
        .collect()
}

fn member<T: Decode>(node: Node<'_>, name: &str) -> Option<T> {
    from_node(node.get(name)?, &Context::tolerant()).ok()
}

/// The number of looks at a folder whose segments change.
const LOOKS: usize = 20;

/// Finds the parts of a folder, which a recorder may be changing.
fn parts(folder: &Path, layouts: &[Layout]) -> Result<Vec<Part>, Failure> {
    let segments = || folder::segments(folder).map_err(|error| cannot(folder, &error));
    let mut before = segments()?;
    for _ in 0..LOOKS {
        let mut parts = Vec::new();
        for segment in before.values().cloned() {
            match segment.sealing {
                Some(lines) => parts.extend(lines_part(lines, layouts)?),
                None => parts.extend(files_part(segment.files)?),
            }
        }
        parts.extend(lines_part(folder.join(folder::TAIL), layouts)?);
        let after = segments()?;
        if after == before {
            return Ok(parts);
        }
        before = after;
    }
    Err(cannot(folder, &"the recording changes too fast to be read"))
}

/// Makes the part of a segment's files. Returns `None` if the files are gone or empty.
fn files_part(files: Vec<PathBuf>) -> Result<Option<Part>, Failure> {
    // The file of the events is small and has the span of the whole segment.
    let events = files.iter().find(|path| is_of_events(path));
    let Some(path) = events.or(files.first()) else {
        return Ok(None);
    };
    match file::span(path) {
        Ok(span) => Ok(span.map(|(begin, end)| Part {
            source: Source::Files(files),
            begin,
            end,
        })),
        Err(_) if !path.exists() => Ok(None),
        Err(reason) => Err(cannot(path, &reason)),
    }
}

/// Makes the part of lines. Returns `None` if all lines are cut off.
fn lines_part(path: PathBuf, layouts: &[Layout]) -> Result<Option<Part>, Failure> {
    let place = path.clone();
    let lines = Unsealed::open(path, layouts).map_err(|error| cannot(&place, &error))?;
    Ok(lines.map(|lines| Part {
        begin: lines.span.0,
        end: lines.span.1,
        source: Source::Lines(lines),
    }))
}

fn cannot(path: &Path, reason: &dyn std::fmt::Display) -> Failure {
    Failure::other(format!("{}: {reason}", path.display()))
}

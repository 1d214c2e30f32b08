//! The thread that turns tails into segments.
//!
//! In: the numbers of tails. Out: segments, and no more of them than the recording may
//! have. It shares nothing with the thread that writes lines, so that a slow disk delays
//! no sample.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::progress::tell;
use crate::failure::Failure;
use crate::recording::file::{self, Contents};
use crate::recording::folder::{
    TAIL, damaged_name, events_name, rows_names, sealing_name, segments, temporary_name,
};
use crate::recording::line::{self, Line};
use crate::recording::row::{self, Event, EventKind, Layout};
use crate::sample::{Clock, Timestamp};
use crate::threads::spawn;

/// The time between two tries to seal on a full disk.
const RETRY_INTERVAL: Duration = Duration::from_secs(10);

/// The time between two looks for old segments while nothing is sealed.
const LIMIT_INTERVAL: Duration = Duration::from_secs(60);

/// How much of a recording is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ring {
    /// The age of the oldest segment.
    pub(super) keep: Option<Duration>,
    /// The number of bytes.
    pub(super) size: Option<u64>,
}

/// A tail to seal.
struct Job {
    number: u64,
    layouts: Vec<Layout>,
}

/// A request to the thread.
enum Request {
    Seal(Job),
    /// A description that may not be on the disk yet.
    Sync(File),
}

/// The thread.
pub(super) struct Sealer {
    requests: Sender<Request>,
    thread: JoinHandle<Result<(), Failure>>,
}

impl Sealer {
    /// Starts the thread.
    pub(super) fn start(folder: &Path, ring: Ring, clock: Clock) -> Result<Self, Failure> {
        let (requests, receiver) = channel();
        let worker = Worker {
            folder: folder.to_owned(),
            ring,
            clock,
            waiting: VecDeque::new(),
            seal_failed: false,
            limit_failed: false,
        };
        let thread = spawn("sealer", move || worker.run(&receiver))?;
        Ok(Self { requests, thread })
    }

    /// Seals a tail soon.
    pub(super) fn seal(&self, number: u64, layouts: Vec<Layout>) {
        let job = Job { number, layouts };
        // Fails only if the thread ended by a panic, which `finish` reports.
        let _ = self.requests.send(Request::Seal(job));
    }

    /// Waits on the thread until a description is on the disk, so that a power failure
    /// leaves one. A later description replaces one that waits.
    pub(super) fn sync(&self, description: File) {
        // Fails only if the thread ended by a panic, which `finish` reports.
        let _ = self.requests.send(Request::Sync(description));
    }

    /// Waits until everything is sealed.
    pub(super) fn finish(self) -> Result<(), Failure> {
        drop(self.requests);
        let outcome = self.thread.join();
        outcome.unwrap_or_else(|_| Err(Failure::other("the thread that seals failed")))
    }
}

struct Worker {
    folder: PathBuf,
    ring: Ring,
    clock: Clock,
    waiting: VecDeque<Job>,
    /// True if the last try to seal failed.
    seal_failed: bool,
    /// True if the last try to remove old segments failed.
    limit_failed: bool,
}

impl Worker {
    fn run(mut self, requests: &Receiver<Request>) -> Result<(), Failure> {
        loop {
            let timeout = if self.waiting.is_empty() {
                LIMIT_INTERVAL
            } else {
                RETRY_INTERVAL
            };
            let first = requests.recv_timeout(timeout);
            let is_last = matches!(first, Err(RecvTimeoutError::Disconnected));
            let mut description = None;
            for request in first.into_iter().chain(requests.try_iter()) {
                match request {
                    Request::Seal(job) => self.waiting.push_back(job),
                    Request::Sync(file) => description = Some(file),
                }
            }
            if let Some(Err(error)) = description.map(|file| file.sync_all()) {
                let folder = self.folder.display();
                tell(&format!("{folder}: the description may be lost: {error}"));
            }
            // Remove old segments first, because this makes room on a full disk.
            self.limit();
            while let Some(job) = self.waiting.front() {
                match seal(&self.folder, job, self.clock.now()) {
                    Ok(()) => {
                        self.seal_failed = false;
                        self.waiting.pop_front();
                        self.limit();
                    }
                    Err(failure) if is_last => return Err(failure),
                    Err(failure) => {
                        if !self.seal_failed {
                            tell(&format!("{failure}; trying again"));
                        }
                        self.seal_failed = true;
                        break;
                    }
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Removes segments that the recording may not have any more.
    fn limit(&mut self) {
        let outcome = limit(&self.folder, self.ring, self.clock.now());
        if let Err(error) = &outcome
            && !self.limit_failed
        {
            let folder = self.folder.display();
            tell(&format!(
                "{folder}: cannot remove old segments: {error}; trying again"
            ));
        }
        self.limit_failed = outcome.is_err();
    }
}

/// Turns a tail into a segment. Removes the tail last: readers ignore the Parquet files of
/// a segment while its tail exists.
fn seal(folder: &Path, job: &Job, now: Timestamp) -> Result<(), Failure> {
    let tail = folder.join(sealing_name(job.number));
    let explain = |error: io::Error| Failure::other(format!("{}: {error}", tail.display()));
    let file = match File::open(&tail) {
        // An earlier try sealed it, and could not wait for the disk.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file.map_err(explain)?,
    };
    let lines = Lines::read(file, &job.layouts).map_err(explain)?;
    let damaged_lines = lines.damaged_lines;
    let mut files = Files {
        folder,
        complete: Vec::new(),
    };
    let outcome = lines.write(job, now, &mut files);
    let outcome = outcome.and_then(|()| files.publish().map_err(explain));
    if outcome.is_err() {
        // Parts of a segment would keep a full disk full.
        files.remove();
    }
    outcome?;
    if damaged_lines > 0 {
        tell(&format!(
            "{}: {damaged_lines} damaged lines were set aside",
            tail.display()
        ));
    }
    fs::remove_file(&tail).map_err(explain)
}

/// The lines of a tail.
struct Lines {
    contents: Contents,
    /// The lines that cannot be parsed.
    damaged: Vec<u8>,
    damaged_lines: usize,
}

impl Lines {
    /// Reads all whole lines.
    fn read(file: File, layouts: &[Layout]) -> io::Result<Self> {
        let mut lines = Self {
            contents: Contents::default(),
            damaged: Vec::new(),
            damaged_lines: 0,
        };
        line::read_all(BufReader::new(file), layouts, |piece| match piece.line {
            Ok(Line::Row(layout, row)) => lines.contents.rows.push((layout, row)),
            Ok(Line::Event(event)) => lines.contents.events.push(event),
            Err(_) => {
                lines.damaged.extend_from_slice(piece.text);
                lines.damaged_lines += usize::from(piece.is_begin);
            }
        })?;
        Ok(lines)
    }

    /// Writes the files of a segment.
    fn write(self, job: &Job, now: Timestamp, files: &mut Files<'_>) -> Result<(), Failure> {
        let mut contents = self.contents;
        if self.damaged_lines > 0 {
            let name = damaged_name(job.number);
            let text = format!("{} damaged lines are in {name}", self.damaged_lines);
            files.write(&name, |path| {
                let mut file = File::create(path)?;
                file.write_all(&self.damaged)?;
                file.sync_all()
            })?;
            let end = contents.span().map(|(_, end)| end);
            contents.events.push(Event {
                time: end.unwrap_or(now),
                vm: None,
                kind: EventKind::Lost,
                text,
            });
        }
        let span = contents.span();
        row::sort(&mut contents.rows);
        let mut rows: Vec<Vec<_>> = job.layouts.iter().map(|_| Vec::new()).collect();
        for (place, row) in contents.rows {
            if let Some(rows) = rows.get_mut(place) {
                rows.push((0, row));
            }
        }
        let names = rows_names(job.number, &job.layouts);
        for ((layout, name), rows) in job.layouts.iter().zip(names).zip(rows) {
            if !rows.is_empty() {
                let contents = Contents {
                    layouts: vec![layout.clone()],
                    rows,
                    events: Vec::new(),
                };
                files.write(&name, |path| file::write(path, &contents, span))?;
            }
        }
        let events = Contents {
            events: contents.events,
            ..Contents::default()
        };
        // Every segment has this file, because a reader looks for the segment's span there.
        files.write(&events_name(job.number), |path| {
            file::write(path, &events, span)
        })
    }
}

/// The files of a segment, which appear when all of them are on the disk.
struct Files<'a> {
    folder: &'a Path,
    /// The names of the files that are on the disk.
    complete: Vec<String>,
}

impl Files<'_> {
    /// Writes a file under its temporary name.
    fn write<E: std::fmt::Display>(
        &mut self,
        name: &str,
        write: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<(), Failure> {
        self.complete.push(name.to_owned());
        write(&self.folder.join(temporary_name(name))).map_err(|error| {
            let path = self.folder.join(name);
            Failure::other(format!("{}: {error}", path.display()))
        })
    }

    /// Gives all files their names.
    fn publish(&self) -> io::Result<()> {
        for name in &self.complete {
            fs::rename(
                self.folder.join(temporary_name(name)),
                self.folder.join(name),
            )?;
        }
        File::open(self.folder)?.sync_all()
    }

    /// Removes the files that do not have their names yet.
    fn remove(&self) {
        for name in &self.complete {
            // Fails if the file was not made, or has its name.
            let _ = fs::remove_file(self.folder.join(temporary_name(name)));
        }
    }
}

/// A segment that may be removed.
struct Sealed {
    /// The files. The one with the events is the last, because a segment without it is not
    /// recognized, and its other files would stay for ever.
    files: Vec<PathBuf>,
    bytes: u64,
}

impl Sealed {
    /// Returns the moment of the last row or event, if any file tells it.
    fn end(&self) -> Option<Timestamp> {
        let mut spans = self.files.iter().rev().map(|path| file::span(path));
        spans.find_map(|span| Some(span.ok()??.1))
    }
}

/// Removes the oldest segments, but not the last one.
fn limit(folder: &Path, ring: Ring, now: Timestamp) -> io::Result<()> {
    let length = |path: &Path| match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        metadata => metadata.map(|metadata| metadata.len()),
    };
    let mut total = length(&folder.join(TAIL))?;
    let mut sealed: Vec<Sealed> = Vec::new();
    for (number, segment) in segments(folder)? {
        let files = match segment.sealing {
            Some(lines) => {
                total += length(&lines)?;
                continue;
            }
            None => segment.files,
        };
        let events = folder.join(events_name(number));
        let mut files: Vec<PathBuf> = files.into_iter().filter(|path| *path != events).collect();
        files.push(events);
        let damaged = folder.join(damaged_name(number));
        if damaged.exists() {
            files.insert(0, damaged);
        }
        let sizes = files.iter().map(|path| length(path));
        let bytes = sizes.sum::<io::Result<u64>>()?;
        total += bytes;
        sealed.push(Sealed { files, bytes });
    }
    for (place, segment) in sealed.iter().enumerate() {
        let later = sealed.iter().skip(place);
        let is_last = place + 1 == sealed.len();
        let is_too_large = ring.size.is_some_and(|size| total > size);
        if is_last || !is_too_large && !is_old(later, ring, now) {
            break;
        }
        for path in &segment.files {
            fs::remove_file(path)?;
        }
        total = total.saturating_sub(segment.bytes);
    }
    Ok(())
}

/// Returns whether all rows of the first segment are older than what is kept.
///
/// A segment whose age is unknown is as old as the segment after it: its file may be
/// damaged, or the clock was ahead when it was written. Otherwise nothing would be removed
/// until that moment.
fn is_old<'a>(mut segments: impl Iterator<Item = &'a Sealed>, ring: Ring, now: Timestamp) -> bool {
    let Some(keep) = ring.keep else {
        return false;
    };
    let end = segments.find_map(|segment| segment.end().filter(|end| *end <= now));
    end.is_some_and(|end| now.since(end) > keep)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use qapi_stats::stats::{StatsProvider, StatsSchemaValue, StatsTarget};

    use super::*;
    use crate::recording::line::LINE_BYTES_MAX;
    use crate::recording::line::{write_event, write_row};
    use crate::recording::row::Row;
    use crate::sample::{Object, ObjectId, Stat, Table, Value, Window};

    const SECOND: u64 = 1_000_000_000;

    fn event(seconds: u64) -> Vec<u8> {
        let event = Event {
            time: Timestamp(seconds * SECOND),
            vm: None,
            kind: EventKind::Gone,
            text: String::new(),
        };
        let mut line = Vec::new();
        write_event(&event, &mut line);
        line
    }

    fn layout(provider: &str) -> Layout {
        let table = Table {
            provider: StatsProvider::Unknown(provider.into()),
            target: StatsTarget::Vm,
            stats: vec![Stat::new(StatsSchemaValue::cumulative("exits"))],
        };
        Layout::new(Arc::new(table), 0)
    }

    /// Seals a tail with these lines.
    fn seal_lines(folder: &Path, number: u64, lines: &[u8], layouts: Vec<Layout>) {
        fs::write(folder.join(sealing_name(number)), lines).unwrap();
        seal(folder, &Job { number, layouts }, Timestamp(0)).unwrap();
    }

    /// Seals a segment for each moment, in seconds.
    fn seal_moments(folder: &Path, moments: &[u64]) {
        for (number, moment) in (1..).zip(moments) {
            seal_lines(folder, number, &event(*moment), Vec::new());
        }
    }

    fn numbers(folder: &Path) -> Vec<u64> {
        segments(folder).unwrap().into_keys().collect()
    }

    fn keep(folder: &Path, seconds: u64, now: u64) -> Vec<u64> {
        let ring = Ring {
            keep: Some(Duration::from_secs(seconds)),
            size: None,
        };
        limit(folder, ring, Timestamp(now * SECOND)).unwrap();
        numbers(folder)
    }

    #[test]
    fn old_segments_are_removed_when_one_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        seal_moments(folder.path(), &[10, 20, 30, 40]);
        fs::write(folder.path().join("0001-events.parquet"), "damaged").unwrap();
        assert_eq!(keep(folder.path(), 25, 40), [1, 2, 3, 4]);
        assert_eq!(keep(folder.path(), 15, 40), [3, 4]);
    }

    #[test]
    fn segments_of_a_clock_that_was_ahead_are_removed_with_the_next_ones() {
        let folder = tempfile::tempdir().unwrap();
        seal_moments(folder.path(), &[1_000, 1_001, 10, 20, 30]);
        assert_eq!(keep(folder.path(), 25, 30), [1, 2, 3, 4, 5]);
        assert_eq!(keep(folder.path(), 15, 30), [4, 5]);
    }

    #[test]
    fn segments_are_kept_when_the_clock_is_behind() {
        let folder = tempfile::tempdir().unwrap();
        seal_moments(folder.path(), &[1_000, 1_001, 10]);
        assert_eq!(keep(folder.path(), 5, 11), [1, 2, 3]);
    }

    #[test]
    fn size_counts_lines_that_are_not_sealed() {
        let folder = tempfile::tempdir().unwrap();
        seal_moments(folder.path(), &[10, 20, 30]);
        let ring = Ring {
            keep: None,
            size: Some(64 << 10),
        };
        let now = Timestamp(30 * SECOND);
        limit(folder.path(), ring, now).unwrap();
        assert_eq!(numbers(folder.path()), [1, 2, 3]);
        fs::write(folder.path().join(TAIL), vec![b'x'; 40 << 10]).unwrap();
        let sealing = folder.path().join(sealing_name(4));
        fs::write(sealing, vec![b'x'; 40 << 10]).unwrap();
        limit(folder.path(), ring, now).unwrap();
        assert_eq!(numbers(folder.path()), [3, 4]);
    }

    #[test]
    fn old_segments_are_removed_when_sealing_fails() {
        let folder = tempfile::tempdir().unwrap();
        seal_moments(folder.path(), &[10, 20]);
        let lines = folder.path().join(sealing_name(3));
        fs::write(&lines, event(30)).unwrap();
        // No file can have the name of this folder.
        fs::create_dir(folder.path().join(".new-0003-events.parquet")).unwrap();
        let ring = Ring {
            keep: Some(Duration::from_secs(1)),
            size: None,
        };
        let sealer = Sealer::start(folder.path(), ring, Clock::start()).unwrap();
        sealer.seal(3, Vec::new());
        assert!(sealer.finish().is_err());
        assert!(lines.exists());
        assert_eq!(numbers(folder.path()), [2, 3]);
    }

    #[test]
    fn damaged_lines_are_set_aside_and_the_others_are_sealed() {
        let folder = tempfile::tempdir().unwrap();
        let long = vec![b'x'; LINE_BYTES_MAX + 7];
        let mut lines = event(10);
        lines.extend(b"{\"t0\":1,\n");
        lines.extend(&long);
        lines.push(b'\n');
        lines.extend(event(20));
        lines.extend(b"{\"cut off");
        seal_lines(folder.path(), 1, &lines, Vec::new());
        assert!(!folder.path().join(sealing_name(1)).exists());
        let damaged = fs::read(folder.path().join(damaged_name(1))).unwrap();
        assert_eq!(damaged, [b"{\"t0\":1,\n", long.as_slice(), b"\n"].concat());
        let path = folder.path().join(events_name(1));
        let events = file::read(&path, None).unwrap().events;
        assert_eq!(events.len(), 3);
        assert_eq!(events[2].kind, EventKind::Lost);
        assert_eq!(events[2].text, "2 damaged lines are in 0001-damaged.jsonl");
        assert_eq!(events[2].time, Timestamp(20 * SECOND));
    }

    #[test]
    fn lines_that_cannot_be_read_now_are_kept_for_the_next_try() {
        let folder = tempfile::tempdir().unwrap();
        let lines = folder.path().join(sealing_name(1));
        // Opening a folder works, and reading it fails.
        fs::create_dir(&lines).unwrap();
        let job = Job {
            number: 1,
            layouts: Vec::new(),
        };
        assert!(seal(folder.path(), &job, Timestamp(0)).is_err());
        assert!(lines.exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn providers_with_similar_names_have_files_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let layouts = vec![layout("a-b"), layout("a_b"), layout("a.b")];
        let mut lines = Vec::new();
        for (layout, number) in layouts.iter().zip(1..) {
            let row = Row {
                sample: number,
                vm: "web".into(),
                run: 0,
                object: Object {
                    table: Arc::clone(&layout.table),
                    id: ObjectId::default(),
                    window: Window {
                        begin: Timestamp(number),
                        end: Timestamp(number),
                    },
                    values: vec![Value::Number(number)],
                },
            };
            write_row(&row, layout, &mut lines);
        }
        seal_lines(folder.path(), 1, &lines, layouts);
        let segment = segments(folder.path()).unwrap().remove(&1).unwrap();
        let contents = segment.files.iter().map(|path| file::read(path, None));
        let mut samples: Vec<u64> = contents
            .flat_map(|contents| contents.unwrap().rows)
            .map(|(_, row)| row.sample)
            .collect();
        samples.sort_unstable();
        assert_eq!(samples, [1, 2, 3]);
    }
}

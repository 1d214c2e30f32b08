//! The lines of a recording that are not sealed.
//!
//! In: a file of lines, which a recorder may be extending, renaming or removing. Out: the
//! rows and events that were in it when it was opened, and what could not be read.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::file::Contents;
use super::line::{self, Line};
use super::row::{Event, EventKind, Layout};
use crate::sample::Timestamp;

/// The length of a file. A recorder seals long before.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// A file of lines, as it was when it was opened.
#[derive(Debug)]
pub(super) struct Unsealed {
    path: PathBuf,
    /// Kept open: a recorder that begins another tail renames the file, and removes it
    /// when it is sealed.
    file: File,
    /// The length of the whole lines. Later lines are left out, because the span of the
    /// recording is without them.
    bytes: u64,
    /// The first and the last moment.
    pub(super) span: (Timestamp, Timestamp),
    /// The event that says which lines cannot be read.
    pub(super) damage: Option<Event>,
}

impl Unsealed {
    /// Opens a file. Returns `None` if the file is missing or has no whole line that can be
    /// read.
    ///
    /// # Errors
    ///
    /// Returns the error of reading.
    pub(super) fn open(path: PathBuf, layouts: &[Layout]) -> io::Result<Option<Self>> {
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let length = file.metadata()?.len();
        if length > FILE_BYTES_MAX {
            return Err(io::Error::other(
                "the file is larger than a recorder makes it",
            ));
        }
        let mut span: Option<(Timestamp, Timestamp)> = None;
        let mut damage: Option<Damage> = None;
        let mut bytes = 0;
        // All lines count, because those of a slow monitor are written after later ones.
        line::read_all(reader(&file, length)?, layouts, |piece| {
            bytes += piece.text.len() as u64;
            match piece.line {
                Ok(line) => {
                    let (begin, end) = moments(&line);
                    let (first, last) = span.unwrap_or((begin, end));
                    span = Some((first.min(begin), last.max(end)));
                }
                Err(reason) => {
                    let damage = damage.get_or_insert_with(|| Damage {
                        after: span.map(|(_, last)| last),
                        number: piece.number,
                        reason,
                        lines: 0,
                    });
                    damage.lines += u64::from(piece.is_begin);
                }
            }
        })?;
        Ok(span.map(|span| Self {
            damage: damage.map(|damage| damage.event(&path, span.0)),
            path,
            file,
            bytes,
            span,
        }))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the rows and events. Lines that cannot be read are an event of the kind
    /// [`EventKind::Lost`].
    ///
    /// # Errors
    ///
    /// Returns the error of reading.
    pub(super) fn read(&self, layouts: &[Layout]) -> io::Result<Contents> {
        let mut contents = Contents {
            layouts: layouts.to_vec(),
            ..Contents::default()
        };
        line::read_all(reader(&self.file, self.bytes)?, layouts, |piece| {
            match piece.line {
                Ok(Line::Row(layout, row)) => contents.rows.push((layout, row)),
                Ok(Line::Event(event)) => contents.events.push(event),
                // The damage was noted when the file was opened.
                Err(_) => {}
            }
        })?;
        contents.events.extend(self.damage.clone());
        Ok(contents)
    }
}

/// Lines that cannot be read.
struct Damage {
    /// The last moment before the first of the lines.
    after: Option<Timestamp>,
    /// The number of the first line, and why it cannot be read.
    number: u64,
    reason: String,
    lines: u64,
}

impl Damage {
    fn event(self, path: &Path, begin: Timestamp) -> Event {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let (number, reason) = (self.number, self.reason);
        Event {
            time: self.after.unwrap_or(begin),
            vm: None,
            kind: EventKind::Lost,
            text: match self.lines {
                1 => format!("line {number} of {name} cannot be read: {reason}"),
                lines => {
                    format!("{lines} lines of {name} cannot be read; line {number}: {reason}")
                }
            },
        }
    }
}

/// Returns a reader of the first `bytes` of a file.
fn reader(mut file: &File, bytes: u64) -> io::Result<impl BufRead> {
    file.seek(SeekFrom::Start(0))?;
    Ok(BufReader::new(file.take(bytes)))
}

/// Returns the first and the last moment of a line.
fn moments(line: &Line) -> (Timestamp, Timestamp) {
    match line {
        Line::Row(_, row) => (row.object.window.begin, row.object.window.end),
        Line::Event(event) => (event.time, event.time),
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::{LINE_BYTES_MAX, write_event};
    use super::*;

    fn line(text: &str, time: u64) -> Vec<u8> {
        let event = Event {
            time: Timestamp(time),
            vm: None,
            kind: EventKind::Failed,
            text: text.to_owned(),
        };
        let mut line = Vec::new();
        write_event(&event, &mut line);
        line
    }

    fn texts(lines: &Unsealed) -> Vec<String> {
        let events = lines.read(&[]).unwrap().events;
        events.into_iter().map(|event| event.text).collect()
    }

    #[test]
    fn damaged_lines_cost_only_themselves() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tail.jsonl");
        let long = vec![b'x'; LINE_BYTES_MAX + 1];
        let parts: [&[u8]; 6] = [
            &line("first", 8),
            &long,
            b"\n",
            &line("second", 9),
            b"\0\0\0\n",
            &line("third", 7),
        ];
        std::fs::write(&path, parts.concat()).unwrap();
        let lines = Unsealed::open(path, &[]).unwrap().unwrap();
        assert_eq!(lines.span, (Timestamp(7), Timestamp(9)));
        let damage = "2 lines of tail.jsonl cannot be read; line 2: the line is too long";
        assert_eq!(texts(&lines), ["first", "second", "third", damage]);
        assert_eq!(lines.damage.unwrap().time, Timestamp(8));
    }

    #[test]
    fn lines_are_those_of_the_opening_when_the_recorder_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tail.jsonl");
        let whole = line("first", 7);
        std::fs::write(&path, [&whole[..], &whole[..9]].concat()).unwrap();
        let lines = Unsealed::open(path.clone(), &[]).unwrap().unwrap();
        // The recorder completes the line, seals the file and begins another one.
        std::fs::write(&path, [&whole[..], &whole].concat()).unwrap();
        std::fs::rename(&path, folder.path().join("0001-sealing.jsonl")).unwrap();
        std::fs::write(&path, line("later", 8)).unwrap();
        std::fs::remove_file(folder.path().join("0001-sealing.jsonl")).unwrap();
        assert_eq!(texts(&lines), ["first"]);
    }

    #[test]
    fn file_without_a_whole_line_is_no_part() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tail.jsonl");
        assert!(Unsealed::open(path.clone(), &[]).unwrap().is_none());
        for text in ["", "{\"t0\":1"] {
            std::fs::write(&path, text).unwrap();
            assert!(Unsealed::open(path.clone(), &[]).unwrap().is_none());
        }
    }
}

//! The messages in a log.
//!
//! In: the lines of a log. Out: the JSON objects in it, each with its line. A line may
//! be a message, or have one after other words, as libvirt (`buf={…}`) and qemu.qmp
//! (`--> {`, whose message goes on for several lines) write them.

use std::io::{self, BufRead, Read as _};

use qapi_wire::Document;
use qapi_wire::json::{Limits, Scan, Scanner};

/// The maximum size of a message, and of a line, in a log.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// A part of a log.
#[derive(Debug)]
#[non_exhaustive]
pub enum LogItem {
    /// A JSON object.
    Object {
        /// The line in which the object begins, from 1.
        line: usize,
        /// The text of the object.
        text: Vec<u8>,
        /// The object.
        document: Document,
        /// Whether the object is all that its line begins with, so that it cannot be
        /// a part of another program's message.
        is_alone: bool,
    },
    /// A text that only begins like a message.
    Invalid {
        /// The line, from 1.
        line: usize,
        /// The reason.
        reason: String,
    },
}

/// The reader of a log, which needs no more memory than the largest message.
#[derive(Debug)]
pub struct LogReader<R> {
    log: R,
    /// The current line, and the further lines of its message.
    buffer: Vec<u8>,
    /// The offset in the buffer of what has not been used.
    start: usize,
    /// The offset of the end of the current line.
    line_end: usize,
    /// The number of the current line, from 1.
    line: usize,
    /// The number of lines without a message.
    skipped: usize,
    /// True if nothing of the current line has been used.
    at_begin: bool,
}

impl<R: BufRead> LogReader<R> {
    /// Creates a reader.
    pub fn new(log: R) -> Self {
        Self {
            log,
            buffer: Vec::new(),
            start: 0,
            line_end: 0,
            line: 0,
            skipped: 0,
            at_begin: true,
        }
    }

    /// Returns the number of lines so far that have no message.
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// Returns the next message; `None` at the end of the log.
    ///
    /// # Errors
    ///
    /// Fails if the log cannot be read, or if a line or a message exceeds 64 MiB.
    pub fn next_item(&mut self) -> io::Result<Option<LogItem>> {
        loop {
            if self.start == self.line_end && !self.next_line()? {
                return Ok(None);
            }
            let rest = self
                .buffer
                .get(self.start..self.line_end)
                .unwrap_or_default();
            let Some((at, is_marked)) = begin(rest) else {
                if self.at_begin && !rest.trim_ascii().is_empty() {
                    self.skipped += 1;
                }
                self.start = self.line_end;
                continue;
            };
            let is_alone = self.at_begin && rest.get(..at).is_some_and(is_blank);
            let is_message = is_alone || is_marked;
            self.start += at;
            self.at_begin = false;
            let line = self.line;
            match self.object()? {
                Ok((text, document)) => {
                    return Ok(Some(LogItem::Object {
                        line,
                        text,
                        document,
                        is_alone: is_message,
                    }));
                }
                Err(reason) if is_message => {
                    return Ok(Some(LogItem::Invalid { line, reason }));
                }
                Err(_) => self.skipped += 1,
            }
        }
    }

    /// Moves to the next line, which may be in the buffer already. Returns false at the
    /// end of the log.
    fn next_line(&mut self) -> io::Result<bool> {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
            if self.read_line()? == 0 {
                return Ok(false);
            }
        }
        self.line += 1;
        self.at_begin = true;
        self.line_end = self.end_of_line(self.start);
        Ok(true)
    }

    /// Returns the offset after the line that contains an offset.
    fn end_of_line(&self, offset: usize) -> usize {
        let rest = self.buffer.get(offset..).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == b'\n');
        end.map_or(self.buffer.len(), |end| offset + end + 1)
    }

    /// Appends a line to the buffer. Returns its number of bytes.
    fn read_line(&mut self) -> io::Result<usize> {
        let room = MESSAGE_BYTES_MAX.saturating_sub(self.buffer.len());
        let room = u64::try_from(room).unwrap_or(u64::MAX);
        let mut limited = self.log.by_ref().take(room);
        let count = limited.read_until(b'\n', &mut self.buffer)?;
        if self.buffer.len() >= MESSAGE_BYTES_MAX {
            let message = format!("line {} or its message exceeds 64 MiB", self.line);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        Ok(count)
    }

    /// Takes the object that begins at the current place, and reads further lines until
    /// it ends. The error says what is wrong.
    fn object(&mut self) -> io::Result<Result<(Vec<u8>, Document), String>> {
        let begin_of_object = self.start;
        let mut scanner = Scanner::new(Limits::default());
        loop {
            let unread = self.buffer.get(begin_of_object..).unwrap_or_default();
            match scanner.scan(unread) {
                Scan::Message { end, .. } => {
                    let text = unread.get(..end).unwrap_or_default().to_vec();
                    self.pass(begin_of_object + end);
                    return Ok(match Document::parse(&text) {
                        Ok(document) => Ok((text, document)),
                        Err(error) => Err(error.desc().to_owned()),
                    });
                }
                Scan::Invalid { end, error } => {
                    // The rest of the line is a part of what is wrong.
                    self.pass(begin_of_object + end);
                    self.start = self.line_end;
                    return Ok(Err(error.desc().to_owned()));
                }
                Scan::Incomplete => {}
            }
            let before = self.buffer.len();
            let is_end = self.read_line()? == 0;
            let next = self.buffer.get(before..).unwrap_or_default();
            // A message that is written over several lines is indented, so that another
            // message follows one that was cut off.
            if is_end
                || next.first() == Some(&b'{')
                || begin(next).is_some_and(|(_, marked)| marked)
            {
                self.pass(before);
                return Ok(Err("the message has no end".to_owned()));
            }
        }
    }

    /// Moves to an offset of the buffer, over the lines before it.
    fn pass(&mut self, offset: usize) {
        while offset > self.line_end {
            self.start = self.line_end;
            self.line_end = self.end_of_line(self.start);
            self.line += 1;
        }
        self.start = offset;
    }
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_whitespace)
}

/// Returns where a JSON object begins in a line, and whether the words before it say
/// that it is a message.
fn begin(line: &[u8]) -> Option<(usize, bool)> {
    const MARKS: [&[u8]; 8] = [
        b"buf=", b"reply=", b"event=", b"msg=", b"--> ", b"<-- ", b"-> ", b"<- ",
    ];
    let opens = line.iter().enumerate().filter(|(_, byte)| **byte == b'{');
    for (at, _) in opens {
        let after = line.get(at + 1..).unwrap_or_default();
        let next = after.iter().find(|byte| !byte.is_ascii_whitespace());
        if matches!(next, None | Some(b'"' | b'\'' | b'}')) {
            let before = line.get(..at).unwrap_or_default();
            return Some((at, MARKS.iter().any(|mark| before.ends_with(mark))));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may stop at the first surprise")]

    use super::*;

    fn items(log: &str) -> (Vec<String>, usize) {
        let mut reader = LogReader::new(log.as_bytes());
        let mut items = Vec::new();
        while let Some(item) = reader.next_item().unwrap() {
            items.push(match item {
                LogItem::Object { line, text, .. } => {
                    format!("{line} {}", String::from_utf8(text).unwrap())
                }
                LogItem::Invalid { line, reason } => format!("{line} invalid: {reason}"),
            });
        }
        (items, reader.skipped())
    }

    #[test]
    fn messages_are_found_in_logs_of_libvirt_and_qemu_qmp() {
        let log = "2026-01-01 12:00:00.000+0000: 7: info : QEMU_MONITOR_IO_WRITE: mon=0x1 \
                   buf={\"execute\":\"stop\",\"id\":\"libvirt-1\"}\n len=41 ret=41 errno=0\n\
                   plain words { and } brackets\n\
                   DEBUG:qemu.qmp: --> {\n  \"execute\": \"cont\"\n}\n\
                   {\"return\": {}} {\"event\": \"STOP\"}\n";
        let (items, skipped) = items(log);
        assert_eq!(
            items,
            [
                "1 {\"execute\":\"stop\",\"id\":\"libvirt-1\"}",
                "4 {\n  \"execute\": \"cont\"\n}",
                "7 {\"return\": {}}",
                "7 {\"event\": \"STOP\"}",
            ]
        );
        assert_eq!(skipped, 2);
    }

    #[test]
    fn message_that_is_cut_off_hides_no_other() {
        for broken in [
            "main() {\n",
            "x {\"a\":\n",
            "--> {\"a\":\n",
            "{\"a\": [\n 1,\n",
        ] {
            let log = format!("{broken}{{\"execute\": \"a\"}}\n{{\"event\": \"B\"}}\n");
            let (items, _) = items(&log);
            let found = items.iter().filter(|item| !item.contains("invalid"));
            let line = broken.lines().count() + 1;
            let expected = [
                format!("{line} {{\"execute\": \"a\"}}"),
                format!("{} {{\"event\": \"B\"}}", line + 1),
            ];
            assert_eq!(found.cloned().collect::<Vec<_>>(), expected, "{broken}");
        }
    }

    #[test]
    fn many_messages_in_a_line_take_time_in_proportion() {
        let (items, _) = items(&"{\"event\": \"A\"} ".repeat(200_000));
        assert_eq!(items.len(), 200_000);
    }

    #[test]
    fn text_that_begins_like_a_message_and_is_none_is_told() {
        let (items, _) = items("{\"execute\": }\n--> {\"a\": [1,\n");
        assert!(items[0].starts_with("1 invalid: "), "{items:?}");
        assert!(
            items[1].starts_with("2 invalid: the message has no end"),
            "{items:?}"
        );
    }
}

//! The text of one packet.
//!
//! In: bytes from a peer that is not trusted, and the number of files with them. Out:
//! statements, each with the index of its file, or the line that is wrong. This file
//! does no I/O, and allocates only the list of statements.

use std::fmt;
use std::ops::Range;

use crate::grammar::{
    Fault, PACKET_FILES_MAX, PACKET_SIZE_MAX, VCPU_INDEX_MAX, VERSION, check_name, check_path,
    check_provider, check_uuid,
};

/// The most characters of a peer's text in an error.
const EXCERPT_CHARS_MAX: usize = 60;

/// The statements of one packet. A receiver applies all of them, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message<'a> {
    /// The statements in their order.
    pub statements: Vec<Statement<'a>>,
    /// True if the state is complete with this packet. If false, more packets follow,
    /// and the receiver shows nothing of the VM until the last of them.
    pub is_complete: bool,
}

/// One line of a packet. A file is an index into the packet's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Statement<'a> {
    /// The VM's name.
    Name(&'a str),
    /// The VM's UUID, in the sender's letter case.
    Uuid(&'a str),
    /// The VM's process, if it is not the sender.
    Process {
        /// A pidfd.
        file: usize,
    },
    /// The VM's statistics.
    Vm {
        /// A file of KVM's, or a sealed memfd.
        file: usize,
    },
    /// The statistics of a vCPU.
    Vcpu {
        /// The VMM's index, at most [`VCPU_INDEX_MAX`].
        index: u32,
        /// The path of its object.
        path: &'a str,
        /// A file of KVM's, or a sealed memfd.
        file: usize,
    },
    /// The statistics of another object.
    Object {
        /// The name of the provider and of the target.
        provider: &'a str,
        /// The path of the object.
        path: &'a str,
        /// A sealed memfd.
        file: usize,
    },
    /// The VM's statistics are gone.
    RemoveVm,
    /// A vCPU is gone.
    RemoveVcpu {
        /// The VMM's index.
        index: u32,
    },
    /// Another object is gone.
    RemoveObject {
        /// The name of the provider.
        provider: &'a str,
        /// The path of the object.
        path: &'a str,
    },
}

impl<'a> Message<'a> {
    /// Parses the text of a packet that came with `files` files.
    ///
    /// # Errors
    ///
    /// Returns the line that is not valid, and the reason. The receiver closes the
    /// connection then.
    pub fn parse(text: &'a [u8], files: usize) -> Result<Self, ParseError> {
        let mut parser = Parser {
            line: 1,
            files: 0..files,
            seen: Seen::default(),
            message: Message {
                statements: Vec::new(),
                is_complete: true,
            },
        };
        match parser.packet(text) {
            Ok(()) => Ok(parser.message),
            Err(fault) => Err(ParseError {
                line: parser.line,
                fault,
            }),
        }
    }
}

/// Statements that a packet has once.
#[derive(Debug, Default)]
struct Seen {
    name: bool,
    uuid: bool,
    process: bool,
}

struct Parser<'a> {
    /// The number of the current line, from 1.
    line: usize,
    /// The files that no statement has taken.
    files: Range<usize>,
    seen: Seen,
    message: Message<'a>,
}

impl<'a> Parser<'a> {
    fn packet(&mut self, text: &'a [u8]) -> Result<(), ParseFault> {
        if text.len() > PACKET_SIZE_MAX {
            return Err(ParseFault::TooLong { size: text.len() });
        }
        if self.files.len() > PACKET_FILES_MAX {
            let count = self.files.len();
            return Err(ParseFault::TooManyFiles { count });
        }
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\n").ok_or(ParseFault::Unterminated)?;
            let line = str::from_utf8(line).map_err(|_| ParseFault::NotUtf8)?;
            if self.line == 1 {
                version(line)?;
            } else if !self.message.is_complete {
                return Err(ParseFault::AfterMore);
            } else if line == "more" {
                self.message.is_complete = false;
            } else {
                let statement = self.statement(line)?;
                self.message.statements.push(statement);
            }
            self.line += 1;
        }
        if self.line == 1 {
            return version("");
        }
        if self.files.is_empty() {
            return Ok(());
        }
        self.line -= 1;
        let count = self.files.len();
        Err(ParseFault::FilesLeft { count })
    }

    fn statement(&mut self, line: &'a str) -> Result<Statement<'a>, ParseFault> {
        let (word, fields) = match line.split_once(' ') {
            Some((word, fields)) => (word, Some(fields)),
            None => (line, None),
        };
        match (word, fields) {
            ("name", Some(text)) => {
                once(&mut self.seen.name, "name")?;
                field("name", text, check_name).map(Statement::Name)
            }
            ("uuid", Some(text)) => {
                once(&mut self.seen.uuid, "uuid")?;
                field("uuid", text, check_uuid).map(Statement::Uuid)
            }
            ("process", None) => {
                once(&mut self.seen.process, "process")?;
                let file = self.file()?;
                Ok(Statement::Process { file })
            }
            ("vm", None) => {
                let file = self.file()?;
                Ok(Statement::Vm { file })
            }
            ("vcpu", Some(fields)) => {
                let (index, path) = two(fields, line)?;
                let index = vcpu_index(index)?;
                let path = field("path", path, check_path)?;
                let file = self.file()?;
                Ok(Statement::Vcpu { index, path, file })
            }
            ("object", Some(fields)) => {
                let (provider, path) = object(fields, line)?;
                let file = self.file()?;
                Ok(Statement::Object {
                    provider,
                    path,
                    file,
                })
            }
            ("remove", Some(fields)) => removal(fields, line),
            _ => Err(unknown(line)),
        }
    }

    fn file(&mut self) -> Result<usize, ParseFault> {
        self.files.next().ok_or(ParseFault::NoFile)
    }
}

fn version(line: &str) -> Result<(), ParseFault> {
    if line == VERSION {
        return Ok(());
    }
    let found = excerpt(line);
    Err(ParseFault::Version { found })
}

fn removal<'a>(fields: &'a str, line: &str) -> Result<Statement<'a>, ParseFault> {
    match fields.split_once(' ') {
        None if fields == "vm" => Ok(Statement::RemoveVm),
        Some(("vcpu", index)) => {
            let index = vcpu_index(index)?;
            Ok(Statement::RemoveVcpu { index })
        }
        Some(("object", fields)) => {
            let (provider, path) = object(fields, line)?;
            Ok(Statement::RemoveObject { provider, path })
        }
        _ => Err(unknown(line)),
    }
}

fn object<'a>(fields: &'a str, line: &str) -> Result<(&'a str, &'a str), ParseFault> {
    let (provider, path) = two(fields, line)?;
    let provider = field("provider", provider, check_provider)?;
    let path = field("path", path, check_path)?;
    Ok((provider, path))
}

fn two<'a>(fields: &'a str, line: &str) -> Result<(&'a str, &'a str), ParseFault> {
    fields.split_once(' ').ok_or_else(|| unknown(line))
}

fn unknown(line: &str) -> ParseFault {
    let line = excerpt(line);
    ParseFault::Statement { line }
}

fn once(seen: &mut bool, statement: &'static str) -> Result<(), ParseFault> {
    if std::mem::replace(seen, true) {
        return Err(ParseFault::Repeated { statement });
    }
    Ok(())
}

fn field<'a>(
    name: &'static str,
    text: &'a str,
    check: impl FnOnce(&str) -> Result<(), Fault>,
) -> Result<&'a str, ParseFault> {
    match check(text) {
        Ok(()) => Ok(text),
        Err(fault) => Err(ParseFault::Field {
            field: name,
            text: excerpt(text),
            fault,
        }),
    }
}

/// Reads an index: decimal digits, without zeros before them.
fn vcpu_index(text: &str) -> Result<u32, ParseFault> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain = text == "0" || !text.starts_with('0');
    let number = text.parse().ok().filter(|_| is_number && is_plain);
    match number {
        Some(index) if index <= VCPU_INDEX_MAX => Ok(index),
        _ => Err(ParseFault::Index {
            text: excerpt(text),
        }),
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(EXCERPT_CHARS_MAX).collect()
}

/// A packet whose text is not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseError {
    /// The number of the line, from 1.
    pub line: usize,
    /// The reason.
    pub fault: ParseFault,
}

/// The reason why a packet's text is not valid. Texts are the peer's, shortened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseFault {
    /// The text is longer than [`PACKET_SIZE_MAX`].
    TooLong {
        /// The number of bytes.
        size: usize,
    },
    /// The packet has more files than [`PACKET_FILES_MAX`].
    TooManyFiles {
        /// The number of files.
        count: usize,
    },
    /// The last line has no end.
    Unterminated,
    /// The line is not UTF-8.
    NotUtf8,
    /// The first line is not that of this version.
    Version {
        /// The line.
        found: String,
    },
    /// The line is not a statement of this version.
    Statement {
        /// The line.
        line: String,
    },
    /// A field is not valid.
    Field {
        /// The field.
        field: &'static str,
        /// The text.
        text: String,
        /// The reason.
        fault: Fault,
    },
    /// A vCPU's index is not a number, or exceeds [`VCPU_INDEX_MAX`].
    Index {
        /// The text.
        text: String,
    },
    /// The packet has a statement twice that it may have once.
    Repeated {
        /// The statement.
        statement: &'static str,
    },
    /// A line follows `more`.
    AfterMore,
    /// The statement needs a file, and all files are taken.
    NoFile,
    /// Files are left that no statement takes.
    FilesLeft {
        /// The number of files.
        count: usize,
    },
}

impl fmt::Display for ParseFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { size } => write!(
                f,
                "the packet has {size} bytes of text; at most {PACKET_SIZE_MAX} are allowed"
            ),
            Self::TooManyFiles { count } => write!(
                f,
                "the packet has {count} files; at most {PACKET_FILES_MAX} are allowed"
            ),
            Self::Unterminated => f.write_str("the last line has no end"),
            Self::NotUtf8 => f.write_str("the line is not UTF-8"),
            Self::Version { found } => write!(
                f,
                "the packet begins with {found:?} instead of {VERSION:?}, the only version known \
                 here"
            ),
            Self::Statement { line } => write!(f, "{line:?} is not a statement of {VERSION}"),
            Self::Field { field, text, fault } => write!(f, "the {field} {text:?} {fault}"),
            Self::Index { text } => write!(
                f,
                "the index {text:?} of a vCPU is not a decimal number from 0 to {VCPU_INDEX_MAX}"
            ),
            Self::Repeated { statement } => {
                write!(f, "the packet has the statement {statement:?} twice")
            }
            Self::AfterMore => f.write_str("a line follows \"more\", which must be the last one"),
            Self::NoFile => f.write_str("no file is left for the statement"),
            Self::FilesLeft { count } => {
                write!(f, "files without a statement: {count}")
            }
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.fault)
    }
}

impl std::error::Error for ParseError {}

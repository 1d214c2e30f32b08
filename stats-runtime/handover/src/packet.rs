//! One packet on its way out.
//!
//! In: lines with their files. Out: one sendmsg(2), without an allocation and without
//! waiting. This file knows no statement.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;

use rustix::cmsg_space;
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use crate::grammar::{PACKET_FILES_MAX, PACKET_SIZE_MAX};

const VERSION_LINE: &str = "stats-handover/1\n";
const MORE_LINE: &str = "more\n";
/// The lines of a packet that has a file in every statement: the version, the name,
/// the UUID and `more`.
const LINES_MAX: usize = PACKET_FILES_MAX + 4;

/// A packet that is being filled. The lines stay where they are: the kernel gathers
/// them.
pub(crate) struct OutgoingPacket<'a> {
    socket: BorrowedFd<'a>,
    lines: [IoSlice<'a>; LINES_MAX],
    line_count: usize,
    size: usize,
    files: [BorrowedFd<'a>; PACKET_FILES_MAX],
    file_count: usize,
}

impl<'a> OutgoingPacket<'a> {
    /// Makes a packet with the line of the version.
    pub(crate) fn new(socket: BorrowedFd<'a>) -> Self {
        let mut packet = Self {
            socket,
            lines: [IoSlice::new(&[]); LINES_MAX],
            line_count: 0,
            size: 0,
            // Any descriptor is as good as another here: only the first `file_count` are
            // sent.
            files: [socket; PACKET_FILES_MAX],
            file_count: 0,
        };
        packet.text(VERSION_LINE);
        packet
    }

    /// Adds text without a file.
    pub(crate) fn text(&mut self, text: &'a str) {
        if let Some(place) = self.lines.get_mut(self.line_count) {
            *place = IoSlice::new(text.as_bytes());
            self.line_count += 1;
            self.size += text.len();
        }
    }

    /// Adds a statement with its file. If the packet is full, sends the packet first and
    /// begins another.
    pub(crate) fn statement(&mut self, line: &'a str, file: BorrowedFd<'a>) -> Result<(), Errno> {
        let is_full = self.file_count == PACKET_FILES_MAX
            || self.size + line.len() + MORE_LINE.len() > PACKET_SIZE_MAX;
        if is_full {
            self.text(MORE_LINE);
            self.send()?;
            *self = Self::new(self.socket);
        }
        self.text(line);
        if let Some(place) = self.files.get_mut(self.file_count) {
            *place = file;
            self.file_count += 1;
        }
        Ok(())
    }

    /// Sends the packet.
    ///
    /// The call does not wait, because a receiver that does not read must not keep a VM
    /// from starting.
    pub(crate) fn send(&self) -> Result<(), Errno> {
        let lines = self.lines.get(..self.line_count).unwrap_or_default();
        let files = self.files.get(..self.file_count).unwrap_or_default();
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let sent = retry_on_intr(|| {
            let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(PACKET_FILES_MAX))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !files.is_empty() && !control.push(SendAncillaryMessage::ScmRights(files)) {
                return Err(Errno::NOBUFS);
            }
            sendmsg(self.socket, lines, &mut control, flags)
        })?;
        // A packet is sent whole; a socket of another type may have sent a part.
        if sent == self.size {
            Ok(())
        } else {
            Err(Errno::PROTOTYPE)
        }
    }
}

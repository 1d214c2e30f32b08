//! The report of an inspector about a connection.
//!
//! In: a line of text. Out: the report, or the line of a report. This file knows no
//! socket.

use std::fmt;

use kvm_stats::FileKind;

/// The kind of a file that the host may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::host) enum Claim {
    /// The statistics of a VM, from KVM.
    Vm,
    /// The statistics of a vCPU, from KVM.
    Vcpu,
    /// Memory whose length is sealed.
    Sealed,
    /// A process.
    Process,
}

impl Claim {
    const ALL: [(Self, char); 4] = [
        (Self::Vm, 'v'),
        (Self::Vcpu, 'c'),
        (Self::Sealed, 's'),
        (Self::Process, 'p'),
    ];

    /// Returns the kind of a file with statistics or sealed memory. Returns `None` for any
    /// other file.
    pub(super) fn of(kind: FileKind) -> Option<Self> {
        match kind {
            FileKind::VmStats => Some(Self::Vm),
            FileKind::VcpuStats(_) => Some(Self::Vcpu),
            FileKind::Sealed => Some(Self::Sealed),
            _ => None,
        }
    }

    /// Returns the kind of any other file, by its link in `/proc/self/fd`. Returns `None` if
    /// the host may not keep the file.
    pub(super) fn of_link(link: &str) -> Option<Self> {
        // The first spelling is that of kernels before 6.9.
        let is_process = link == "anon_inode:[pidfd]" || link.starts_with("pidfd:[");
        is_process.then_some(Self::Process)
    }

    /// Returns the kind in words.
    pub(in crate::host) fn describe(self) -> &'static str {
        match self {
            Self::Vm => "the statistics of a VM",
            Self::Vcpu => "the statistics of a vCPU",
            Self::Sealed => "memory with a sealed length",
            Self::Process => "a process",
        }
    }

    fn letter(self) -> char {
        let found = Self::ALL.into_iter().find(|(claim, _)| *claim == self);
        found.map_or('?', |(_, letter)| letter)
    }

    fn from_letter(letter: char) -> Option<Self> {
        let found = Self::ALL.into_iter().find(|(_, other)| *other == letter);
        found.map(|(claim, _)| claim)
    }
}

/// The outcome of a look at a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// No packet has come.
    Nothing,
    /// The VMM has closed the connection.
    End,
    /// The packet is not for the host. The reason follows.
    Refused(String),
    /// A file of the packet cannot be closed, so the inspector cannot go on.
    Stuck {
        /// The sender's user; `None` if it is not known.
        uid: Option<u32>,
        /// The reason.
        reason: String,
    },
    /// A packet follows, whose files are of these kinds.
    Packet {
        /// The sender's process, or 0 if it is not visible from here.
        pid: u32,
        /// The sender's user.
        uid: u32,
        /// The kinds of the files, in their order.
        claims: Vec<Claim>,
    },
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::End => f.write_str("end"),
            Self::Refused(reason) => write!(f, "refused {reason}"),
            Self::Stuck { uid, reason } => match uid {
                Some(uid) => write!(f, "stuck {uid} {reason}"),
                None => write!(f, "stuck - {reason}"),
            },
            Self::Packet { pid, uid, claims } => {
                write!(f, "packet {pid} {uid} ")?;
                claims
                    .iter()
                    .try_for_each(|claim| write!(f, "{}", claim.letter()))
            }
        }
    }
}

impl Report {
    /// Reads a report; `None` if the line is not one.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        match kind {
            "nothing" => Some(Self::Nothing),
            "end" => Some(Self::End),
            "refused" => Some(Self::Refused(rest.to_owned())),
            "stuck" => {
                let (uid, reason) = rest.split_once(' ')?;
                let uid = if uid == "-" {
                    None
                } else {
                    Some(uid.parse().ok()?)
                };
                let reason = reason.to_owned();
                Some(Self::Stuck { uid, reason })
            }
            "packet" => {
                let mut fields = rest.splitn(3, ' ');
                let pid = fields.next()?.parse().ok()?;
                let uid = fields.next()?.parse().ok()?;
                let claims = fields.next()?.chars().map(Claim::from_letter);
                let claims = claims.collect::<Option<_>>()?;
                Some(Self::Packet { pid, uid, claims })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_is_read_as_it_was_written() {
        for report in [
            Report::Nothing,
            Report::End,
            Report::Refused("file 1 is a pipe".to_owned()),
            Report::Stuck {
                uid: None,
                reason: String::new(),
            },
            Report::Stuck {
                uid: Some(107),
                reason: "file 1 is /a b".to_owned(),
            },
            Report::Packet {
                pid: 0,
                uid: 107,
                claims: Claim::ALL.map(|(claim, _)| claim).to_vec(),
            },
            Report::Packet {
                pid: 7,
                uid: 0,
                claims: Vec::new(),
            },
        ] {
            assert_eq!(Report::parse(&report.to_string()), Some(report));
        }
        for line in ["", "packet", "packet 1 2", "packet 1 2 x", "Nothing"] {
            assert_eq!(Report::parse(line), None, "{line}");
        }
    }

    #[test]
    fn file_is_kept_when_its_kind_is_known() {
        assert_eq!(Claim::of(FileKind::Other), None);
        let other = Claim::of_link;
        assert_eq!(other("anon_inode:[pidfd]"), Some(Claim::Process));
        assert_eq!(other("pidfd:[4026]"), Some(Claim::Process));
        for link in [
            "/pidfd:[1]",
            "pipe:[1]",
            "/dev/null",
            "anon_inode:[eventfd]",
        ] {
            assert_eq!(other(link), None, "{link}");
        }
        assert_eq!(Claim::of(FileKind::VcpuStats(3)), Some(Claim::Vcpu));
    }
}

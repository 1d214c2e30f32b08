//! The receiver's side: packets from a socket, and what they say.
//!
//! In: a socket whose peer is not trusted. Out: text, files and the sender of each
//! packet; statements. This module never looks at a file: pass each file to
//! [`kvm_stats::identify`] before any other use of the file.
//!
//! ```no_run
//! use std::os::fd::AsFd;
//! use kvm_stats::{FileKind, identify};
//! use stats_handover::receive::{Message, Packet, Statement, prepare};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let socket = std::fs::File::open("/dev/null")?;
//! prepare(socket.as_fd())?; // or the listener: a connection inherits it
//! while let Some(packet) = Packet::receive(socket.as_fd())? {
//!     let message = Message::parse(&packet.text, packet.files.len())?;
//!     for statement in &message.statements {
//!         if let Statement::Vcpu { index, path, file } = statement {
//!             let kind = packet.files.get(*file).map(identify).transpose()?;
//!             println!("{path}: vCPU {index}: {kind:?}");
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod message;
mod packet;

pub use self::message::{Message, ParseError, ParseFault, Statement};
pub use self::packet::{Packet, ReceiveError, peek_sender, prepare};
pub use crate::sys::Sender;

//! The messages of the protocol: a server's as a client reads them, and requests
//! and events as they are written.
//!
//! In: bytes as they arrive, or typed values. Out: one [`Message`] after the
//! other, or lines. No socket, no clock, no schema: only the caller, who knows
//! what was asked, can decode what a reply or an event means.
//!
//! Members that the protocol's specification does not have (QEMU's
//! `docs/interop/qmp-spec`) are ignored, and unknown classes of errors and names
//! of events are kept, because the peer may be newer.

mod read;
mod timestamp;
mod write;

pub use read::{ErrorReply, EventMessage, Greeting, InvalidMessage, Message, Messages, Return};
pub use timestamp::Timestamp;
pub use write::{write_event, write_oob_request, write_request};

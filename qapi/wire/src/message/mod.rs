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

mod id;
mod read;
mod reply;
mod timestamp;
mod write;

pub use id::{RequestId, RequestIds};
pub use read::{EventMessage, Greeting, InvalidMessage, Message, Messages};
pub use reply::{ErrorReply, Outcome, Reply, Return};
pub use timestamp::Timestamp;
pub use write::{write_event, write_oob_request, write_request};

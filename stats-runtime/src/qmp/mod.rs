//! QMP, QEMU's monitor protocol, without I/O.
//!
//! In: bytes from a client, outcomes of commands, events. Out: commands to
//! execute, and bytes for the client. See QEMU's `docs/interop/qmp-spec`.
//!
//! No sockets, no threads, no clock: [`Session`] can be driven by any event
//! loop.

mod limits;
mod reply;
mod request;
mod session;

pub use limits::Limits;
pub use qapi_stats::wire::message::Timestamp;
#[cfg(feature = "server")]
pub(crate) use reply::begin_granted as begin_reply;
pub use request::Arguments;
pub use session::{Command, Session, Ticket};

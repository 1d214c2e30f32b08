//! HMP, the human monitor: lines in, text out.
//!
//! In: a command line. Out: text for people, whose lines end with CR LF. The
//! meaning of a line and the form of its answer are QEMU's.

mod args;
mod dispatch;
mod line;
mod machine;
mod render;
#[cfg(feature = "server")]
mod socket;
mod state;
mod statistics;
mod table;

pub use line::{LINE_BYTES_MAX, LineMonitor};
#[cfg(feature = "server")]
pub use socket::LineServer;
pub use state::HmpState;

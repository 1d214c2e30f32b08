//! HMP, the human monitor: lines in, text out.
//!
//! In: a command line. Out: text for people, whose lines end with CR LF. The
//! meaning of a line and the form of its answer are QEMU's.

mod args;
mod dispatch;
mod line;
mod machine;
mod render;
mod state;
mod statistics;
mod table;

pub use line::{LINE_BYTES_MAX, LineMonitor};
pub use state::HmpState;

//! Where samples come from.
//!
//! In: addresses of monitors, globs and folders of their sockets. Out: samples of each
//! virtual machine, as they are read. This room prints nothing and computes no rate.

mod discovery;
mod fleet;
mod monitor;
mod process;
mod steal;

pub use discovery::Place;
pub use fleet::{Connected, Event, Fleet, FleetOptions, Update, Vm, raise_file_limit};
pub use monitor::Monitor;
pub use process::Peer;
pub use steal::{PROVIDER as SCHED, RUN, RUN_DELAY};

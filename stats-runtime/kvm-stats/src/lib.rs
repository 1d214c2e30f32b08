//! KVM's binary statistics (`KVM_CAP_BINARY_STATS_FD`, Linux 5.14 and later): files
//! in the kernel's format, opened, read, checked and written.
//!
//! A statistics file describes itself: which statistics a VM or vCPU has, their
//! kinds, units and places. This crate needs no list of names and passes on whatever
//! a kernel has. It knows no VMM, no protocol and no other crate's types.
//!
//! - [`open`]: the ioctl, for the fd of a VM or vCPU from any crate.
//! - [`identify`]: the kind of a file that another process gave.
//! - [`Stats`]: an open file; one `pread` reads all its values.
//! - [`Writer`]: the same format in a sealed memfd, for the counters of any other
//!   component: readers of KVM's files read them, too.
//! - [`Image`], [`record`]: whole files, copied.
//! - [`warnings`]: the checks of the kernel's own test.
//!
//! ```no_run
//! use kvm_stats::{Stats, open};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let vcpu = std::fs::File::open("/dev/null")?;
//! // Before the vCPU runs for the first time: the ioctl waits for a running one.
//! let stats = Stats::new(open(&vcpu)?)?;
//! let exits = stats.find("exits").ok_or("this kernel counts no exits")?;
//! let mut values = stats.buffer();
//! stats.read(&mut values)?;
//! println!("{}", values[exits][0]);
//! # Ok(())
//! # }
//! ```

#[cfg(not(target_os = "linux"))]
compile_error!(
    "kvm-stats reads files of Linux's KVM: depend on it with \
     [target.'cfg(target_os = \"linux\")'.dependencies]"
);

mod data_block;
mod error;
mod format;
mod identify;
mod image;
mod image_builder;
mod kernel;
mod layout;
mod open;
mod read;
mod requests;
mod selftest;
mod stats;
mod sys;
mod writer;

pub use data_block::DataBlock;
pub use error::{Block, Error, LayoutError};
pub use format::{Base, Kind, NAME_SIZE_MAX, NUM_DESC_MAX, Unit, VALUES_MAX};
pub use identify::{FileKind, identify};
pub use image::{IMAGE_SIZE_MAX, Image, record};
pub use image_builder::{ImageBuilder, ImageStat};
pub use kernel::keeps_vm_alive;
pub use layout::{Header, Layout, Statistic};
pub use open::{open, supports};
pub use requests::{KVM_CAP_BINARY_STATS_FD, KVM_CHECK_EXTENSION, KVM_GET_STATS_FD};
pub use selftest::{Warning, warnings};
pub use stats::{Index, Stats, Values, read_descriptors};
pub use sys::open_unchecked;
pub use writer::{Counter, Writer, WriterBuilder};

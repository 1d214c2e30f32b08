//! What the VMM tells the monitor about itself, and lets it do.
//!
//! In: the monitor's questions. Out: the VMM's answers. A trait, no wire.

use qapi::control::{VersionInfo, VersionTriple};
use qapi::wire::Error;

/// A virtual machine as its monitor sees it.
///
/// Every method may be called from any thread, and from several at once. The
/// defaults suit a VMM that has nothing to say.
pub trait Host: Send + Sync {
    /// The version in the greeting and in `query-version`. Clients compare it
    /// with QEMU's: the default says what release of QEMU the statistics
    /// interface is that of.
    fn version(&self) -> VersionInfo {
        VersionInfo {
            qemu: VersionTriple {
                major: 10,
                minor: 2,
                micro: 0,
            },
            package: concat!("stats-runtime ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    /// The name that the operator gave the VM.
    fn name(&self) -> Option<String> {
        None
    }

    /// The vCPUs, in the order of their indexes.
    fn vcpus(&self) -> Vec<Vcpu> {
        Vec::new()
    }

    /// The client asks the program to end. Return soon: the answer is sent
    /// when this has returned.
    ///
    /// # Errors
    ///
    /// The error reply, if the program cannot or will not end.
    fn quit(&self) -> Result<(), Error> {
        Err(Error::generic("This monitor cannot end the program"))
    }
}

/// A vCPU as its monitor sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vcpu {
    /// Its number.
    pub index: u64,
    /// Its QOM path, the same as its statistics have.
    pub qom_path: String,
}

/// A VMM that has nothing to say, with no vCPU.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHost;

impl Host for NoHost {}

//! What the VMM tells the monitor about itself, and lets it do.
//!
//! In: the monitor's questions. Out: the VMM's answers. A trait, no wire.

use qapi_stats::control::{VersionInfo, VersionTriple};
use qapi_stats::machine::{CpuInstanceProperties, KvmInfo, SysEmuTarget};
use qapi_stats::run_state::RunState;
use qapi_stats::wire::Error;

/// A virtual machine as its monitor sees it.
///
/// Every method may be called from any thread, and from several at once, with
/// nothing locked; but a [`stop`](Self::stop) or [`cont`](Self::cont) only when
/// the one before has returned, so that their events come in the order of the
/// changes. These two may not execute commands of the monitor that do the same.
/// The defaults suit a VMM that has nothing to say and lets
/// nobody do anything.
///
/// What clients may *do* is refused by the [`Monitor`](crate::Monitor) before
/// it comes here, unless it was given
/// [control](crate::Monitor::with_control). Events that tell of it (STOP,
/// RESUME, POWERDOWN, SHUTDOWN) are the monitor's to emit; of what happens
/// without a client the VMM tells with [`Monitor::emit`](crate::Monitor::emit).
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

    /// The VM's UUID, in RFC 9562's text form with lower-case digits; to
    /// clients, none is all zeros, as in QEMU.
    fn uuid(&self) -> Option<String> {
        None
    }

    /// What the VM is doing.
    fn run_state(&self) -> RunState {
        RunState::Running
    }

    /// Whether KVM executes the VM, and could. `None` leaves it to the monitor,
    /// which says yes if a provider of KVM's statistics is registered.
    fn kvm(&self) -> Option<KvmInfo> {
        None
    }

    /// The processor that the VM has. The default is that of this program.
    fn target(&self) -> SysEmuTarget {
        let target = match std::env::consts::ARCH {
            "x86" => "i386",
            "powerpc64" => "ppc64",
            other => other,
        };
        let Ok(target) = target.parse();
        target
    }

    /// The vCPUs, in the order of their indexes.
    fn vcpus(&self) -> Vec<Vcpu> {
        Vec::new()
    }

    /// The type of the object `/machine`: for clients that look at the tree of
    /// objects. QEMU's are called `pc-q35-10.2-machine`, for example; the
    /// default is the name of what they all are.
    fn machine_type(&self) -> String {
        "machine".to_owned()
    }

    /// Stops the VM. When this returns, no vCPU is in the guest, and
    /// [`run_state`](Self::run_state) says so.
    ///
    /// # Errors
    ///
    /// The error reply, if the VM cannot or will not be stopped.
    fn stop(&self) -> Result<Change, Error> {
        Err(Error::generic("This monitor cannot stop the machine"))
    }

    /// Lets the VM go on.
    ///
    /// # Errors
    ///
    /// The error reply, if the VM cannot or will not go on.
    fn cont(&self) -> Result<Change, Error> {
        Err(Error::generic("This monitor cannot continue the machine"))
    }

    /// Presses the power button for the guest. It need not do anything about
    /// it; success says only that it could have noticed.
    ///
    /// # Errors
    ///
    /// The error reply, if the VM has no power button.
    fn system_powerdown(&self) -> Result<(), Error> {
        Err(Error::generic("This machine has no power button"))
    }

    /// The client asks the program to end. Nothing ends yet: what is returned
    /// ends it, and is called when the event SHUTDOWN has been emitted, so that
    /// every client learns of it. It should return soon, because the answer is
    /// sent behind it:
    ///
    /// ```
    /// use std::sync::mpsc::Sender;
    ///
    /// use qapi_stats::wire::Error;
    /// use stats_runtime::host::{End, Host};
    ///
    /// struct MyVmm(Sender<()>);
    ///
    /// impl Host for MyVmm {
    ///     fn quit(&self) -> Result<End<'_>, Error> {
    ///         Ok(Box::new(|| self.0.send(()).unwrap_or_default()))
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The error reply, if the program cannot or will not end.
    fn quit(&self) -> Result<End<'_>, Error> {
        Err(Error::generic("This monitor cannot end the program"))
    }
}

/// What ends the program.
pub type End<'a> = Box<dyn FnOnce() + 'a>;

/// What came of a wish to stop or to go on. Only a change is an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is so now.
    Made,
    /// It was so before.
    None,
}

/// A vCPU as its monitor sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Vcpu {
    /// Its number.
    pub index: u64,
    /// Its QOM path, the same as its statistics have.
    pub qom_path: String,
    /// The host's id of the thread that it runs on, see gettid(2).
    pub thread_id: Option<u32>,
    /// Where it is in the machine's topology.
    pub props: Option<CpuInstanceProperties>,
    /// The type of the object at its path. If the VMM names none, it is
    /// QEMU's name for any vCPU of the [target](Host::target):
    /// `x86_64-cpu`.
    pub qom_type: Option<String>,
}

impl Vcpu {
    /// The vCPU of this number, of which nothing more is known.
    #[must_use]
    pub fn new(index: u64, qom_path: impl Into<String>) -> Self {
        Self {
            index,
            qom_path: qom_path.into(),
            thread_id: None,
            props: None,
            qom_type: None,
        }
    }

    /// The same on this thread.
    #[must_use]
    pub fn on_thread(self, id: Option<u32>) -> Self {
        Self {
            thread_id: id,
            ..self
        }
    }

    /// The same at this place in the topology.
    #[must_use]
    pub fn at(self, props: CpuInstanceProperties) -> Self {
        Self {
            props: Some(props),
            ..self
        }
    }
}

/// A VMM that has nothing to say, with no vCPU.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHost;

impl Host for NoHost {}

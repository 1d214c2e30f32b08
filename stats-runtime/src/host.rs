//! The interface from the monitor to the VMM: the VM's properties, and the
//! changes that clients may make.
//!
//! In: calls of the monitor. Out: the VMM's answers. This file knows no command
//! and no wire.

use std::sync::Arc;

use qapi_stats::control::{VersionInfo, VersionTriple};
use qapi_stats::machine::{CpuInstanceProperties, KvmInfo, SysEmuTarget};
use qapi_stats::run_state::RunState;
use qapi_stats::wire::Error;

use crate::lock::Lock;

/// A virtual machine as its monitor sees it. The default methods suit a VMM
/// that tells nothing and permits no change.
///
/// Every method may be called from any thread, and from several at once, with
/// no lock held. The exception are [`stop`](Self::stop) and
/// [`cont`](Self::cont): the monitor holds a lock while one of them runs, so that
/// their events come in the order of the changes. These two methods must
/// therefore not execute the monitor's commands `stop` and `cont`.
///
/// A [`Monitor`](crate::Monitor) without
/// [control](crate::Monitor::with_control) does not call the methods that change
/// the machine.
///
/// The monitor emits the events of the changes that clients make (STOP, RESUME,
/// POWERDOWN, SHUTDOWN), unless the method returns [`Change::Told`]. The VMM
/// reports all other changes with [`Monitor::emit`](crate::Monitor::emit): also
/// RESET, after which the counters of a new virtual machine begin at zero, and
/// GUEST_PANICKED.
pub trait Host: Send + Sync {
    /// Returns the version for the greeting and for `query-version`.
    ///
    /// Clients interpret it as a QEMU version. The default is the QEMU release
    /// whose statistics interface this crate implements.
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

    /// Returns the name that the operator gave the VM.
    fn name(&self) -> Option<String> {
        None
    }

    /// Returns the VM's UUID, in RFC 9562's text form with lower-case digits. Clients
    /// of a VM without a UUID get zeros, as from QEMU.
    fn uuid(&self) -> Option<String> {
        None
    }

    /// Returns the VM's run state.
    fn run_state(&self) -> RunState {
        RunState::Running
    }

    /// Returns whether KVM is present and executes the VM. If this is `None`, the
    /// monitor answers yes to both if a provider of KVM's statistics is
    /// registered.
    fn kvm(&self) -> Option<KvmInfo> {
        None
    }

    /// Returns the architecture of the VM's processor. The default is the
    /// architecture that this program was compiled for.
    fn target(&self) -> SysEmuTarget {
        SysEmuTarget::from(match std::env::consts::ARCH {
            "x86" => "i386",
            "powerpc64" => "ppc64",
            other => other,
        })
    }

    /// Returns the vCPUs in the order of their indexes. If this is `None`, the
    /// monitor lists the vCPUs whose statistics a provider has, by the
    /// provider's indexes.
    fn vcpus(&self) -> Option<Vec<Vcpu>> {
        None
    }

    /// Returns the type of the object `/machine`, for clients that read the tree
    /// of objects. An example from QEMU is `pc-q35-10.2-machine`; the default is
    /// QEMU's abstract base type of all machines.
    fn machine_type(&self) -> String {
        "machine".to_owned()
    }

    /// Stops the VM. When this method returns, no vCPU executes the guest, and
    /// [`run_state`](Self::run_state) returns the new state.
    ///
    /// # Errors
    ///
    /// Returns the error reply for the client if the VM does not stop.
    fn stop(&self) -> Result<Change, Error> {
        Err(Error::generic("This monitor cannot stop the machine"))
    }

    /// Continues the VM.
    ///
    /// # Errors
    ///
    /// Returns the error reply for the client if the VM does not continue.
    fn cont(&self) -> Result<Change, Error> {
        Err(Error::generic("This monitor cannot continue the machine"))
    }

    /// Presses the VM's power button. Success means that the guest could notice
    /// the button, and not that the guest powers down.
    ///
    /// # Errors
    ///
    /// Returns the error reply for the client if the VM has no power button.
    fn system_powerdown(&self) -> Result<Change, Error> {
        Err(Error::generic("This machine has no power button"))
    }

    /// Permits or refuses the end of the program, which a client has asked for.
    /// This method must not end the program: [`end`](Self::end) does, which the
    /// monitor calls after the event SHUTDOWN has been emitted, so that every
    /// client sees the event.
    ///
    /// # Errors
    ///
    /// Returns the error reply for the client if the program does not end.
    fn quit(&self) -> Result<Change, Error> {
        Err(Error::generic("This monitor cannot end the program"))
    }

    /// Ends the program. The monitor calls this method after
    /// [`quit`](Self::quit) has succeeded and the event SHUTDOWN has been
    /// emitted. The method should return soon, because the reply is sent only
    /// after it has returned.
    ///
    /// ```
    /// use std::sync::mpsc::Sender;
    ///
    /// use qapi_stats::wire::Error;
    /// use stats_runtime::host::{Change, Host};
    ///
    /// struct MyVmm(Sender<()>);
    ///
    /// impl Host for MyVmm {
    ///     fn quit(&self) -> Result<Change, Error> {
    ///         Ok(Change::Made)
    ///     }
    ///
    ///     fn end(&self) {
    ///         self.0.send(()).unwrap_or_default();
    ///     }
    /// }
    /// ```
    fn end(&self) {}
}

/// An `Arc` of a host is that host, so that the VMM can keep another handle.
impl<H: Host + ?Sized> Host for Arc<H> {
    fn version(&self) -> VersionInfo {
        (**self).version()
    }

    fn name(&self) -> Option<String> {
        (**self).name()
    }

    fn uuid(&self) -> Option<String> {
        (**self).uuid()
    }

    fn run_state(&self) -> RunState {
        (**self).run_state()
    }

    fn kvm(&self) -> Option<KvmInfo> {
        (**self).kvm()
    }

    fn target(&self) -> SysEmuTarget {
        (**self).target()
    }

    fn vcpus(&self) -> Option<Vec<Vcpu>> {
        (**self).vcpus()
    }

    fn machine_type(&self) -> String {
        (**self).machine_type()
    }

    fn stop(&self) -> Result<Change, Error> {
        (**self).stop()
    }

    fn cont(&self) -> Result<Change, Error> {
        (**self).cont()
    }

    fn system_powerdown(&self) -> Result<Change, Error> {
        (**self).system_powerdown()
    }

    fn quit(&self) -> Result<Change, Error> {
        (**self).quit()
    }

    fn end(&self) {
        (**self).end();
    }
}

/// The outcome of a [`Host`]'s method that changes the VM. The outcome decides
/// who emits the change's event, so that clients see every event once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The VM has changed, and the monitor emits the event.
    Made,
    /// The VM has changed, and the VMM emits the event itself: it has called
    /// [`Monitor::emit`](crate::Monitor::emit) already, or will. This suits a VMM
    /// that emits the event in the place where the change is made, also for changes
    /// that no client asked for.
    Told,
    /// The VM was in the requested state before. Clients get the reply alone.
    Unchanged,
}

/// A vCPU as its monitor sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Vcpu {
    /// The vCPU's number.
    pub index: u64,
    /// The QOM path, which must be the path of the vCPU's statistics.
    pub qom_path: String,
    /// The host's id of the vCPU's thread, see gettid(2).
    pub thread_id: Option<u32>,
    /// The place in the machine's topology.
    pub props: Option<CpuInstanceProperties>,
    /// The type of the object at the QOM path. `None` means QEMU's name for any
    /// vCPU of the [target](Host::target), for example `x86_64-cpu`.
    pub qom_type: Option<String>,
}

impl Vcpu {
    /// Creates a vCPU of which only the number and the path are known.
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

    /// Sets the id of the vCPU's thread.
    #[must_use]
    pub fn on_thread(self, id: Option<u32>) -> Self {
        Self {
            thread_id: id,
            ..self
        }
    }

    /// Sets the place in the machine's topology.
    #[must_use]
    pub fn at(self, props: CpuInstanceProperties) -> Self {
        Self {
            props: Some(props),
            ..self
        }
    }
}

/// A host with the default answers: no vCPU, and no change is permitted.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHost;

impl Host for NoHost {}

/// A host that is data: the VM's owner sets the values, and the monitor reads
/// them from any thread. This suits a VMM whose state belongs to one thread, which
/// therefore cannot answer as a [`Host`] itself.
///
/// A clone is another handle to the same values. By default the values are those
/// of [`NoHost`].
///
/// ```
/// use qapi_stats::run_state::{RunState, events::Stop};
/// use stats_runtime::host::HostState;
/// use stats_runtime::{Monitor, Registry};
///
/// let state = HostState::new().with_name("web-1");
/// let monitor = Monitor::new(Registry::new(), state.clone());
/// // In the VMM's function that pauses the VM, for whatever reason:
/// state.set_run_state(RunState::Paused);
/// monitor.emit(&Stop {});
/// ```
#[derive(Clone, Debug, Default)]
pub struct HostState(Arc<Lock<State>>);

#[derive(Debug)]
struct State {
    version: VersionInfo,
    name: Option<String>,
    uuid: Option<String>,
    machine_type: String,
    run_state: RunState,
    vcpus: Option<Vec<Vcpu>>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            version: NoHost.version(),
            name: NoHost.name(),
            uuid: NoHost.uuid(),
            machine_type: NoHost.machine_type(),
            run_state: NoHost.run_state(),
            vcpus: NoHost.vcpus(),
        }
    }
}

impl HostState {
    /// Creates a host with the values of [`NoHost`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the value of [`Host::version`].
    #[must_use]
    pub fn with_version(self, version: VersionInfo) -> Self {
        self.0.lock().version = version;
        self
    }

    /// Sets the value of [`Host::name`].
    #[must_use]
    pub fn with_name(self, name: impl Into<String>) -> Self {
        self.0.lock().name = Some(name.into());
        self
    }

    /// Sets the value of [`Host::uuid`].
    #[must_use]
    pub fn with_uuid(self, uuid: impl Into<String>) -> Self {
        self.0.lock().uuid = Some(uuid.into());
        self
    }

    /// Sets the value of [`Host::machine_type`].
    #[must_use]
    pub fn with_machine_type(self, machine_type: impl Into<String>) -> Self {
        self.0.lock().machine_type = machine_type.into();
        self
    }

    /// Sets the value of [`Host::run_state`]. The caller emits the event of the
    /// change.
    pub fn set_run_state(&self, run_state: RunState) {
        self.0.lock().run_state = run_state;
    }

    /// Sets the value of [`Host::vcpus`].
    pub fn set_vcpus(&self, vcpus: Vec<Vcpu>) {
        self.0.lock().vcpus = Some(vcpus);
    }
}

impl Host for HostState {
    fn version(&self) -> VersionInfo {
        self.0.lock().version.clone()
    }

    fn name(&self) -> Option<String> {
        self.0.lock().name.clone()
    }

    fn uuid(&self) -> Option<String> {
        self.0.lock().uuid.clone()
    }

    fn machine_type(&self) -> String {
        self.0.lock().machine_type.clone()
    }

    fn run_state(&self) -> RunState {
        self.0.lock().run_state.clone()
    }

    fn vcpus(&self) -> Option<Vec<Vcpu>> {
        self.0.lock().vcpus.clone()
    }
}

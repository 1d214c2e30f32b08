//! The threads that vCPUs run on, and how they are interrupted.
//!
//! In: vCPUs that are ready. Out: they run, pause, go on and stop. It knows
//! nothing of what they execute, only that it writes to I/O ports.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicU8, Ordering, fence};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::thread::{self, JoinHandle};

use kvm_ioctls::{KvmRunWrapper, VcpuExit, VcpuFd};
use vmm_sys_util::signal::{Killable, SIGRTMIN, register_signal_handler};

use super::error::GuestError;

/// Bytes of a thread's stack: KVM_RUN and little else.
const STACK_SIZE: usize = 128 << 10;

/// What the threads are to do, in [`Shared::wanted`].
const RUN: u8 = 0;
const PAUSE: u8 = 1;
const STOP: u8 = 2;

/// The threads of a guest.
#[derive(Debug)]
pub(super) struct Threads {
    shared: Arc<Shared>,
    handles: Vec<JoinHandle<()>>,
    ids: Vec<u32>,
    /// The part of each vCPU that the kernel reads `immediate_exit` from,
    /// mapped a second time: the first belongs to the vCPU's thread.
    runs: Mutex<Vec<KvmRunWrapper>>,
}

#[derive(Debug)]
struct Shared {
    /// Changed under the lock, so that no waiting thread misses it; read
    /// without it, once for each exit.
    wanted: AtomicU8,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// Threads that have not ended.
    alive: usize,
    /// Those of them that wait to go on.
    paused: usize,
    /// Why the first one ended, if it was not told to.
    failure: Option<GuestError>,
}

impl Threads {
    /// Starts a thread for each of `vcpus`, the first of which has index 0.
    pub(super) fn start(vcpus: Vec<VcpuFd>, run_size: usize) -> Result<Self, GuestError> {
        register_kick()?;
        let state = State {
            alive: 0,
            paused: 0,
            failure: None,
        };
        let shared = Shared {
            wanted: AtomicU8::new(PAUSE),
            state: Mutex::new(state),
            changed: Condvar::new(),
        };
        let mut threads = Self {
            shared: Arc::new(shared),
            handles: Vec::new(),
            ids: Vec::new(),
            runs: Mutex::new(Vec::new()),
        };
        for (index, vcpu) in (0..).zip(vcpus) {
            // On an error, dropping `threads` stops those already started.
            threads.start_one(index, vcpu, run_size)?;
        }
        // Only now: a thousand that run already leave the rest no processor
        // to start on.
        threads.want(RUN);
        Ok(threads)
    }

    fn start_one(&mut self, index: u32, vcpu: VcpuFd, run_size: usize) -> Result<(), GuestError> {
        let run =
            KvmRunWrapper::mmap_from_fd(&vcpu, run_size).map_err(|error| GuestError::Kvm {
                call: "mmap of kvm_run",
                vcpu: Some(index),
                errno: error.errno(),
            })?;
        let cannot = |error: String| GuestError::Thread { vcpu: index, error };
        let shared = Arc::clone(&self.shared);
        let (id_to, id_from) = mpsc::sync_channel(1);
        shared.lock().alive += 1;
        let started = thread::Builder::new()
            .name(format!("vcpu{index}"))
            .stack_size(STACK_SIZE)
            .spawn(move || {
                // Nobody listens if the others are being stopped already.
                let _ = id_to.send(rustix::thread::gettid());
                let failure = run_vcpu(vcpu, index, &shared).err();
                shared.ended(failure);
            });
        let handle = match started {
            Ok(handle) => handle,
            Err(error) => {
                self.shared.lock().alive -= 1;
                return Err(cannot(error.to_string()));
            }
        };
        self.handles.push(handle);
        self.runs
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .push(run);
        let id = id_from.recv().map_err(|error| cannot(error.to_string()))?;
        self.ids.push(id.as_raw_nonzero().get().unsigned_abs());
        Ok(())
    }

    /// The threads' ids, in the order of the vCPUs' indexes.
    pub(super) fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Returns when no thread is in the guest, or another one resumes it.
    pub(super) fn pause(&self) -> Result<(), GuestError> {
        self.want(PAUSE);
        self.kick();
        let still = |state: &mut State| {
            state.paused < state.alive && self.shared.wanted.load(Ordering::SeqCst) == PAUSE
        };
        let changed = self.shared.changed.wait_while(self.shared.lock(), still);
        changed.unwrap_or_else(PoisonError::into_inner).outcome()
    }

    pub(super) fn resume(&self) -> Result<(), GuestError> {
        self.want(RUN);
        self.shared.lock().outcome()
    }

    /// Returns when all threads have ended.
    pub(super) fn stop(&mut self) -> Result<(), GuestError> {
        self.want(STOP);
        self.kick();
        for handle in self.handles.drain(..) {
            // A thread has nothing to say but what is in `failure`.
            let _ = handle.join();
        }
        self.runs
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        self.shared.lock().outcome()
    }

    fn want(&self, wanted: u8) {
        let state = self.shared.lock();
        self.shared.wanted.store(wanted, Ordering::SeqCst);
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Gets every thread out of the guest to look at what is wanted.
    ///
    /// The signal does it for one that is in the guest, or asleep for it.
    /// For one that is about to enter, `immediate_exit` makes KVM_RUN return
    /// at once (Documentation/virt/kvm/api.rst). A thread clears it before it
    /// looks at what is wanted, so that either it sees that, or what is set
    /// here stays; the fences keep both orders on the processor too.
    fn kick(&self) {
        fence(Ordering::SeqCst);
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        for (run, handle) in runs.iter_mut().zip(&self.handles) {
            run.as_mut_ref().immediate_exit = 1;
            // It fails for a thread that has ended, which is as well.
            let _ = handle.kill(SIGRTMIN());
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // Who wants the outcome has called `stop` before.
        let _ = self.stop();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for as long as the guest is to pause.
    fn wait_to_go_on(&self) {
        let mut state = self.lock();
        state.paused += 1;
        self.changed.notify_all();
        let waited = self
            .changed
            .wait_while(state, |_| self.wanted.load(Ordering::SeqCst) == PAUSE);
        waited.unwrap_or_else(PoisonError::into_inner).paused -= 1;
    }

    fn ended(&self, failure: Option<GuestError>) {
        let mut state = self.lock();
        state.alive -= 1;
        state.failure = state.failure.take().or(failure);
        drop(state);
        self.changed.notify_all();
    }
}

impl State {
    fn outcome(&self) -> Result<(), GuestError> {
        self.failure.clone().map_or(Ok(()), Err)
    }
}

/// Runs a vCPU until it is to stop.
fn run_vcpu(mut vcpu: VcpuFd, index: u32, shared: &Shared) -> Result<(), GuestError> {
    const EINTR: i32 = 4;
    const EAGAIN: i32 = 11;
    loop {
        vcpu.set_kvm_immediate_exit(0);
        fence(Ordering::SeqCst);
        match shared.wanted.load(Ordering::SeqCst) {
            RUN => {}
            PAUSE => {
                shared.wait_to_go_on();
                continue;
            }
            _ => return Ok(()),
        }
        match vcpu.run() {
            // There is no device: what is written goes nowhere.
            Ok(VcpuExit::IoOut(..)) => {}
            Ok(exit) => {
                return Err(GuestError::Exit {
                    vcpu: index,
                    exit: format!("{exit:?}"),
                });
            }
            Err(error) if matches!(error.errno(), EINTR | EAGAIN) => {}
            Err(error) => {
                let errno = error.errno();
                return Err(GuestError::Kvm {
                    call: "KVM_RUN",
                    vcpu: Some(index),
                    errno,
                });
            }
        }
    }
}

/// Installs, once for the process, a handler that does nothing: the signal is
/// only to interrupt KVM_RUN.
fn register_kick() -> Result<(), GuestError> {
    static REGISTERED: OnceLock<Result<(), i32>> = OnceLock::new();
    // Generic over what it does not look at: libc's siginfo_t.
    extern "C" fn ignore<Info>(_: c_int, _: *mut Info, _: *mut c_void) {}
    let register = || register_signal_handler(SIGRTMIN(), ignore).map_err(|error| error.errno());
    REGISTERED
        .get_or_init(register)
        .map_err(|errno| GuestError::Signal { errno })
}

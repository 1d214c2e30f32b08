//! The threads that vCPUs run on, and how a thread is got out of the guest.
//!
//! In: vCPUs that are ready to run. Out: vCPUs that run, pause, go on and stop.
//! This file knows nothing of the guest's code but that it writes to I/O ports.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicU8, Ordering, fence};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::thread::{self, JoinHandle};

use kvm_ioctls::{KvmRunWrapper, VcpuExit, VcpuFd};
use vmm_sys_util::signal::{Killable, SIGRTMIN, register_signal_handler};

use super::error::GuestError;

/// The size of a thread's stack in bytes: enough for KVM_RUN and little else.
const STACK_SIZE: usize = 128 << 10;

/// The threads of a guest.
#[derive(Debug)]
pub(super) struct Threads {
    shared: Arc<Shared>,
    handles: Vec<JoinHandle<()>>,
    ids: Vec<u32>,
}

/// The state that the threads and their owner share.
#[derive(Debug)]
struct Shared {
    /// Written under the lock of `state`, so that a thread that waits for
    /// `changed` misses no change; read without the lock after every exit.
    wanted: AtomicWanted,
    state: Mutex<State>,
    /// Signalled after every change of `wanted` or `state`.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The number of threads that have not ended.
    alive: usize,
    /// The number of paused threads among those in `alive`.
    paused: usize,
    /// The reason of the first thread that has ended unasked.
    failure: Option<GuestError>,
    /// The memory of each vCPU that the kernel reads `immediate_exit` from,
    /// mapped a second time, because the first mapping belongs to the vCPU's
    /// thread.
    runs: Vec<KvmRunWrapper>,
}

/// The task of the threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Wanted {
    Run,
    Pause,
    Stop,
}

/// A [`Wanted`] that is read without a lock.
#[derive(Debug)]
struct AtomicWanted(AtomicU8);

impl AtomicWanted {
    fn new(wanted: Wanted) -> Self {
        Self(AtomicU8::new(wanted as u8))
    }

    fn get(&self) -> Wanted {
        let number = self.0.load(Ordering::SeqCst);
        let all = [Wanted::Run, Wanted::Pause];
        let known = all.into_iter().find(|wanted| *wanted as u8 == number);
        known.unwrap_or(Wanted::Stop)
    }

    fn set(&self, wanted: Wanted) {
        self.0.store(wanted as u8, Ordering::SeqCst);
    }
}

impl Threads {
    /// Starts a thread for each of `vcpus`, the first of which has index 0.
    pub(super) fn start(vcpus: Vec<VcpuFd>, run_size: usize) -> Result<Self, GuestError> {
        register_signal()?;
        let shared = Shared {
            wanted: AtomicWanted::new(Wanted::Pause),
            state: Mutex::default(),
            changed: Condvar::new(),
        };
        let mut threads = Self {
            shared: Arc::new(shared),
            handles: Vec::new(),
            ids: Vec::new(),
        };
        for (index, vcpu) in (0..).zip(vcpus) {
            // On an error, dropping `threads` stops the threads started so far.
            threads.start_one(index, vcpu, run_size)?;
        }
        // Let the vCPUs run only when all threads exist: a thousand running
        // vCPUs leave the remaining threads no processor to start on.
        threads.shared.want(Wanted::Run);
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
        let (id_sender, id_receiver) = mpsc::sync_channel(1);
        shared.lock().alive += 1;
        let started = thread::Builder::new()
            .name(format!("vcpu{index}"))
            .stack_size(STACK_SIZE)
            .spawn(move || {
                // Fails if the caller has given up and is stopping the threads.
                let _ = id_sender.send(rustix::thread::gettid());
                let failure = run_vcpu(vcpu, index, &shared).err();
                shared.end_thread(failure);
            });
        let handle = match started {
            Ok(handle) => handle,
            Err(error) => {
                self.shared.lock().alive -= 1;
                return Err(cannot(error.to_string()));
            }
        };
        self.handles.push(handle);
        self.shared.lock().runs.push(run);
        let id = id_receiver
            .recv()
            .map_err(|error| cannot(error.to_string()))?;
        self.ids.push(id.as_raw_nonzero().get().unsigned_abs());
        Ok(())
    }

    /// Returns the threads' ids, in the order of the vCPUs' indexes.
    pub(super) fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Returns when no thread is in the guest, or when another thread resumes
    /// the guest meanwhile.
    pub(super) fn pause(&self) -> Result<(), GuestError> {
        self.shared.want(Wanted::Pause);
        self.kick();
        let state = self.shared.wait_while(self.shared.lock(), |state| {
            state.paused < state.alive && self.shared.wanted.get() == Wanted::Pause
        });
        state.outcome()
    }

    pub(super) fn resume(&self) -> Result<(), GuestError> {
        self.shared.want(Wanted::Run);
        self.shared.lock().outcome()
    }

    /// Returns when all threads have ended.
    pub(super) fn stop(&mut self) -> Result<(), GuestError> {
        self.shared.want(Wanted::Stop);
        self.kick();
        for handle in self.handles.drain(..) {
            // A thread leaves its error in `failure`.
            let _ = handle.join();
        }
        let mut state = self.shared.lock();
        state.runs.clear();
        state.outcome()
    }

    /// Makes every thread leave the guest and read `wanted`.
    ///
    /// The signal interrupts a thread that is in KVM_RUN, also while its vCPU
    /// sleeps. A thread that is about to call KVM_RUN may take the signal too
    /// early; for it, `immediate_exit` makes KVM_RUN return at once
    /// (Documentation/virt/kvm/api.rst). A thread clears `immediate_exit`
    /// before it reads `wanted`, and this function sets it after `wanted` has
    /// been written. Hence a thread either reads the new value, or finds
    /// `immediate_exit` still set. The fences keep both orders on the processor.
    fn kick(&self) {
        fence(Ordering::SeqCst);
        let mut state = self.shared.lock();
        for (run, handle) in state.runs.iter_mut().zip(&self.handles) {
            run.as_mut_ref().immediate_exit = 1;
            // Fails for a thread that has ended, which needs no signal.
            let _ = handle.kill(SIGRTMIN());
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // A caller that is interested in the outcome has called `stop`.
        let _ = self.stop();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for changes for as long as `condition` returns true.
    fn wait_while<'a>(
        &self,
        state: MutexGuard<'a, State>,
        condition: impl Fn(&State) -> bool,
    ) -> MutexGuard<'a, State> {
        self.changed
            .wait_while(state, |state| condition(state))
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn want(&self, wanted: Wanted) {
        let state = self.lock();
        self.wanted.set(wanted);
        drop(state);
        self.changed.notify_all();
    }

    /// Blocks the calling thread for as long as the guest has to pause.
    fn wait_until_resumed(&self) {
        let mut state = self.lock();
        state.paused += 1;
        self.changed.notify_all();
        let mut state = self.wait_while(state, |_| self.wanted.get() == Wanted::Pause);
        state.paused -= 1;
    }

    fn end_thread(&self, failure: Option<GuestError>) {
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

/// Runs a vCPU until the threads have to stop.
fn run_vcpu(mut vcpu: VcpuFd, index: u32, shared: &Shared) -> Result<(), GuestError> {
    const EINTR: i32 = 4;
    const EAGAIN: i32 = 11;
    loop {
        vcpu.set_kvm_immediate_exit(0);
        fence(Ordering::SeqCst);
        match shared.wanted.get() {
            Wanted::Run => {}
            Wanted::Pause => {
                shared.wait_until_resumed();
                continue;
            }
            Wanted::Stop => return Ok(()),
        }
        match vcpu.run() {
            // The guest has no device: ignore what it writes.
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

/// Installs a handler that does nothing, once for the process. The signal only
/// has to interrupt KVM_RUN; without a handler it would end the process.
fn register_signal() -> Result<(), GuestError> {
    static REGISTERED: OnceLock<Result<(), i32>> = OnceLock::new();
    // The handler is generic over `Info`, the type of an argument that it ignores,
    // because that type is libc's `siginfo_t`.
    extern "C" fn ignore<Info>(_: c_int, _: *mut Info, _: *mut c_void) {}
    let register = || register_signal_handler(SIGRTMIN(), ignore).map_err(|error| error.errno());
    REGISTERED
        .get_or_init(register)
        .map_err(|errno| GuestError::Signal { errno })
}

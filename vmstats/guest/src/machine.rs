//! The machine: a VM with memory, interrupt controllers and vCPUs.
//!
//! In: a number of vCPUs. Out: vCPUs that are ready to run the guest's code.
//! This file starts no thread.
#![allow(
    unsafe_code,
    reason = "KVM takes the guest's memory by address; no safe wrapper can vouch for that"
)]

use std::os::fd::OwnedFd;

use kvm_bindings::{KVM_MP_STATE_RUNNABLE, kvm_mp_state, kvm_userspace_memory_region};
use kvm_ioctls::{Error as Errno, Kvm, VcpuFd, VmFd};
use kvm_stats::{open, supports};

use super::code;
use super::error::GuestError;

/// A VM, and its vCPUs that have not been taken by a thread.
#[derive(Debug)]
pub(super) struct Machine {
    // The memory is dropped last, when neither a vCPU nor the VM can use it.
    vcpus: Vec<VcpuFd>,
    vm: VmFd,
    _memory: Memory,
}

/// The guest's memory, which begins at the guest's address 0.
struct Memory(Box<[Page]>);

/// A page, aligned as KVM requires.
#[repr(C, align(4096))]
struct Page([u8; code::PAGE_SIZE]);

impl Machine {
    /// Makes a machine for `vcpus` vCPUs and opens the file of its statistics.
    pub(super) fn open(vcpus: u32) -> Result<(Self, OwnedFd), GuestError> {
        let kvm = Kvm::new().map_err(|error| GuestError::OpenKvm {
            errno: error.errno(),
        })?;
        if !supports(&kvm)? {
            return Err(GuestError::NoStatistics);
        }
        let most = u32::try_from(kvm.get_max_vcpus()).unwrap_or(u32::MAX);
        if vcpus > most {
            return Err(GuestError::Vcpus { asked: vcpus, most });
        }
        let vm = create_vm(&kvm).map_err(failed("KVM_CREATE_VM", None))?;
        // Intel processors need a place for a task state segment that is below
        // 4 GiB and outside the guest's memory
        // (Documentation/virt/kvm/api.rst).
        vm.set_tss_address(0xfffb_d000)
            .map_err(failed("KVM_SET_TSS_ADDR", None))?;
        vm.create_irq_chip()
            .map_err(failed("KVM_CREATE_IRQCHIP", None))?;
        let memory = Memory::new(vcpus);
        memory
            .give_to(&vm)
            .map_err(failed("KVM_SET_USER_MEMORY_REGION", None))?;
        let stats = open(&vm)?;
        Ok((
            Self {
                vcpus: Vec::new(),
                vm,
                _memory: memory,
            },
            stats,
        ))
    }

    /// Adds the vCPU with this index and makes it ready to run.
    pub(super) fn add_vcpu(&mut self, index: u32) -> Result<&VcpuFd, GuestError> {
        let failed = |call| failed(call, Some(index));
        let vcpu = self
            .vm
            .create_vcpu(index.into())
            .map_err(failed("KVM_CREATE_VCPU"))?;
        let mut special = vcpu.get_sregs().map_err(failed("KVM_GET_SREGS"))?;
        code::enter_protected_mode(&mut special);
        vcpu.set_sregs(&special).map_err(failed("KVM_SET_SREGS"))?;
        vcpu.set_regs(&code::registers(index))
            .map_err(failed("KVM_SET_REGS"))?;
        // Mark the vCPU as runnable; otherwise every vCPU but the first would wait
        // until another vCPU starts it.
        let runnable = kvm_mp_state {
            mp_state: KVM_MP_STATE_RUNNABLE,
        };
        vcpu.set_mp_state(runnable)
            .map_err(failed("KVM_SET_MP_STATE"))?;
        self.vcpus.push(vcpu);
        self.vcpus
            .last()
            .ok_or(GuestError::Vcpus { asked: 0, most: 0 })
    }

    /// Removes and returns the first `count` vCPUs.
    pub(super) fn take_vcpus(&mut self, count: u32) -> Vec<VcpuFd> {
        let count = self.vcpus.len().min(count as usize);
        self.vcpus.drain(..count).collect()
    }

    /// Returns the number of vCPUs that have not been taken.
    pub(super) fn idle_vcpus(&self) -> usize {
        self.vcpus.len()
    }

    /// Returns the size in bytes of the memory that a vCPU shares with the
    /// kernel.
    pub(super) fn run_size(&self) -> usize {
        self.vm.run_size()
    }
}

/// Creates a VM. Repeats the call if a signal has interrupted it.
fn create_vm(kvm: &Kvm) -> Result<VmFd, Errno> {
    const EINTR: i32 = 4;
    loop {
        match kvm.create_vm() {
            Err(error) if error.errno() == EINTR => {}
            done => return done,
        }
    }
}

/// Returns a function that adds the name of the failed call to an error.
fn failed(call: &'static str, vcpu: Option<u32>) -> impl FnOnce(Errno) -> GuestError {
    move |error| GuestError::Kvm {
        call,
        vcpu,
        errno: error.errno(),
    }
}

impl Memory {
    /// Makes the memory of a guest with `vcpus` vCPUs.
    fn new(vcpus: u32) -> Self {
        let mut pages = vec![Page(code::first_page())];
        pages.resize_with(code::pages(vcpus), || Page([0; code::PAGE_SIZE]));
        Self(pages.into_boxed_slice())
    }

    /// Makes this memory the memory of `vm`.
    fn give_to(&self, vm: &VmFd) -> Result<(), Errno> {
        let region = kvm_userspace_memory_region {
            slot: 0,
            flags: 0,
            guest_phys_addr: 0,
            memory_size: size_of_val(&*self.0) as u64,
            userspace_addr: self.0.as_ptr() as u64,
        };
        // SAFETY: the region is this allocation, which consists of whole pages.
        // The guest changes the region only while a vCPU runs. From here on this
        // program neither reads nor writes the region, and frees it after the
        // vCPUs and the VM: the threads of a `Guest` are dropped before its
        // `Machine`, whose last field is the memory. Statistics files keep the VM
        // alive in the kernel for longer, but nothing runs in a VM without the
        // file of a vCPU.
        unsafe { vm.set_user_memory_region(region) }
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Memory({} pages)", self.0.len())
    }
}

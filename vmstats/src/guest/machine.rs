//! The machine: a VM with memory, interrupt controllers and vCPUs.
//!
//! In: calls of KVM. Out: vCPUs that are ready to run the code. It starts no
//! thread.
#![allow(
    unsafe_code,
    reason = "KVM takes the guest's memory by address; no safe wrapper can vouch for that"
)]

use std::os::fd::OwnedFd;

use kvm_bindings::{KVM_MP_STATE_RUNNABLE, kvm_mp_state, kvm_userspace_memory_region};
use kvm_ioctls::{Error as Errno, Kvm, VcpuFd, VmFd};
use stats_runtime::kvm::{check_capability, vm_stats_fd};

use super::code;
use super::error::GuestError;

/// A VM and those of its vCPUs that nobody has taken.
#[derive(Debug)]
pub(super) struct Machine {
    // Dropped in this order: the memory goes when nothing can reach it.
    vcpus: Vec<VcpuFd>,
    vm: VmFd,
    _memory: Memory,
}

/// The guest's memory, from address 0 on.
struct Memory(Box<[Page]>);

/// A page, placed as KVM wants it.
#[repr(C, align(4096))]
struct Page([u8; code::PAGE_SIZE]);

impl Machine {
    /// Makes a machine for `vcpus` vCPUs, and opens its statistics.
    pub(super) fn open(vcpus: u32) -> Result<(Self, OwnedFd), GuestError> {
        let kvm = Kvm::new().map_err(|error| GuestError::OpenKvm {
            errno: error.errno(),
        })?;
        check_capability(&kvm)?;
        let most = u32::try_from(kvm.get_max_vcpus()).unwrap_or(u32::MAX);
        if vcpus > most {
            return Err(GuestError::Vcpus { asked: vcpus, most });
        }
        let vm = create_vm(&kvm).map_err(failed("KVM_CREATE_VM", None))?;
        // Intel processors want a place for a task state segment, away from
        // memory and below 4 GiB (Documentation/virt/kvm/api.rst).
        vm.set_tss_address(0xfffb_d000)
            .map_err(failed("KVM_SET_TSS_ADDR", None))?;
        vm.create_irq_chip()
            .map_err(failed("KVM_CREATE_IRQCHIP", None))?;
        let memory = Memory::new(vcpus);
        memory
            .give_to(&vm)
            .map_err(failed("KVM_SET_USER_MEMORY_REGION", None))?;
        let stats = vm_stats_fd(&vm)?;
        Ok((
            Self {
                vcpus: Vec::new(),
                vm,
                _memory: memory,
            },
            stats,
        ))
    }

    /// Adds the vCPU with this index, ready to run.
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
        // All but the first would wait for another vCPU to start them.
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

    /// Hands out the first `count` vCPUs, to be run.
    pub(super) fn take_vcpus(&mut self, count: u32) -> Vec<VcpuFd> {
        let count = self.vcpus.len().min(count as usize);
        self.vcpus.drain(..count).collect()
    }

    /// How many vCPUs nobody has taken.
    pub(super) fn idle_vcpus(&self) -> usize {
        self.vcpus.len()
    }

    /// Bytes of what a vCPU shares with the kernel.
    pub(super) fn run_size(&self) -> usize {
        self.vm.run_size()
    }
}

/// A signal may interrupt this call, which then has done nothing.
fn create_vm(kvm: &Kvm) -> Result<VmFd, Errno> {
    const EINTR: i32 = 4;
    loop {
        match kvm.create_vm() {
            Err(error) if error.errno() == EINTR => {}
            done => return done,
        }
    }
}

/// Names the call that failed.
fn failed(call: &'static str, vcpu: Option<u32>) -> impl FnOnce(Errno) -> GuestError {
    move |error| GuestError::Kvm {
        call,
        vcpu,
        errno: error.errno(),
    }
}

impl Memory {
    /// The memory of a guest with `vcpus` vCPUs.
    fn new(vcpus: u32) -> Self {
        let mut pages = vec![Page(code::first_page())];
        pages.resize_with(code::pages(vcpus), || Page([0; code::PAGE_SIZE]));
        Self(pages.into_boxed_slice())
    }

    /// Makes this the memory of `vm`.
    fn give_to(&self, vm: &VmFd) -> Result<(), Errno> {
        let region = kvm_userspace_memory_region {
            slot: 0,
            flags: 0,
            guest_phys_addr: 0,
            memory_size: size_of_val(&*self.0) as u64,
            userspace_addr: self.0.as_ptr() as u64,
        };
        // SAFETY: the region is this allocation, of whole pages. The guest
        // changes it only while a vCPU runs; from here on this program neither
        // reads nor writes it, and frees it behind the vCPUs and the VM (the
        // threads of a `Guest` and the fields of a `Machine` are dropped in
        // that order). Statistics fds keep the VM in the kernel for longer,
        // but without a vCPU's fd nothing runs in it.
        unsafe { vm.set_user_memory_region(region) }
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Memory({} pages)", self.0.len())
    }
}

//! The machine on processors that the demo guest has no code for.
//!
//! In: any request. Out: an error. The file lets the rest of the crate compile
//! unchanged on those processors.

use std::os::fd::OwnedFd;

use kvm_ioctls::VcpuFd;

use super::error::GuestError;

/// A machine that cannot exist.
#[derive(Debug)]
pub(super) enum Machine {}

impl Machine {
    pub(super) fn open(_vcpus: u32) -> Result<(Self, OwnedFd), GuestError> {
        Err(GuestError::Architecture)
    }

    pub(super) fn add_vcpu(&mut self, _index: u32) -> Result<&VcpuFd, GuestError> {
        match *self {}
    }

    pub(super) fn take_vcpus(&mut self, _count: u32) -> Vec<VcpuFd> {
        match *self {}
    }

    pub(super) fn idle_vcpus(&self) -> usize {
        match *self {}
    }

    pub(super) fn run_size(&self) -> usize {
        match *self {}
    }
}

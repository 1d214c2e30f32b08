//! VMs and vCPUs of any release of kvm-ioctls, and of none, with one provider.
#![cfg(feature = "kvm")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs::File;
use std::os::fd::{AsRawFd, BorrowedFd};

use stats_runtime::Provider as _;
use stats_runtime::kvm::KvmProvider;

#[test]
fn provider_takes_fds_of_several_releases_of_kvm_ioctls_and_of_none() {
    let Ok(kvm) = kvm_ioctls::Kvm::new() else {
        skip::because("/dev/kvm cannot be opened");
        return;
    };
    let vm = kvm.create_vm().unwrap();
    let vcpu = vm.create_vcpu(0).unwrap();
    let provider = KvmProvider::with_vm(&vm).unwrap();
    provider.add_vcpu("/0.25", &vcpu).unwrap();

    let older = kvm_ioctls_0_24::Kvm::new().unwrap().create_vm().unwrap();
    let older_vcpu = older.create_vcpu(0).unwrap();
    let other = KvmProvider::with_vm(&older).unwrap();
    other.add_vcpu("/0.24", &older_vcpu).unwrap();

    // A VMM with bindings of its own keeps a vCPU as a file.
    #[allow(unsafe_code, reason = "this is what such a VMM writes")]
    // SAFETY: `vcpu` is open during the call.
    let borrowed = unsafe { BorrowedFd::borrow_raw(vcpu.as_raw_fd()) };
    let file = File::from(borrowed.try_clone_to_owned().unwrap());
    provider.add_vcpu("/none", &file).unwrap();
    assert_eq!(
        provider.vcpus(),
        [(0, "/0.25".to_owned()), (1, "/none".to_owned())]
    );
    assert_eq!(other.vcpus(), [(0, "/0.24".to_owned())]);
}

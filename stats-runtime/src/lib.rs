//! Statistics of virtual machines: the runtime a monitor links.

pub mod provider;
#[cfg(feature = "kvm")]
pub mod kvm;

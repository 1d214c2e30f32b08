//! KVM backend (in progress).

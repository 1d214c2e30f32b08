//! QEMU's statistics of cryptographic devices, for a VMM with such devices.
//!
//! In: devices with their counters. Out: a provider with the names that QEMU 8.0 and
//! later have, see `backends/cryptodev.c` there.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use qapi_stats::stats::{StatsSchemaValue, StatsTarget};

use crate::set::StatsSet;

/// The counters of one cryptographic device: operations and bytes of symmetric
/// encryption and decryption, and of asymmetric encryption, decryption, signing and
/// verifying.
///
/// ```
/// use std::sync::atomic::Ordering;
/// use stats_runtime::{Registry, cryptodev::{Cryptodev, provider}};
///
/// let device = Cryptodev::default();
/// let registry = Registry::new();
/// registry.register("cryptodev", provider([("/objects/crypto0", &device)]))?;
/// // In the device's thread:
/// device.sym_encrypt_ops.fetch_add(1, Ordering::Relaxed);
/// device.sym_encrypt_bytes.fetch_add(4096, Ordering::Relaxed);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Cryptodev {
    /// The number of encryptions with a symmetric key.
    pub sym_encrypt_ops: Arc<AtomicU64>,
    /// The number of decryptions with a symmetric key.
    pub sym_decrypt_ops: Arc<AtomicU64>,
    /// The number of bytes that were encrypted with a symmetric key.
    pub sym_encrypt_bytes: Arc<AtomicU64>,
    /// The number of bytes that were decrypted with a symmetric key.
    pub sym_decrypt_bytes: Arc<AtomicU64>,
    /// The number of encryptions with an asymmetric key.
    pub asym_encrypt_ops: Arc<AtomicU64>,
    /// The number of decryptions with an asymmetric key.
    pub asym_decrypt_ops: Arc<AtomicU64>,
    /// The number of signatures with an asymmetric key.
    pub asym_sign_ops: Arc<AtomicU64>,
    /// The number of verifications with an asymmetric key.
    pub asym_verify_ops: Arc<AtomicU64>,
    /// The number of bytes that were encrypted with an asymmetric key.
    pub asym_encrypt_bytes: Arc<AtomicU64>,
    /// The number of bytes that were decrypted with an asymmetric key.
    pub asym_decrypt_bytes: Arc<AtomicU64>,
    /// The number of bytes that were signed with an asymmetric key.
    pub asym_sign_bytes: Arc<AtomicU64>,
    /// The number of bytes that were verified with an asymmetric key.
    pub asym_verify_bytes: Arc<AtomicU64>,
}

impl Cryptodev {
    /// Returns the counters with their names on the wire. QEMU gives the byte counts no
    /// unit.
    fn counters(&self) -> [(&'static str, &Arc<AtomicU64>); 12] {
        [
            ("sym-encrypt-ops", &self.sym_encrypt_ops),
            ("sym-decrypt-ops", &self.sym_decrypt_ops),
            ("sym-encrypt-bytes", &self.sym_encrypt_bytes),
            ("sym-decrypt-bytes", &self.sym_decrypt_bytes),
            ("asym-encrypt-ops", &self.asym_encrypt_ops),
            ("asym-decrypt-ops", &self.asym_decrypt_ops),
            ("asym-sign-ops", &self.asym_sign_ops),
            ("asym-verify-ops", &self.asym_verify_ops),
            ("asym-encrypt-bytes", &self.asym_encrypt_bytes),
            ("asym-decrypt-bytes", &self.asym_decrypt_bytes),
            ("asym-sign-bytes", &self.asym_sign_bytes),
            ("asym-verify-bytes", &self.asym_verify_bytes),
        ]
    }
}

/// Returns the provider of some devices, each with its QOM path. Register it under the
/// name `cryptodev`.
pub fn provider<'a, P: Into<String>>(
    devices: impl IntoIterator<Item = (P, &'a Cryptodev)>,
) -> StatsSet {
    let set = StatsSet::new(StatsTarget::Cryptodev);
    devices.into_iter().fold(set, |set, (qom_path, device)| {
        // The last one first, as in QEMU's replies.
        let counters = device.counters().into_iter().rev();
        counters.fold(set.object(qom_path), |set, (name, value)| {
            set.counter(StatsSchemaValue::cumulative(name), Arc::clone(value))
        })
    })
}

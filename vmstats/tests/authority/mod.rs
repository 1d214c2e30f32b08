//! Certificates of a test's own, and lists of those that are revoked.

#![allow(dead_code, reason = "each test file uses a part")]

use std::path::Path;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, IsCa,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
};

/// The serial number of each server's certificate.
pub(crate) const SERVER_SERIAL: u64 = 1;

/// An authority that signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// A folder as both sides take it, whose certificates are of this authority
    /// and which trusts `trusted`.
    pub(crate) fn fill(&self, folder: &Path, trusted: &Self) {
        std::fs::create_dir(folder).unwrap();
        std::fs::write(folder.join("ca-cert.pem"), trusted.0.pem()).unwrap();
        for (side, serial) in [("server", SERVER_SERIAL), ("client", 2)] {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
            params.serial_number = Some(serial.into());
            let certificate = params.signed_by(&key, &self.0).unwrap();
            let write = |what: &str, text: String| {
                std::fs::write(folder.join(format!("{side}-{what}.pem")), text).unwrap();
            };
            write("cert", certificate.pem());
            write("key", key.serialize_pem());
        }
    }

    /// Writes a revocation list with this serial number, which is current for some
    /// days from the year 2000 on.
    pub(crate) fn revoke(&self, folder: &Path, serial: u64, days: u64) {
        let this_update = rcgen::date_time_ymd(2000, 1, 1);
        let params = CertificateRevocationListParams {
            this_update,
            next_update: this_update + Duration::from_secs(days * 86_400),
            crl_number: 1.into(),
            issuing_distribution_point: None,
            revoked_certs: vec![RevokedCertParams {
                serial_number: serial.into(),
                revocation_time: this_update,
                reason_code: None,
                invalidity_date: None,
            }],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = params.signed_by(&self.0).unwrap().pem().unwrap();
        std::fs::write(folder.join("ca-crl.pem"), list).unwrap();
    }
}

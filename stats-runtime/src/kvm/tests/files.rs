//! Files that stand in for statistics fds, and what reading them answers.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;

use crate::kvm::KvmProvider;
use crate::provider::{Provider, ProviderError, StatsQuery};
use kvm_stats::{Block, Error, ImageBuilder, ImageStat, record};
use qapi_stats::stats::StatsTarget;

use super::Kept;

/// An open file with these bytes.
pub(super) fn open(bytes: &[u8]) -> OwnedFd {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.into()
}

/// The file of a vCPU or VM with one value.
pub(super) fn one(name: &str, value: u64) -> Vec<u8> {
    ImageBuilder::new("kvm-1")
        .stat(ImageStat::new(name, 0, 0, [value]))
        .build()
}

#[test]
fn a_recorded_file_is_the_file() {
    let far = ImageBuilder::new("kvm-1")
        .stat(ImageStat::new("a", 0, 0, [1]))
        .gap(200_000);
    for bytes in [one("a", 1), far.build()] {
        assert_eq!(record(open(&bytes)).unwrap(), bytes);
    }
    assert!(matches!(
        record(open(b"not statistics")),
        Err(Error::Malformed(_))
    ));
}

#[test]
fn short_reads_are_qemus_words() {
    let bytes = one("a", 1);
    let message = |len: usize| {
        let provider = KvmProvider::new();
        match provider.set_vm_fd(open(&bytes[..len])) {
            Err(error) => error.to_string(),
            Ok(()) => {
                let query = StatsQuery::all(&StatsTarget::Vm);
                let mut kept = Kept::default();
                let error: ProviderError = provider.query(&query, &mut kept).unwrap_err();
                assert_eq!(kept, Kept::default(), "nothing is left behind");
                error.to_string()
            }
        }
    };
    let failed = "KVM stats: failed to read stats";
    assert_eq!(
        message(20),
        format!("{failed} header: expected 24 actual 20")
    );
    assert_eq!(message(0), format!("{failed} header: expected 24 actual 0"));
    // 24 of the header, 8 of the id, 24 of the descriptor, 8 of data.
    assert_eq!(
        message(40),
        format!("{failed} descriptors: expected 24 actual 8")
    );
    assert_eq!(
        message(bytes.len() - 3),
        format!("{failed} data: expected 8 actual 5")
    );
}

#[test]
fn a_refused_read_has_its_number() {
    let directory: OwnedFd = File::open(".").unwrap().into();
    let error = KvmProvider::new().set_vm_fd(directory).unwrap_err();
    assert!(
        matches!(
            error,
            crate::kvm::Error::Stats(Error::Read {
                block: Block::Header,
                ..
            })
        ),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .starts_with("KVM stats: failed to read stats header: "),
        "{error}"
    );
}

//! What the micro-benchmarks measure with.
//!
//! In: how many vCPUs. Out: a provider of made-up statistics files of the size
//! of KVM's, so that no KVM is needed. It measures nothing.

use std::fs::File;
use std::io::{self, Write};

use stats_runtime::kvm::{ImageBuilder, ImageStat, KvmProvider};

/// A provider with so many vCPUs, each of which has 45 numbers and two
/// histograms of 32 buckets.
///
/// # Errors
///
/// The system's, if a file cannot be made; the provider's, if it does not take
/// one.
pub fn provider(vcpus: u32) -> io::Result<KvmProvider> {
    let mut image = ImageBuilder::new("kvm-1/vcpu-0");
    for index in 0..45 {
        image = image.stat(ImageStat::new(
            format!("statistic_number_{index}"),
            0,
            0,
            [7919 * index],
        ));
    }
    for index in 0..2 {
        let mut buckets = [0; 32];
        buckets
            .iter_mut()
            .take(10)
            .for_each(|bucket| *bucket = 123_456);
        image = image.stat(ImageStat::new(format!("histogram_{index}"), 4, 0, buckets));
    }
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(&image.build())?;
    let provider = KvmProvider::new();
    for index in 0..vcpus {
        let stats = File::open(file.path())?;
        provider
            .add_vcpu_fd(format!("/machine/unattached/device[{index}]"), stats.into())
            .map_err(io::Error::other)?;
    }
    Ok(provider)
}

//! Any bytes as a binary stats file: they are decoded or refused.
#![no_main]

use kvm_stats::{Image, warnings};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = warnings(bytes);
    let Ok(image) = Image::read(bytes) else { return };
    for statistic in image.layout().statistics() {
        let values = image.words().get(statistic.words());
        let values = values.expect("every value lies within the block that was read");
        assert_eq!(values.len(), statistic.len());
    }
});

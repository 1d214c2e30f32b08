//! Any bytes as a binary stats file: they are decoded or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stats_runtime::kvm::Image;
use stats_runtime::StatsSink;

struct Count(usize);

impl StatsSink for Count {
    fn result(&mut self, _: Option<&str>) {}

    fn scalar(&mut self, _: &str, _: u64) {
        self.0 += 1;
    }

    fn boolean(&mut self, _: &str, _: bool) {
        self.0 += 1;
    }

    fn histogram(&mut self, _: &str, _: &[u64]) {
        self.0 += 1;
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut image) = Image::read(bytes) else { return };
    let mut count = Count(0);
    let written = image.write_values(&mut count);
    assert!(written.is_ok(), "an image that was read can be written");
    assert_eq!(count.0, image.layout().schema().len());
});

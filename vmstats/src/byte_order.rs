//! Copies of statistics files from machines with the other byte order.
//!
//! In: the bytes of a copy. Out: the same file in the byte order of this machine.
//! This file decides nothing about contents: the reader of the file does.
//!
//! The format is `struct kvm_stats_header` and `struct kvm_stats_desc` of
//! Linux's include/uapi/linux/kvm.h.

use std::borrow::Cow;
use std::ops::Range;

use kvm_stats::Header;

/// The length of a descriptor before its name, in bytes.
const DESCRIPTOR_SIZE: usize = 16;

/// The length of a value in bytes.
const VALUE_SIZE: usize = 8;

/// The name of the byte order that this machine does not have.
pub const FOREIGN: &str = if cfg!(target_endian = "little") {
    "big-endian"
} else {
    "little-endian"
};

/// Returns whether a copy has the byte order that this machine does not have: its
/// header is valid only after its fields have been reversed.
#[must_use]
pub fn is_foreign(bytes: &[u8]) -> bool {
    let reversed = bytes.get(..Header::SIZE).map(|header| {
        let fields = header.chunks_exact(4).flat_map(|field| field.iter().rev());
        fields.copied().collect::<Vec<u8>>()
    });
    Header::parse(bytes).is_err() && reversed.is_some_and(|header| Header::parse(&header).is_ok())
}

/// Returns the copy in the byte order of this machine. Fields that lie beyond the
/// end of the copy are left alone.
#[must_use]
pub fn to_native(bytes: &[u8]) -> Cow<'_, [u8]> {
    if !is_foreign(bytes) {
        return Cow::Borrowed(bytes);
    }
    let mut native = Reversal {
        original: bytes,
        native: bytes.to_vec(),
    };
    for field in 0..Header::SIZE / 4 {
        native.reverse(field * 4, 4);
    }
    let [name_size, num_desc, _, desc_offset, data_offset] =
        [4, 8, 12, 16, 20].map(|at| native.number(at..at + 4));
    for index in 0..num_desc {
        let at = desc_offset.saturating_add(index.saturating_mul(DESCRIPTOR_SIZE + name_size));
        for (field, len) in [(0, 4), (4, 2), (6, 2), (8, 4), (12, 4)] {
            native.reverse(at.saturating_add(field), len);
        }
        let field = |from: usize, to: usize| at.saturating_add(from)..at.saturating_add(to);
        let (count, offset) = (native.number(field(6, 8)), native.number(field(8, 12)));
        let first = data_offset.saturating_add(offset);
        let room = bytes.len().saturating_sub(first) / VALUE_SIZE;
        for value in 0..count.min(room) {
            native.reverse(first + value * VALUE_SIZE, VALUE_SIZE);
        }
    }
    Cow::Owned(native.native)
}

/// A copy whose fields are reversed one by one.
struct Reversal<'a> {
    original: &'a [u8],
    native: Vec<u8>,
}

impl Reversal<'_> {
    /// Reverses the bytes of a field. Takes them from the original, because two
    /// statistics may share a value, which must not be reversed twice.
    fn reverse(&mut self, at: usize, len: usize) {
        let range = at..at.saturating_add(len);
        let (Some(from), Some(to)) = (self.original.get(range.clone()), self.native.get_mut(range))
        else {
            return;
        };
        for (to, from) in to.iter_mut().zip(from.iter().rev()) {
            *to = *from;
        }
    }

    /// Returns the number in a field that has been reversed, or 0 if the field
    /// lies beyond the end.
    fn number(&self, field: Range<usize>) -> usize {
        let bytes = self.native.get(field).unwrap_or_default();
        let mut number = [0; size_of::<usize>()];
        let place = if cfg!(target_endian = "little") {
            number.get_mut(..bytes.len())
        } else {
            number.get_mut(size_of::<usize>() - bytes.len()..)
        };
        if let Some(place) = place {
            place.copy_from_slice(bytes);
        }
        usize::from_ne_bytes(number)
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use kvm_stats::{ImageBuilder, ImageStat};

    use super::{is_foreign, to_native};

    /// Reverses every field of a file in which the blocks follow each other: the
    /// id, the descriptors, the data.
    fn foreign(native: &[u8], stats: usize) -> Vec<u8> {
        let field = |at: usize| u32::from_ne_bytes(native[at..at + 4].try_into().unwrap());
        let (name_size, descriptors, data) = (field(4) as usize, field(16), field(20));
        let mut lens = vec![4; 6];
        lens.extend(vec![1; descriptors as usize - 24]);
        for _ in 0..stats {
            lens.extend([4, 2, 2, 4, 4]);
            lens.extend(vec![1; name_size]);
        }
        assert_eq!(lens.iter().sum::<usize>(), data as usize);
        lens.extend(vec![8; (native.len() - data as usize) / 8]);
        let mut rest = native;
        let mut reversed = Vec::new();
        for len in lens {
            let (field, after) = rest.split_at(len);
            reversed.extend(field.iter().rev());
            rest = after;
        }
        reversed
    }

    fn image() -> Vec<u8> {
        ImageBuilder::new("kvm-1/vcpu-0")
            .stat(ImageStat::new("exits", 0, 0, [0x0102_0304_0506_0708]))
            .stat(ImageStat::new("halt", 4 | 2 << 4, -9, [1, 2, 3]))
            .build()
    }

    #[test]
    fn copy_is_converted_when_it_has_the_other_byte_order() {
        let native = image();
        let foreign = foreign(&native, 2);
        assert!(is_foreign(&foreign) && !is_foreign(&native));
        assert_eq!(to_native(&foreign), native);
        assert!(matches!(to_native(&native), Cow::Borrowed(_)));
    }

    #[test]
    fn damaged_copy_is_converted_as_far_as_it_goes() {
        let foreign = foreign(&image(), 2);
        for len in 0..foreign.len() {
            assert_eq!(to_native(&foreign[..len]).len(), len);
        }
        for at in 0..foreign.len() {
            let mut damaged = foreign.clone();
            damaged[at] = 0xff;
            assert_eq!(to_native(&damaged).len(), foreign.len());
        }
    }
}

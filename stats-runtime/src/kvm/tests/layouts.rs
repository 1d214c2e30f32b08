//! Layouts and values: what a file describes is what comes out, and what is
//! wrong with a file is named.

use qapi_stats::stats::{StatsSchemaValue, StatsType, StatsUnit};

use super::{Value, scalar, values};
use crate::kvm::DescribedLayout;
use kvm_stats::{
    Block, Error, Header, Image, ImageBuilder, ImageStat, Layout, LayoutError, NAME_SIZE_MAX,
    NUM_DESC_MAX, VALUES_MAX, Warning, warnings,
};

const LINEAR: u32 = 3;
const LOG2: u32 = 4;
const BYTES: u32 = 1 << 4;
const SECONDS: u32 = 2 << 4;
const CYCLES: u32 = 3 << 4;
const BOOLEAN: u32 = 4 << 4;
const POW2: u32 = 1 << 8;

fn stat(name: &str, flags: u32, exponent: i16, values: &[u64]) -> ImageStat {
    ImageStat::new(name, flags, exponent, values)
}

fn file(stats: impl IntoIterator<Item = ImageStat>) -> ImageBuilder {
    stats
        .into_iter()
        .fold(ImageBuilder::new("kvm-7/vcpu-0"), ImageBuilder::stat)
}

/// Puts `value` into the header's field at `index`.
fn with_field(mut bytes: Vec<u8>, index: usize, value: u32) -> Vec<u8> {
    bytes[index * 4..index * 4 + 4].copy_from_slice(&value.to_ne_bytes());
    bytes
}

fn refusal(bytes: &[u8]) -> LayoutError {
    match Image::read(bytes) {
        Err(Error::Malformed(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn statistics_come_in_reverse_descriptor_order() {
    let bytes = file([
        stat("a", 0, 0, &[1]),
        stat("b", 1, 0, &[2]),
        stat("c", 2, 0, &[3]),
    ])
    .build();
    assert_eq!(
        values(&bytes),
        [scalar("c", 3), scalar("b", 2), scalar("a", 1)]
    );
    let image = Image::read(&bytes).unwrap();
    let described = described(&image);
    let names: Vec<_> = described.schema().map(|stat| stat.name.as_str()).collect();
    assert_eq!(names, ["c", "b", "a"]);
}

#[test]
fn blocks_stand_in_any_order_with_gaps_and_at_odd_places() {
    use Block::{Data, Descriptors, Id};
    let orders = [
        [Id, Descriptors, Data],
        [Id, Data, Descriptors],
        [Descriptors, Id, Data],
        [Descriptors, Data, Id],
        [Data, Id, Descriptors],
        [Data, Descriptors, Id],
    ];
    for order in orders {
        for gap in [0, 1, 8, 13, 64] {
            let bytes = file([stat("a", 0, 0, &[1]), stat("h", LOG2, 0, &[5, 6, 7])])
                .order(order)
                .gap(gap)
                .build();
            let expected = [("h".to_owned(), Value::List(vec![5, 6, 7])), scalar("a", 1)];
            assert_eq!(values(&bytes), expected, "{order:?} with gaps of {gap}");
            assert_eq!(Image::read(&bytes).unwrap().id(), "kvm-7/vcpu-0");
        }
    }
}

#[test]
fn values_lie_in_any_order_and_may_be_unaligned() {
    for shift in 0..8 {
        let bytes = file([
            stat("late", 0, 0, &[u64::MAX]).at(96 + shift),
            stat("hist", LOG2, -9, &[1, u64::MAX, 3, 1 << 63]).at(32 + shift),
            stat("early", 0, 0, &[0x0102_0304_0506_0708]).at(shift),
        ])
        .build();
        let expected = [
            scalar("early", 0x0102_0304_0506_0708),
            (
                "hist".to_owned(),
                Value::List(vec![1, u64::MAX, 3, 1 << 63]),
            ),
            scalar("late", u64::MAX),
        ];
        assert_eq!(values(&bytes), expected);
        let image = Image::read(&bytes).unwrap();
        let data = image.layout().data();
        assert_eq!(data.end - data.start, u64::from(96 + shift + 8));
    }
}

/// Returns what clients see of an image's layout.
fn described(image: &Image) -> DescribedLayout {
    image.layout().clone().into()
}

#[test]
fn the_schema_says_what_qemu_says() {
    let value = |name: &str, type_, unit, base, exponent, bucket_size| {
        StatsSchemaValue::new(name, type_)
            .in_unit(unit)
            .scaled(base, exponent)
            .with_bucket_size(bucket_size)
    };
    let bytes = file([
        // A bucket size is that of a linear histogram and of nothing else.
        stat("plain", 0, 0, &[0]).bucket_size(7),
        stat("gauge", 1 | BYTES | POW2, 10, &[0]),
        stat("peak", 2 | CYCLES | POW2, 0, &[0]),
        stat("linear", LINEAR | BYTES, 3, &[0, 0]).bucket_size(100),
        stat("log", LOG2 | SECONDS, -9, &[0, 0]),
        stat("flag", 1 | BOOLEAN, 0, &[0]),
        stat("future", 0xffff_f000, 0, &[0]),
    ])
    .build();
    let image = Image::read(&bytes).unwrap();
    let schema: Vec<_> = described(&image).schema().cloned().collect();
    use StatsType::{Cumulative, Instant, LinearHistogram, Log2Histogram, Peak};
    let expected = [
        value("future", Cumulative, None, None, 0, None),
        value("flag", Instant, Some(StatsUnit::Boolean), None, 0, None),
        value(
            "log",
            Log2Histogram,
            Some(StatsUnit::Seconds),
            Some(10),
            -9,
            None,
        ),
        value(
            "linear",
            LinearHistogram,
            Some(StatsUnit::Bytes),
            Some(10),
            3,
            Some(100),
        ),
        value("peak", Peak, Some(StatsUnit::Cycles), None, 0, None),
        value("gauge", Instant, Some(StatsUnit::Bytes), Some(2), 10, None),
        value("plain", Cumulative, None, None, 0, None),
    ];
    assert_eq!(schema, expected);
}

#[test]
fn unknown_type_unit_or_base_is_left_out_and_the_rest_kept() {
    let bytes = file([
        stat("type", 15, 0, &[1]),
        stat("kept", 0, 0, &[2]),
        stat("unit", 15 << 4, 0, &[3]),
        // A base matters even where there is no exponent to go with it.
        stat("base", 15 << 8, 0, &[4]),
    ])
    .build();
    assert_eq!(values(&bytes), [scalar("kept", 2)]);
    let image = Image::read(&bytes).unwrap();
    assert_eq!(
        (described(&image).schema().len(), image.layout().skipped()),
        (1, 3)
    );
    // Wherever such a statistic says its values are.
    let mut far = file([stat("far", 15, 0, &[1]), stat("kept", 0, 0, &[2])]).build();
    let at = usize::try_from(Header::parse(&far).unwrap().descriptors().start).unwrap() + 8;
    far[at..at + 4].copy_from_slice(&u32::MAX.to_ne_bytes());
    assert_eq!(values(&far), [scalar("kept", 2)]);
}

#[test]
fn form_goes_by_unit_then_by_size() {
    let bytes = file([
        stat("flag_high", 1 | BOOLEAN, 0, &[1 << 63]),
        stat("flag_off", 1 | BOOLEAN, 0, &[0]),
        stat("flags", 1 | BOOLEAN, 0, &[0, 1]),
        stat("no_flag", 1 | BOOLEAN, 0, &[]),
        stat("one_bucket", LOG2, 0, &[9]),
        stat("list", 0, 0, &[1, 2]),
        stat("none", 0, 0, &[]),
    ])
    .build();
    let expected = [
        ("none", Value::List(vec![])),
        ("list", Value::List(vec![1, 2])),
        ("one_bucket", Value::Scalar(9)),
        ("no_flag", Value::List(vec![])),
        ("flags", Value::Boolean(false)),
        ("flag_off", Value::Boolean(false)),
        ("flag_high", Value::Boolean(true)),
    ];
    assert_eq!(
        values(&bytes),
        expected.map(|(name, value)| (name.to_owned(), value))
    );
}

#[test]
fn a_layout_of_unknown_statistics_is_empty() {
    let bytes = file([stat("unknown", 15, 0, &[1])]).build();
    assert_eq!(values(&bytes), []);
}

#[test]
fn names_need_a_nul_and_lose_bad_utf8() {
    let bad = ImageStat::new(*b"caf\xe9 \xf0\x9f", 0, 0, [1]);
    assert_eq!(
        values(&file([bad]).build()),
        [scalar("caf\u{fffd} \u{fffd}", 1)]
    );
    let full = file([stat("0123", 0, 0, &[1]), stat("01234567", 0, 0, &[1])])
        .name_size(8)
        .build();
    assert_eq!(refusal(&full), LayoutError::NameUnterminated { index: 1 });
    assert_eq!(
        values(&file([stat("", 0, 0, &[1])]).build()),
        [scalar("", 1)]
    );
}

#[test]
fn a_file_may_be_cut_off_anywhere() {
    let bytes = file([stat("a", 0, 0, &[1]), stat("h", LOG2, 0, &[5, 6, 7])])
        .gap(3)
        .build();
    for len in 0..bytes.len() {
        let error = refusal(&bytes[..len]);
        if len < Header::SIZE {
            assert_eq!(error, LayoutError::HeaderTruncated { actual: len });
        } else {
            assert!(
                matches!(error, LayoutError::OutsideFile { file_len, .. } if file_len == len as u64)
            );
        }
    }
}

#[test]
fn absurd_headers_are_refused_by_field() {
    let bytes = file([stat("a", 0, 0, &[1])]).build();
    for value in [0, NAME_SIZE_MAX + 1, u32::MAX] {
        assert_eq!(
            refusal(&with_field(bytes.clone(), 1, value)),
            LayoutError::NameSize { value }
        );
    }
    for value in [0, NUM_DESC_MAX + 1, u32::MAX] {
        assert_eq!(
            refusal(&with_field(bytes.clone(), 2, value)),
            LayoutError::NumDesc { value }
        );
    }
    for (field, expected) in [(3, Block::Id), (4, Block::Descriptors), (5, Block::Data)] {
        let error = refusal(&with_field(bytes.clone(), field, u32::MAX));
        let LayoutError::OutsideFile { block, start, .. } = error else {
            panic!("{error}")
        };
        assert_eq!((block, start), (expected, u64::from(u32::MAX)));
    }
    // Without a known length, as behind a live fd, the read will tell.
    let header = Header::parse(&with_field(bytes.clone(), 4, u32::MAX)).unwrap();
    let range = Header::parse(&bytes).unwrap().descriptors();
    let at = |offset: u64| usize::try_from(offset).unwrap();
    let descriptors = &bytes[at(range.start)..at(range.end)];
    assert!(Layout::parse(&header, descriptors, None).is_ok());
    assert_eq!(
        Layout::parse(&header, &descriptors[1..], None),
        Err(LayoutError::DescriptorsTruncated {
            expected: descriptors.len(),
            actual: descriptors.len() - 1
        })
    );
}

#[test]
fn values_too_far_out_or_too_many_are_refused() {
    // Allow overlapping values, but count each one against the limit; otherwise a small
    // file would expand without bound.
    let many = file((0..9).map(|_| stat("same", LOG2, 0, &[1; 1 << 15]).at(0))).build();
    let error = refusal(&many);
    assert_eq!(
        error,
        LayoutError::DataTooLong {
            index: 8,
            name: "same".to_owned()
        }
    );
    let most = file((0..8).map(|_| stat("same", LOG2, 0, &[1; 1 << 15]).at(0))).build();
    assert_eq!(values(&most).len(), 8);

    let far = file([stat("far", 0, 0, &[1]).at(VALUES_MAX * 8 - 7)]).build();
    assert_eq!(
        refusal(&far),
        LayoutError::DataTooLong {
            index: 0,
            name: "far".to_owned()
        }
    );
    let edge = file([stat("edge", 0, 0, &[1]).at(VALUES_MAX * 8 - 8)]).build();
    assert_eq!(values(&edge), [scalar("edge", 1)]);
}

#[test]
fn the_largest_claim_is_dealt_with_at_once() {
    let fields = [0, NAME_SIZE_MAX, NUM_DESC_MAX, 24, 24, 24];
    let header: Vec<u8> = fields
        .iter()
        .flat_map(|field: &u32| field.to_ne_bytes())
        .collect();
    let header = Header::parse(&header).unwrap();
    let len = usize::try_from(header.descriptors().end - header.descriptors().start).unwrap();
    assert!(len < 3 << 20);
    let layout = Layout::parse(&header, &vec![0; len], None).unwrap();
    assert_eq!(layout.statistics().len(), NUM_DESC_MAX as usize);
}

#[test]
fn warnings_are_those_of_the_kernels_own_test() {
    assert_eq!(warnings(&file([stat("a", 0, 0, &[1])]).build()), Ok(vec![]));
    let odd = file([
        stat("none", 0, -1, &[1]),
        stat("seconds", SECONDS, 1, &[1]),
        stat("boolean", BOOLEAN, 1, &[]),
        stat("linear", LINEAR, 0, &[1, 2]),
        stat("wide", LOG2, 0, &[1, 2]).bucket_size(3),
        stat("future", 15, 0, &[1]),
    ])
    .build();
    let name = str::to_owned;
    let expected = vec![
        Warning::Exponent {
            name: name("none"),
            exponent: -1,
        },
        Warning::Exponent {
            name: name("seconds"),
            exponent: 1,
        },
        Warning::Exponent {
            name: name("boolean"),
            exponent: 1,
        },
        Warning::NoValues {
            name: name("boolean"),
        },
        Warning::BucketSize {
            name: name("linear"),
            bucket_size: 0,
        },
        Warning::BucketSize {
            name: name("wide"),
            bucket_size: 3,
        },
        Warning::Skipped { count: 1 },
    ];
    assert_eq!(warnings(&odd), Ok(expected));

    let bytes = ImageBuilder::new("xen").stat(stat("a", 0, 0, &[1])).build();
    let bytes = with_field(with_field(bytes, 0, 1), 5, 16);
    let expected = vec![
        Warning::HeaderFlags { flags: 1 },
        Warning::Id,
        Warning::WithinHeader { block: Block::Data },
    ];
    assert_eq!(warnings(&bytes), Ok(expected));
    let bytes = with_field(file([stat("a", 0, 0, &[1])]).build(), 5, 25);
    let overlap = Warning::Overlap {
        first: Block::Id,
        second: Block::Data,
    };
    assert_eq!(warnings(&bytes), Ok(vec![overlap]));
}

//! Random files: a good one decodes to what was written, a damaged one is
//! refused or read, and never worse.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Value, values, values_of};
use kvm_stats::{Base, Block, Header, ImageBuilder, ImageStat, Kind, Layout, Unit, warnings};

#[derive(Clone, Debug)]
struct Drawn {
    name: String,
    flags: u32,
    exponent: i16,
    bucket_size: u32,
    values: Vec<u64>,
}

impl Drawn {
    /// What a sink receives; `None` for a statistic of the future.
    fn expected(&self) -> Option<(String, Value)> {
        Kind::from_flags(self.flags).and(Base::from_flags(self.flags))?;
        let unit = Unit::from_flags(self.flags)?;
        let value = match &*self.values {
            [first, ..] if unit == Unit::Boolean => Value::Boolean(*first != 0),
            [value] => Value::Scalar(*value),
            values => Value::List(values.to_vec()),
        };
        Some((self.name.clone(), value))
    }
}

fn drawn() -> impl Strategy<Value = Drawn> {
    // Mostly flags that are known, with bits that have no meaning yet.
    let known_and_one = |len: usize| 0..=u32::try_from(len).unwrap();
    let flags = (
        known_and_one(Kind::ALL.len()),
        known_and_one(Unit::ALL.len()),
        known_and_one(Base::ALL.len()),
        any::<u32>(),
    )
        .prop_map(|(type_, unit, base, high)| type_ | unit << 4 | base << 8 | high << 12);
    let number = prop_oneof![Just(0), Just(u64::MAX), any::<u64>()];
    let values = prop_oneof![vec(number.clone(), 1..=1), vec(number, 0..70)];
    ("[a-z_]{0,20}", flags, any::<i16>(), any::<u32>(), values).prop_map(
        |(name, flags, exponent, bucket_size, values)| Drawn {
            name,
            flags,
            exponent,
            bucket_size,
            values,
        },
    )
}

/// Statistics, and a file of them with blocks and values shuffled.
fn file() -> impl Strategy<Value = (Vec<Drawn>, Vec<u8>)> {
    let order = Just([Block::Id, Block::Descriptors, Block::Data]).prop_shuffle();
    let stats = vec((drawn(), 0_u32..20), 1..20).prop_map(|stats| {
        let places: Vec<usize> = (0..stats.len()).collect();
        (stats, places)
    });
    let stats = stats.prop_flat_map(|(stats, places)| (Just(stats), Just(places).prop_shuffle()));
    (stats, order, 0_usize..20).prop_map(|((stats, places), order, gap)| {
        let mut offsets = vec![0; stats.len()];
        let mut end = 0;
        for place in places {
            let (stat, gap) = &stats[place];
            offsets[place] = end + gap;
            end += gap + u32::try_from(stat.values.len() * 8).unwrap();
        }
        let mut builder = ImageBuilder::new("kvm-1/vcpu-1").order(order).gap(gap);
        for ((stat, _), offset) in stats.iter().zip(offsets) {
            let Drawn {
                name,
                flags,
                exponent,
                bucket_size,
                values,
            } = stat.clone();
            let stat = ImageStat::new(name, flags, exponent, values);
            builder = builder.stat(stat.bucket_size(bucket_size).at(offset));
        }
        (
            stats.into_iter().map(|(stat, _)| stat).collect(),
            builder.build(),
        )
    })
}

proptest! {
    #[test]
    fn a_file_decodes_to_what_was_written((stats, bytes) in file()) {
        let expected: Vec<_> = stats.iter().rev().filter_map(Drawn::expected).collect();
        prop_assert_eq!(values(&bytes), expected);
        prop_assert!(warnings(&bytes).is_ok());
    }

    #[test]
    fn a_damaged_file_is_refused_or_read(
        (_, mut bytes) in file(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        fields in vec((0_usize..6, any::<u32>()), 0..2),
        len in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        for (index, byte) in damage {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        for (field, value) in fields {
            bytes[field * 4..field * 4 + 4].copy_from_slice(&value.to_ne_bytes());
        }
        if cut {
            bytes.truncate(len.index(bytes.len()));
        }
        let _ = values_of(&bytes);
        let _ = warnings(&bytes);
    }

    #[test]
    fn any_bytes_at_all(header in vec(any::<u8>(), 0..40), descriptors in vec(any::<u8>(), 0..4096)) {
        if let Ok(header) = Header::parse(&header) {
            let _ = Layout::parse(&header, &descriptors, None);
            let _ = Layout::parse(&header, &descriptors, Some(4096));
        }
        let _ = values_of(&descriptors);
    }
}

//! Synthetic statistics files, for tests of monitors on machines without KVM.
//!
//! In: statistics with their values, and the order of the blocks. Out: the bytes
//! of a file. The builder checks nothing, so that tests can make files that no
//! kernel writes.

use crate::error::Block;

/// A builder of a statistics file. By default the three blocks follow the header
/// without gaps, in the kernel's order.
#[derive(Clone, Debug)]
pub struct ImageBuilder {
    id: Vec<u8>,
    name_size: Option<u32>,
    order: [Block; 3],
    gap: usize,
    stats: Vec<ImageStat>,
}

/// A statistic of a synthetic file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageStat {
    name: Vec<u8>,
    flags: u32,
    exponent: i16,
    bucket_size: u32,
    offset: Option<u32>,
    values: Vec<u64>,
}

impl ImageStat {
    /// Creates a statistic with these values. `flags` combines
    /// [`Kind::flag`](crate::Kind::flag), [`Unit::flag`](crate::Unit::flag) and
    /// [`Base::flag`](crate::Base::flag); 0 means a cumulative statistic without a
    /// unit.
    #[must_use]
    pub fn new(
        name: impl Into<Vec<u8>>,
        flags: u32,
        exponent: i16,
        values: impl Into<Vec<u64>>,
    ) -> Self {
        let (name, values) = (name.into(), values.into());
        Self {
            name,
            flags,
            exponent,
            bucket_size: 0,
            offset: None,
            values,
        }
    }

    /// Sets the width of a linear histogram's buckets.
    #[must_use]
    pub fn bucket_size(mut self, bucket_size: u32) -> Self {
        self.bucket_size = bucket_size;
        self
    }

    /// Sets the offset of the values in the data block, in bytes. The file grows
    /// as needed. By default the values follow the last values so far.
    #[must_use]
    pub fn at(mut self, offset: u32) -> Self {
        self.offset = Some(offset);
        self
    }
}

impl ImageBuilder {
    /// Creates a builder for the object that the kernel would call `id`:
    /// `kvm-TID` or `kvm-TID/vcpu-ID`.
    #[must_use]
    pub fn new(id: impl Into<Vec<u8>>) -> Self {
        let order = [Block::Id, Block::Descriptors, Block::Data];
        Self {
            id: id.into(),
            name_size: None,
            order,
            gap: 0,
            stats: Vec::new(),
        }
    }

    /// Adds a statistic after the others.
    #[must_use]
    pub fn stat(mut self, stat: ImageStat) -> Self {
        self.stats.push(stat);
        self
    }

    /// Sets the room for each name and for the id, in bytes. Longer names are cut
    /// and have no NUL. By default there is room for the longest name.
    #[must_use]
    pub fn name_size(mut self, name_size: u32) -> Self {
        self.name_size = Some(name_size);
        self
    }

    /// Sets the order of the blocks after the header.
    #[must_use]
    pub fn order(mut self, order: [Block; 3]) -> Self {
        self.order = order;
        self
    }

    /// Sets the number of unused bytes before each block.
    #[must_use]
    pub fn gap(mut self, gap: usize) -> Self {
        self.gap = gap;
        self
    }

    /// Returns the bytes of the file.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        let names = self.stats.iter().map(|stat| &stat.name).chain([&self.id]);
        let longest = names.map(|name| name.len() + 1).max().unwrap_or(1);
        let room = self
            .name_size
            .unwrap_or(saturated(longest.next_multiple_of(8)));
        let (descriptors, data) = self.descriptors_and_data(room);
        let mut offsets = [0_u32; 3];
        let mut body = Vec::new();
        for block in self.order {
            body.resize(body.len() + self.gap, 0xa5);
            let [id_offset, desc_offset, data_offset] = &mut offsets;
            let id = padded(&self.id, room);
            let (offset, bytes) = match block {
                Block::Descriptors => (desc_offset, &descriptors),
                Block::Data => (data_offset, &data),
                Block::Id | Block::Header => (id_offset, &id),
            };
            *offset = saturated(crate::layout::Header::SIZE + body.len());
            body.extend_from_slice(bytes);
        }
        let [id_offset, desc_offset, data_offset] = offsets;
        let fields = [
            0,
            room,
            saturated(self.stats.len()),
            id_offset,
            desc_offset,
            data_offset,
        ];
        fields
            .iter()
            .flat_map(|field| field.to_ne_bytes())
            .chain(body)
            .collect()
    }

    fn descriptors_and_data(&self, room: u32) -> (Vec<u8>, Vec<u8>) {
        let (mut descriptors, mut data) = (Vec::new(), Vec::new());
        for stat in &self.stats {
            let offset = stat
                .offset
                .unwrap_or(saturated(data.len().next_multiple_of(8)));
            let size = u16::try_from(stat.values.len()).unwrap_or(u16::MAX);
            descriptors.extend_from_slice(&stat.flags.to_ne_bytes());
            descriptors.extend_from_slice(&stat.exponent.to_ne_bytes());
            descriptors.extend_from_slice(&size.to_ne_bytes());
            descriptors.extend_from_slice(&offset.to_ne_bytes());
            descriptors.extend_from_slice(&stat.bucket_size.to_ne_bytes());
            descriptors.extend_from_slice(&padded(&stat.name, room));
            let start = offset as usize;
            let end = start + stat.values.len() * size_of::<u64>();
            if data.len() < end {
                data.resize(end, 0x5a);
            }
            let bytes = stat.values.iter().flat_map(|value| value.to_ne_bytes());
            data.iter_mut()
                .skip(start)
                .zip(bytes)
                .for_each(|(to, from)| *to = from);
        }
        (descriptors, data)
    }
}

/// Returns `name`, filled with NULs up to `room` bytes or cut there.
fn padded(name: &[u8], room: u32) -> Vec<u8> {
    let mut bytes = name.to_vec();
    bytes.resize(room as usize, 0);
    bytes
}

fn saturated(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

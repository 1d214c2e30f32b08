//! The checks of Linux's own test of statistics files, as warnings.
//!
//! In: a whole statistics file. Out: warnings, none of which is a reason to refuse
//! a running kernel's file. The checks read no values.
//!
//! The rules are those of tools/testing/selftests/kvm/kvm_binary_stats_test.c.

use std::fmt;
use std::ops::Range;

use crate::error::{Block, LayoutError};
use crate::format::{Kind, Unit};
use crate::image::part;
use crate::layout::{Header, Layout, raw_descriptors};

/// A property of a file that no kernel so far has written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// The header has flags.
    HeaderFlags {
        /// The flags.
        flags: u32,
    },
    /// The object's id does not begin with `kvm`.
    Id,
    /// A block begins within the header.
    WithinHeader {
        /// The block.
        block: Block,
    },
    /// Two blocks share bytes.
    Overlap {
        /// The block that begins first.
        first: Block,
        /// The other block.
        second: Block,
    },
    /// A statistic's exponent does not fit its unit.
    Exponent {
        /// The statistic.
        name: String,
        /// The exponent.
        exponent: i16,
    },
    /// A statistic has no values.
    NoValues {
        /// The statistic.
        name: String,
    },
    /// A linear histogram has no bucket size, or something else has one.
    BucketSize {
        /// The statistic.
        name: String,
        /// The bucket size.
        bucket_size: u32,
    },
    /// Statistics were left out because their type, unit or base is unknown.
    Skipped {
        /// The number of statistics that were left out.
        count: usize,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeaderFlags { flags } => write!(f, "the header has unknown flags {flags:#x}"),
            Self::Id => f.write_str("the id does not begin with 'kvm'"),
            Self::WithinHeader { block } => write!(f, "the {block} begins within the header"),
            Self::Overlap { first, second } => write!(f, "the {first} and the {second} overlap"),
            Self::Exponent { name, exponent } => {
                write!(
                    f,
                    "'{name}' has exponent {exponent}, which does not go with its unit"
                )
            }
            Self::NoValues { name } => write!(f, "'{name}' has no values"),
            Self::BucketSize {
                name,
                bucket_size: 0,
            } => {
                write!(f, "'{name}' is a linear histogram without a bucket size")
            }
            Self::BucketSize { name, bucket_size } => {
                write!(
                    f,
                    "'{name}' has bucket size {bucket_size} but is no linear histogram"
                )
            }
            Self::Skipped { count } => {
                write!(f, "{count} statistics have an unknown type, unit or base")
            }
        }
    }
}

/// Returns the warnings about the statistics file with these `bytes`.
///
/// # Errors
///
/// Returns [`LayoutError`] if the file cannot be read at all.
pub fn warnings(bytes: &[u8]) -> Result<Vec<Warning>, LayoutError> {
    let header = Header::parse(bytes)?;
    let descriptors = part(bytes, header.descriptors());
    let layout = Layout::parse(&header, descriptors, Some(bytes.len() as u64))?;
    let mut warnings = Vec::new();
    if header.flags != 0 {
        warnings.push(Warning::HeaderFlags {
            flags: header.flags,
        });
    }
    if !part(bytes, header.id()).starts_with(b"kvm") {
        warnings.push(Warning::Id);
    }
    warn_of_blocks(&header, &layout, &mut warnings);
    for (index, raw) in raw_descriptors(&header, descriptors)?.enumerate() {
        let name = || Ok(String::from_utf8_lossy(raw.name(index)?).into_owned());
        let unit = Unit::from_flags(raw.flags);
        if unit.is_some_and(|unit| !unit.exponents().contains(&raw.exponent)) {
            warnings.push(Warning::Exponent {
                name: name()?,
                exponent: raw.exponent,
            });
        }
        if raw.size == 0 {
            warnings.push(Warning::NoValues { name: name()? });
        }
        let linear = Kind::from_flags(raw.flags) == Some(Kind::LinearHistogram);
        if linear != (raw.bucket_size != 0) {
            warnings.push(Warning::BucketSize {
                name: name()?,
                bucket_size: raw.bucket_size,
            });
        }
    }
    if layout.skipped() > 0 {
        warnings.push(Warning::Skipped {
            count: layout.skipped(),
        });
    }
    Ok(warnings)
}

fn warn_of_blocks(header: &Header, layout: &Layout, warnings: &mut Vec<Warning>) {
    let mut blocks: [(Block, Range<u64>); 3] = [
        (Block::Id, header.id()),
        (Block::Descriptors, header.descriptors()),
        (Block::Data, layout.data()),
    ];
    blocks.sort_by_key(|(_, range)| range.start);
    for (block, range) in &blocks {
        if range.start < Header::SIZE as u64 {
            warnings.push(Warning::WithinHeader { block: *block });
        }
    }
    for pair in blocks.windows(2) {
        if let [(first, before), (second, behind)] = pair
            && behind.start < before.end
            && !behind.is_empty()
        {
            warnings.push(Warning::Overlap {
                first: *first,
                second: *second,
            });
        }
    }
}

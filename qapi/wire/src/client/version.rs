//! The version in a server's greeting.
//!
//! In: the greeting. Out: three numbers and the package's text. Generated code has
//! the same as `VersionInfo`, but not every schema includes that type.

use std::fmt;

use crate::decode::{Decode, DecodeMembers, Members, decode_object};
use crate::document::Node;
use crate::error::Result;
use crate::path::ValuePath;

/// The version in a server's greeting.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    /// The major number, `7` of QEMU 7.2.1.
    pub major: u32,
    /// The minor number, `2` of QEMU 7.2.1.
    pub minor: u32,
    /// The micro number, `1` of QEMU 7.2.1.
    pub micro: u32,
    /// The name of the package that was built; often empty.
    pub package: String,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor, micro) = (self.major, self.minor, self.micro);
        write!(f, "{major}.{minor}.{micro}")
    }
}

/// The member `qemu`, in a type of its own so that errors name its path.
struct Triple {
    major: u32,
    minor: u32,
    micro: u32,
}

impl DecodeMembers for Triple {
    fn decode_members(members: &mut Members<'_>) -> Result<Self> {
        Ok(Self {
            major: members.required("major")?,
            minor: members.required("minor")?,
            micro: members.required("micro")?,
        })
    }
}

impl Decode for Triple {
    fn decode(value: Node<'_>, at: ValuePath<'_>) -> Result<Self> {
        decode_object(value, at)
    }
}

impl DecodeMembers for Version {
    fn decode_members(members: &mut Members<'_>) -> Result<Self> {
        let Triple {
            major,
            minor,
            micro,
        } = members.required("qemu")?;
        let package: Option<String> = members.optional("package")?;
        Ok(Self {
            major,
            minor,
            micro,
            package: package.unwrap_or_default(),
        })
    }
}

impl Decode for Version {
    fn decode(value: Node<'_>, at: ValuePath<'_>) -> Result<Self> {
        decode_object(value, at)
    }
}

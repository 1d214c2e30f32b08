//! A type of our own in place of a schema's, as a user of the builder writes
//! one.
//!
//! In: the members of `Circle`. Out: the same by another name.

use qapi_wire::{DecodeMembers, EncodeMembers, Members, ObjectWriter, Result};

/// A circle by its diameter; on the wire it has a radius.
#[derive(Clone, Debug, PartialEq)]
pub struct Disc {
    /// Twice the radius.
    pub diameter: f64,
}

impl DecodeMembers for Disc {
    fn decode_members(members: &mut Members<'_>) -> Result<Self> {
        let radius: f64 = members.required("radius")?;
        Ok(Self {
            diameter: 2.0 * radius,
        })
    }
}

impl EncodeMembers for Disc {
    fn encode_members(&self, out: &mut ObjectWriter<'_, '_>) {
        out.required("radius", &(self.diameter / 2.0));
    }
}

qapi_wire::object!(Disc);

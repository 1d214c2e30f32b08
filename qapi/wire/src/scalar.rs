//! Decoding and encoding of the built-in types, of lists, boxes and trees.
//!
//! In: nodes, or values. Out: values, or text. The ranges, and the names of types
//! in errors, are those of QEMU's `qapi-visit-core.c`.

use std::collections::TryReserveError;

use crate::decode::{Decode, DecodeMembers, Members};
use crate::document::{Item, Node};
use crate::encode::{Encode, EncodeMembers, ObjectWriter, Writer};
use crate::error::{Error, Result};
use crate::path::ValuePath;
use crate::value::{Dict, Value};

impl Decode for String {
    #[inline]
    fn decode(value: Node<'_>, at: ValuePath<'_>) -> Result<Self> {
        boxed_text(value, at).map(Self::from)
    }
}

/// Copies a string. Returns a `Box<str>`, because a result with a `Box` is
/// returned in registers, and one with a `String` would be moved through memory.
#[inline(never)]
fn boxed_text(value: Node<'_>, at: ValuePath<'_>) -> Result<Box<str>> {
    /// The length up to which a failed allocation ends the process: a peer cannot
    /// exhaust the memory with a short string, and checking takes time.
    const SHORT_BYTES_MAX: usize = 4096;
    let Some(text) = value.as_str() else {
        return Err(at.invalid_type("string"));
    };
    if text.len() <= SHORT_BYTES_MAX {
        return Ok(text.into());
    }
    let mut copy = String::new();
    copy.try_reserve_exact(text.len()).map_err(out_of_memory)?;
    copy.push_str(text);
    Ok(copy.into_boxed_str())
}

/// Makes the error for a value that is larger than the memory.
#[cold]
fn out_of_memory(_: TryReserveError) -> Error {
    Error::generic("The value does not fit into memory")
}

impl Decode for bool {
    fn decode(value: Node<'_>, at: ValuePath<'_>) -> Result<Self> {
        match value.item() {
            Item::Bool(flag) => Ok(flag),
            _ => Err(at.invalid_type("boolean")),
        }
    }
}

impl Decode for f64 {
    #[expect(clippy::cast_precision_loss, reason = "QAPI's number is a double")]
    fn decode(value: Node<'_>, at: ValuePath<'_>) -> Result<Self> {
        match value.item() {
            Item::Int(number) => Ok(number as f64),
            Item::Uint(number) => Ok(number as f64),
            Item::Double(number) => Ok(number),
            _ => Err(at.invalid_type("number")),
        }
    }
}

/// QAPI's type `null`: the JSON null and nothing else.
impl Decode for () {
    fn decode(value: Node<'_>, at: ValuePath<'_>) -> Result<Self> {
        match value.item() {
            Item::Null => Ok(()),
            _ => Err(at.invalid_type("null")),
        }
    }
}

/// QAPI's type `any`.
impl Decode for Value {
    fn decode(value: Node<'_>, _: ValuePath<'_>) -> Result<Self> {
        Ok(value.to_value())
    }
}

impl Decode for Dict {
    fn decode(value: Node<'_>, at: ValuePath<'_>) -> Result<Self> {
        match value.to_value() {
            Value::Object(dict) => Ok(dict),
            _ => Err(at.invalid_type("object")),
        }
    }
}

impl Decode for i64 {
    fn decode(value: Node<'_>, at: ValuePath<'_>) -> Result<Self> {
        match value.item() {
            Item::Int(number) => Ok(number),
            _ => Err(at.invalid_type("integer")),
        }
    }
}

impl Decode for u64 {
    /// Decodes a number; a negative one wraps, as in QEMU.
    #[expect(
        clippy::cast_sign_loss,
        reason = "QEMU's visitor wraps negative numbers"
    )]
    fn decode(value: Node<'_>, at: ValuePath<'_>) -> Result<Self> {
        match value.item() {
            Item::Int(number) => Ok(number as u64),
            Item::Uint(number) => Ok(number),
            _ => Err(at.invalid_uint64()),
        }
    }
}

macro_rules! narrow_integers {
    ($($ty:ty, $wide:ty, $c_name:literal;)*) => {$(
        impl Decode for $ty {
            fn decode(value: Node<'_>, at: ValuePath<'_>) -> Result<Self> {
                let wide = <$wide>::decode(value, at)?;
                Self::try_from(wide).map_err(|_| at.out_of_range($c_name))
            }
        }
    )*};
}

narrow_integers! {
    i8, i64, "int8_t";
    i16, i64, "int16_t";
    i32, i64, "int32_t";
    u8, u64, "uint8_t";
    u16, u64, "uint16_t";
    u32, u64, "uint32_t";
}

macro_rules! encode_integers {
    ($($ty:ty)*) => {$(
        impl Encode for $ty {
            #[inline]
            fn encode(&self, out: &mut Writer<'_>) {
                out.integer(*self);
            }
        }
    )*};
}

encode_integers! { i8 i16 i32 i64 u8 u16 u32 u64 }

impl<T: Decode> Decode for Vec<T> {
    fn decode(value: Node<'_>, at: ValuePath<'_>) -> Result<Self> {
        /// The most elements that room is made for before the first is decoded:
        /// the elements of a wrong list may be far smaller than the type's.
        const CAPACITY_FIRST: usize = 1024;
        let Some(elements) = value.elements() else {
            return Err(at.invalid_type("array"));
        };
        let len = elements.len();
        let mut list = Self::new();
        for (index, element) in elements.enumerate() {
            if list.len() == list.capacity() {
                // Double the room, but never beyond the number of elements.
                let more = index.max(CAPACITY_FIRST).min(len - index);
                list.try_reserve_exact(more).map_err(out_of_memory)?;
            }
            list.push(T::decode(element, at.element(index))?);
        }
        Ok(list)
    }
}

impl<T: Decode> Decode for Box<T> {
    fn decode(value: Node<'_>, at: ValuePath<'_>) -> Result<Self> {
        T::decode(value, at).map(Box::new)
    }
}

impl<T: DecodeMembers> DecodeMembers for Box<T> {
    fn decode_members(members: &mut Members<'_>) -> Result<Self> {
        T::decode_members(members).map(Box::new)
    }
}

impl Encode for str {
    fn encode(&self, out: &mut Writer<'_>) {
        out.string(self);
    }
}

impl Encode for String {
    fn encode(&self, out: &mut Writer<'_>) {
        out.string(self);
    }
}

impl Encode for bool {
    fn encode(&self, out: &mut Writer<'_>) {
        out.boolean(*self);
    }
}

impl Encode for f64 {
    fn encode(&self, out: &mut Writer<'_>) {
        out.double(*self);
    }
}

impl Encode for () {
    fn encode(&self, out: &mut Writer<'_>) {
        out.null();
    }
}

impl Encode for Value {
    fn encode(&self, out: &mut Writer<'_>) {
        match self {
            Self::Null => out.null(),
            Self::Bool(flag) => out.boolean(*flag),
            Self::Int(number) => out.integer(*number),
            Self::Uint(number) => out.integer(*number),
            Self::Double(number) => out.double(*number),
            Self::String(text) => out.string(text),
            Self::Array(elements) => elements.encode(out),
            Self::Object(dict) => dict.encode(out),
        }
    }
}

impl Encode for Node<'_> {
    fn encode(&self, out: &mut Writer<'_>) {
        match self.item() {
            Item::Null => out.null(),
            Item::Bool(flag) => out.boolean(flag),
            Item::Int(number) => out.integer(number),
            Item::Uint(number) => out.integer(number),
            Item::Double(number) => out.double(number),
            Item::String { .. } => out.string(self.as_str().unwrap_or_default()),
            Item::Array { len, .. } => encode_elements(*self, len, out),
            Item::Object { len, .. } => encode_members(*self, len, out),
        }
    }
}

// Two functions that step through the list themselves, because iterators and the
// locals of other kinds would multiply the frames of this recursion, which goes
// as deep as a message nests.
fn encode_elements(array: Node<'_>, len: u32, out: &mut Writer<'_>) {
    let mut writer = out.array();
    let mut index = array.first_child();
    for _ in 0..len {
        array.at(index).encode(writer.element());
        index = array.document().next_sibling(index);
    }
    writer.end();
}

fn encode_members(object: Node<'_>, len: u32, out: &mut Writer<'_>) {
    let mut writer = out.object();
    let mut index = object.first_child();
    for _ in 0..len {
        let name = object.document().string(index).unwrap_or_default();
        object.at(index + 1).encode(writer.name(name));
        index = object.document().next_sibling(index + 1);
    }
    writer.end();
}

impl Encode for Dict {
    fn encode(&self, out: &mut Writer<'_>) {
        out.members(self);
    }
}

impl EncodeMembers for Dict {
    fn encode_members(&self, out: &mut ObjectWriter<'_, '_>) {
        for (name, value) in self.iter() {
            out.required(name, value);
        }
    }
}

impl<T: Encode> Encode for [T] {
    fn encode(&self, out: &mut Writer<'_>) {
        let mut array = out.array();
        for element in self {
            array.push(element);
        }
        array.end();
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn encode(&self, out: &mut Writer<'_>) {
        self.as_slice().encode(out);
    }
}

impl<T: Encode + ?Sized> Encode for Box<T> {
    fn encode(&self, out: &mut Writer<'_>) {
        (**self).encode(out);
    }
}

impl<T: EncodeMembers + ?Sized> EncodeMembers for Box<T> {
    fn encode_members(&self, out: &mut ObjectWriter<'_, '_>) {
        (**self).encode_members(out);
    }
}

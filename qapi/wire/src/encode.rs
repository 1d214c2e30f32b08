//! From a typed value to JSON text.
//!
//! In: values. Out: bytes at the end of a buffer, in QEMU's spelling: `", "`
//! and `": "` between things, ASCII only. A caller that changes its mind cuts
//! the buffer back to a [`Writer::mark`].

use crate::compat::Policy;
use crate::features::SpecialFeatures;
use crate::json::{double, string, write_digits};

/// A type that can be written as JSON.
pub trait Encode {
    /// Writes the value.
    fn encode(&self, out: &mut Writer<'_>);
}

/// An object type: its members can also be written among others, as a union's
/// branch is.
pub trait EncodeMembers {
    /// Writes the members.
    fn encode_members(&self, out: &mut ObjectWriter<'_, '_>);
}

/// What most values fit into.
const CAPACITY_BYTES: usize = 512;

/// The JSON text of a value.
#[must_use]
pub fn to_json<T: Encode + ?Sized>(value: &T) -> String {
    // The writer only writes ASCII.
    String::from_utf8(to_vec(value)).unwrap_or_default()
}

/// The same as bytes, for the wire: nobody looks at them again.
#[must_use]
pub fn to_vec<T: Encode + ?Sized>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(CAPACITY_BYTES);
    value.encode(&mut Writer::new(&mut bytes));
    bytes
}

/// Writes JSON values to the end of a buffer.
///
/// A writer with a limit writes nothing more once the buffer has reached it,
/// and remembers that: what it wrote is then no JSON, and for the caller to
/// discard.
pub struct Writer<'a> {
    bytes: &'a mut Vec<u8>,
    bytes_max: usize,
    raise_limit: Option<&'a dyn Fn(usize) -> usize>,
    overflowed: bool,
    policy: Policy,
}

impl std::fmt::Debug for Writer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("bytes", &self.bytes.len())
            .field("bytes_max", &self.bytes_max)
            .finish_non_exhaustive()
    }
}

impl<'a> Writer<'a> {
    /// A writer that appends to `bytes`.
    pub fn new(bytes: &'a mut Vec<u8>) -> Self {
        Self::limited(bytes, usize::MAX)
    }

    /// A writer that appends to `bytes` as long as they are fewer than
    /// `bytes_max`.
    pub fn limited(bytes: &'a mut Vec<u8>, bytes_max: usize) -> Self {
        Self {
            bytes,
            bytes_max,
            raise_limit: None,
            overflowed: false,
            policy: Policy::default(),
        }
    }

    /// Asks `raise_limit` for a higher limit whenever the buffer has reached
    /// the limit: so that memory is granted as it is used. The function gets
    /// the length of the buffer, and returns that length or less to refuse.
    #[must_use]
    pub fn with_raised_limit(mut self, raise_limit: &'a dyn Fn(usize) -> usize) -> Self {
        self.raise_limit = Some(raise_limit);
        self
    }

    /// Has members left out that a policy hides.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// What is hidden.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// Whether something was not written because of the limit.
    #[must_use]
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// The buffer, if it is not full.
    #[inline]
    fn room(&mut self) -> Option<&mut Vec<u8>> {
        if self.bytes.len() >= self.bytes_max && !self.has_raised_limit() {
            return None;
        }
        Some(self.bytes)
    }

    #[cold]
    fn has_raised_limit(&mut self) -> bool {
        if let Some(raise_limit) = self.raise_limit
            && !self.overflowed
        {
            self.bytes_max = raise_limit(self.bytes.len());
        }
        let has_room = self.bytes.len() < self.bytes_max;
        if !has_room {
            self.overflowed = true;
            self.bytes.truncate(self.bytes_max);
        }
        has_room
    }

    /// Where the next byte goes.
    #[must_use]
    pub fn mark(&self) -> usize {
        self.bytes.len()
    }

    /// Takes back everything written since `mark` was taken.
    pub fn truncate(&mut self, mark: usize) {
        self.bytes.truncate(mark);
    }

    /// Writes `null`.
    pub fn null(&mut self) {
        self.raw(b"null");
    }

    /// Writes `true` or `false`.
    pub fn boolean(&mut self, flag: bool) {
        self.raw(if flag { b"true" } else { b"false" });
    }

    /// Writes an integer.
    #[inline]
    pub fn integer<I: Integer>(&mut self, number: I) {
        let (is_negative, magnitude) = number.parts();
        // Whether there is room is looked at for what stands behind it, which
        // takes an integer too many back.
        if is_negative {
            self.bytes.push(b'-');
        }
        write_digits(magnitude, self.bytes);
    }

    /// Writes a double as C's `%.17g` does, which is how QEMU does.
    pub fn double(&mut self, number: f64) {
        if let Some(bytes) = self.room() {
            double::write(number, bytes);
        }
    }

    /// Writes a string.
    #[inline]
    pub fn string(&mut self, string: &str) {
        if let Some(bytes) = self.room() {
            string::write(string, bytes);
        }
    }

    /// Writes text that is JSON already. The caller answers for it.
    #[inline]
    pub fn raw(&mut self, json: &[u8]) {
        if let Some(bytes) = self.room() {
            bytes.extend_from_slice(json);
        }
    }

    /// Has `write` append text that is JSON already, unless the buffer is
    /// full. The caller answers for the text, and for its length: the limit is
    /// looked at before.
    #[inline]
    pub fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if let Some(bytes) = self.room() {
            write(bytes);
        }
    }

    /// Begins an object.
    #[inline]
    pub fn object<'b>(&'b mut self) -> ObjectWriter<'b, 'a> {
        ObjectWriter {
            out: self,
            empty: true,
        }
    }

    /// Begins an array.
    #[inline]
    pub fn array<'b>(&'b mut self) -> ArrayWriter<'b, 'a> {
        self.raw(b"[");
        ArrayWriter {
            out: self,
            empty: true,
        }
    }

    /// Writes a whole object.
    pub fn members<T: EncodeMembers + ?Sized>(&mut self, object: &T) {
        let mut members = self.object();
        object.encode_members(&mut members);
        members.end();
    }
}

/// An integer of any size that the schema language has.
pub trait Integer: Copy {
    /// Whether it is negative, and how far from zero it is.
    fn parts(self) -> (bool, u64);
}

macro_rules! integers {
    ($($signed:ty, $unsigned:ty;)*) => {$(
        impl Integer for $signed {
            #[inline]
            fn parts(self) -> (bool, u64) {
                (self < 0, u64::from(self.unsigned_abs()))
            }
        }

        impl Integer for $unsigned {
            #[inline]
            fn parts(self) -> (bool, u64) {
                (false, u64::from(self))
            }
        }
    )*};
}

integers! { i8, u8; i16, u16; i32, u32; i64, u64; }

/// What can name a member: any string, or a [`Name`].
pub trait MemberName {
    /// Writes the name and what stands around it: if it is the first, the
    /// brace that begins the object.
    fn write(&self, is_first: bool, out: &mut Writer<'_>);
}

impl MemberName for &str {
    fn write(&self, is_first: bool, out: &mut Writer<'_>) {
        out.raw(if is_first { b"{" } else { b", " });
        out.string(self);
        out.raw(b": ");
    }
}

/// A member's name that is written as it is, with what stands around it: made
/// by [`name!`](crate::name).
#[derive(Clone, Copy, Debug)]
pub struct Name {
    first: &'static str,
    other: &'static str,
}

impl Name {
    /// A name; in quotes between `{` and `": "`, and between `", "` and `": "`.
    ///
    /// # Panics
    ///
    /// When it is compiled: if the name has characters that are not written as
    /// they are.
    #[must_use]
    pub const fn new(name: &'static str, first: &'static str, other: &'static str) -> Self {
        let mut bytes = name.as_bytes();
        while let [byte, rest @ ..] = bytes {
            let is_plain = matches!(byte, b' '..=b'~') && *byte != b'"' && *byte != b'\\';
            assert!(is_plain, "a name that is not written as it is");
            bytes = rest;
        }
        Self { first, other }
    }
}

impl MemberName for Name {
    #[inline]
    fn write(&self, is_first: bool, out: &mut Writer<'_>) {
        out.raw(if is_first { self.first } else { self.other }.as_bytes());
    }
}

/// Writes the members of an object. Call [`end`](Self::end) when done.
#[derive(Debug)]
#[must_use = "an object has to be ended"]
pub struct ObjectWriter<'b, 'a> {
    out: &'b mut Writer<'a>,
    empty: bool,
}

impl<'a> ObjectWriter<'_, 'a> {
    /// Writes a name, and hands out the writer for its value.
    #[inline]
    pub fn name(&mut self, name: impl MemberName) -> &mut Writer<'a> {
        name.write(self.empty, self.out);
        self.empty = false;
        self.out
    }

    /// What is hidden.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.out.policy
    }

    /// Writes a member.
    #[inline]
    pub fn required<T: Encode + ?Sized>(&mut self, name: impl MemberName, value: &T) {
        value.encode(self.name(name));
    }

    /// Writes a member, if there is one.
    #[inline]
    pub fn optional<T: Encode>(&mut self, name: impl MemberName, value: &Option<T>) {
        if let Some(value) = value {
            self.required(name, value);
        }
    }

    /// Writes a member that has special features, unless the policy hides it.
    pub fn required_special<T: Encode + ?Sized>(
        &mut self,
        name: impl MemberName,
        special: SpecialFeatures,
        value: &T,
    ) {
        if !self.out.policy.hides(special) {
            self.required(name, value);
        }
    }

    /// Writes a member that has special features, if there is one and the
    /// policy does not hide it.
    pub fn optional_special<T: Encode>(
        &mut self,
        name: impl MemberName,
        special: SpecialFeatures,
        value: &Option<T>,
    ) {
        if let Some(value) = value {
            self.required_special(name, special, value);
        }
    }

    /// Writes a member that is an object, unless that comes out empty.
    pub fn object_if_any<T: EncodeMembers + ?Sized>(&mut self, name: impl MemberName, object: &T) {
        let (mark, was_empty) = (self.out.mark(), self.empty);
        let mut members = self.name(name).object();
        object.encode_members(&mut members);
        let is_empty = members.empty;
        members.end();
        if is_empty {
            self.out.truncate(mark);
            self.empty = was_empty;
        }
    }

    /// Ends the object.
    #[inline]
    pub fn end(self) {
        self.out.raw(if self.empty { b"{}" } else { b"}" });
    }
}

/// Writes the elements of an array. Call [`end`](Self::end) when done.
#[derive(Debug)]
#[must_use = "an array has to be ended"]
pub struct ArrayWriter<'b, 'a> {
    out: &'b mut Writer<'a>,
    empty: bool,
}

impl<'a> ArrayWriter<'_, 'a> {
    /// Hands out the writer for the next element.
    #[inline]
    pub fn element(&mut self) -> &mut Writer<'a> {
        if !self.empty {
            self.out.raw(b", ");
        }
        self.empty = false;
        self.out
    }

    /// Writes an element.
    #[inline]
    pub fn push<T: Encode + ?Sized>(&mut self, value: &T) {
        value.encode(self.element());
    }

    /// Ends the array.
    #[inline]
    pub fn end(self) {
        self.out.raw(b"]");
    }
}

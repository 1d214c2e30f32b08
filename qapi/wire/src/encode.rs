//! Encoding: from typed values to JSON text.
//!
//! In: values. Out: bytes at the end of a buffer, in QEMU's spelling: ASCII, with
//! `", "` between elements and `": "` after names. A caller can remove what it
//! has written by truncating the buffer to a [`Writer::mark`].

use crate::compat::Policy;
use crate::features::SpecialFeatures;
use crate::json::{double, string, write_digits};

/// A type that can be written as JSON.
pub trait Encode {
    /// Writes the value.
    fn encode(&self, out: &mut Writer<'_>);
}

/// An object type whose members can be written into an object with further
/// members, as the branch of a union is.
pub trait EncodeMembers {
    /// Writes the members.
    fn encode_members(&self, out: &mut ObjectWriter<'_, '_>);
}

/// The initial capacity of a buffer, in which most values fit.
const CAPACITY_BYTES: usize = 512;

/// Returns the JSON text of a value.
#[must_use]
pub fn to_json<T: Encode + ?Sized>(value: &T) -> String {
    // The conversion cannot fail, because the writer only writes ASCII.
    String::from_utf8(to_vec(value)).unwrap_or_default()
}

/// Returns the JSON text of a value as bytes, which saves the check that they
/// are UTF-8.
#[must_use]
pub fn to_vec<T: Encode + ?Sized>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(CAPACITY_BYTES);
    value.encode(&mut Writer::new(&mut bytes));
    bytes
}

/// The bytes by which a single text may exceed a raised limit at no cost.
const EXCESS_BYTES: usize = 64 << 10;

/// Writes JSON values to the end of a buffer.
///
/// A writer with a limit writes nothing more once the buffer has reached the
/// limit, and reports this through [`overflowed`](Self::overflowed). The text is
/// then incomplete, and the caller must discard it.
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
    /// Makes a writer that appends to `bytes`.
    pub fn new(bytes: &'a mut Vec<u8>) -> Self {
        Self::limited(bytes, usize::MAX)
    }

    /// Makes a writer that appends to `bytes` as long as their number is below
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
    ///
    /// The buffer then gets memory for the new limit and 64 KiB more, because
    /// the last text may exceed the limit, and a vector that grows by itself
    /// may take twice what it needs.
    #[must_use]
    pub fn with_raised_limit(mut self, raise_limit: &'a dyn Fn(usize) -> usize) -> Self {
        self.raise_limit = Some(raise_limit);
        self
    }

    /// Returns this writer with a policy, whose hidden members it leaves out.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Returns the policy, which decides what is hidden.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// Returns whether the limit kept something from being written.
    #[must_use]
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// Returns the buffer; `None` if it is full.
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
            let room_bytes = self.bytes_max.saturating_sub(self.bytes.len());
            if room_bytes > 0 {
                self.bytes.reserve_exact(room_bytes + EXCESS_BYTES);
            }
        }
        let has_room = self.bytes.len() < self.bytes_max;
        if !has_room {
            self.overflowed = true;
            self.bytes.truncate(self.bytes_max);
        }
        has_room
    }

    /// Returns the position of the next byte.
    #[must_use]
    pub fn mark(&self) -> usize {
        self.bytes.len()
    }

    /// Removes everything that was written since `mark` was taken.
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
        // The limit is not checked here: the next call of `raw` checks it and
        // truncates, so that at most one integer exceeds the limit until then.
        if is_negative {
            self.bytes.push(b'-');
        }
        write_digits(magnitude, self.bytes);
    }

    /// Writes a double as C's `%.17g` does, like QEMU.
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

    /// Writes a text that is JSON already. The text is not checked.
    #[inline]
    pub fn raw(&mut self, json: &[u8]) {
        if let Some(bytes) = self.room() {
            bytes.extend_from_slice(json);
        }
    }

    /// Lets `write` append a text that is JSON already, unless the buffer is full.
    /// The text is not checked, and may exceed the limit, which is only checked
    /// before the call.
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

/// An integer of one of the sizes that the schema language has.
pub trait Integer: Copy {
    /// Returns whether the integer is negative, and its absolute value.
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

/// The name of a member: any string, or a [`Name`].
pub trait MemberName {
    /// Writes the name, the punctuation before it and the colon after it. The
    /// punctuation before the first name is the brace that begins the object.
    fn write(&self, is_first: bool, out: &mut Writer<'_>);
}

impl MemberName for &str {
    fn write(&self, is_first: bool, out: &mut Writer<'_>) {
        out.raw(if is_first { b"{" } else { b", " });
        out.string(self);
        out.raw(b": ");
    }
}

/// A member's name with the punctuation around it, as one text that is made at
/// compile time: see [`name!`](crate::name).
#[derive(Clone, Copy, Debug)]
pub struct Name {
    first: &'static str,
    other: &'static str,
}

impl Name {
    /// Makes a name. `first` is the quoted name between `{` and `: `, and `other`
    /// is the quoted name between `, ` and `: `.
    ///
    /// # Panics
    ///
    /// Panics at compile time if the name has characters that JSON escapes.
    #[must_use]
    pub const fn new(name: &'static str, first: &'static str, other: &'static str) -> Self {
        let mut bytes = name.as_bytes();
        while let [byte, rest @ ..] = bytes {
            let is_plain = matches!(byte, b' '..=b'~') && *byte != b'"' && *byte != b'\\';
            assert!(is_plain, "the name has characters that JSON escapes");
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
    /// Writes a name, and returns the writer for its value.
    #[inline]
    pub fn name(&mut self, name: impl MemberName) -> &mut Writer<'a> {
        name.write(self.empty, self.out);
        self.empty = false;
        self.out
    }

    /// Returns the policy, which decides what is hidden.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.out.policy
    }

    /// Writes a member.
    #[inline]
    pub fn required<T: Encode + ?Sized>(&mut self, name: impl MemberName, value: &T) {
        value.encode(self.name(name));
    }

    /// Writes an optional member, if it is present.
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

    /// Writes an optional member that has special features, if it is present and
    /// the policy does not hide it.
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

    /// Writes a member that is an object, unless the object turns out empty.
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
    /// Returns the writer for the next element.
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

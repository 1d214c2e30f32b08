//! Decoding: from a JSON document to typed values.
//!
//! In: a [`Node`] and its [`ValuePath`], which leads to the [`Context`]. Out: the
//! typed value, or QEMU's error for it. [`Members`] are taken by name in schema
//! order, and those that are left over are refused at the end: QEMU's visitors
//! look in this order, so that the first error is theirs.

use crate::context::{Context, Mode};
use crate::document::{Document, Item, Node};
use crate::error::Result;
use crate::features::SpecialFeatures;
use crate::path::ValuePath;
use crate::value::{Dict, Value};

/// A type that can be decoded from JSON.
pub trait Decode: Sized {
    /// Decodes `value`; errors name the path `at`.
    ///
    /// # Errors
    ///
    /// Fails with QEMU's error for the first part that does not fit the type.
    fn decode(value: Node<'_>, at: ValuePath<'_>) -> Result<Self>;
}

/// An object type whose members can be decoded out of an object with further
/// members, as the branch of a union is.
pub trait DecodeMembers: Sized {
    /// Takes this type's members out of `members`.
    ///
    /// # Errors
    ///
    /// Fails with QEMU's error for the first member that does not fit the type.
    fn decode_members(members: &mut Members<'_>) -> Result<Self>;
}

/// Decodes a whole object, which may have no further members in strict mode.
///
/// # Errors
///
/// Fails with QEMU's error for the first member that does not fit the type.
pub fn decode_object<T: DecodeMembers>(value: Node<'_>, at: ValuePath<'_>) -> Result<T> {
    let mut members = Members::open(value, at)?;
    // Keep a single result instead of using `?`: the compiler then writes it to
    // the caller's place at once, and moving it is most of the cost of decoding
    // a small object.
    let mut result = T::decode_members(&mut members);
    if result.is_ok()
        && let Err(error) = members.finish()
    {
        result = Err(error);
    }
    result
}

/// Decodes a part of a document; the paths in errors begin at this part.
///
/// # Errors
///
/// Fails with QEMU's error for the first part that does not fit the type.
pub fn from_node<T: Decode>(value: Node<'_>, context: &Context<'_>) -> Result<T> {
    T::decode(value, ValuePath::root(context))
}

/// Decodes a tree.
///
/// # Errors
///
/// Fails with QEMU's error for the first part that does not fit the type.
pub fn from_value<T: Decode>(value: &Value, context: &Context<'_>) -> Result<T> {
    from_node(Document::try_from(value)?.root(), context)
}

/// Parses a text and decodes it.
///
/// # Errors
///
/// Fails with the syntax error of the text, or with QEMU's error for the first
/// part that does not fit the type.
pub fn from_json<T: Decode>(text: &[u8], context: &Context<'_>) -> Result<T> {
    from_node(Document::parse(text)?.root(), context)
}

/// The members of an object that is being decoded.
#[derive(Debug)]
pub struct Members<'a> {
    object: Node<'a>,
    len: usize,
    /// The number of members that have not been taken.
    left: usize,
    taken: Taken,
    /// The place after the member that was taken last: a decoder asks in schema
    /// order, and most peers send in this order too.
    likely: Place,
    at: ValuePath<'a>,
}

/// A member: its number in the object, and the index of its name in the document.
#[derive(Clone, Copy, Debug)]
struct Place {
    number: usize,
    index: usize,
}

impl<'a> Members<'a> {
    /// Opens the object `value`, whose path is `at`.
    ///
    /// # Errors
    ///
    /// Fails if `value` is not an object.
    #[inline]
    pub fn open(value: Node<'a>, at: ValuePath<'a>) -> Result<Self> {
        let Item::Object { len, .. } = value.item() else {
            return Err(at.invalid_type("object"));
        };
        Ok(Self {
            object: value,
            len: len as usize,
            left: len as usize,
            taken: Taken::default(),
            likely: Place {
                number: 0,
                index: value.first_child(),
            },
            at,
        })
    }

    /// Decodes the mandatory member called `name`.
    ///
    /// # Errors
    ///
    /// Fails if the member is missing or does not fit its type.
    #[inline]
    pub fn required<T: Decode>(&mut self, name: &str) -> Result<T> {
        match self.take(name) {
            Some(value) => T::decode(value, self.at.member(name)),
            None => Err(self.at.member(name).missing()),
        }
    }

    /// Decodes the optional member called `name`. A member with the value `null`
    /// is present, and an error unless its type accepts `null`.
    ///
    /// # Errors
    ///
    /// Fails if the member does not fit its type.
    #[inline]
    pub fn optional<T: Decode>(&mut self, name: &str) -> Result<Option<T>> {
        match self.take(name) {
            Some(value) => T::decode(value, self.at.member(name)).map(Some),
            None => Ok(None),
        }
    }

    /// Decodes a mandatory member that has special features. The policy is asked
    /// first, even if the member is missing: the code of QEMU's generator
    /// (`scripts/qapi/visit.py`) has this order.
    ///
    /// # Errors
    ///
    /// Fails like [`required`](Self::required), and if the policy disables the
    /// member.
    pub fn required_special<T: Decode>(
        &mut self,
        name: &str,
        special: SpecialFeatures,
    ) -> Result<T> {
        self.at.policy().parameter(name, special)?;
        self.required(name)
    }

    /// Decodes an optional member that has special features.
    ///
    /// # Errors
    ///
    /// Fails like [`optional`](Self::optional), and if the policy disables the
    /// member.
    pub fn optional_special<T: Decode>(
        &mut self,
        name: &str,
        special: SpecialFeatures,
    ) -> Result<Option<T>> {
        if self.has(name) {
            self.at.policy().parameter(name, special)?;
        }
        self.optional(name)
    }

    /// Returns whether there is a member called `name` that has not been taken.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Takes all members that are left, for a union's branch that this build does
    /// not know.
    pub fn rest(&mut self) -> Dict {
        let mut rest = Dict::new();
        while let Some(place) = self.first_left() {
            let name = self.object.document().string(place.index);
            let value = self.object.at(place.index + 1).to_value();
            rest.push(name.unwrap_or_default(), value);
            self.mark(place);
        }
        rest
    }

    /// Ends the decoding of the object.
    ///
    /// # Errors
    ///
    /// Fails in strict mode if a member has not been taken.
    #[inline]
    pub fn finish(self) -> Result<()> {
        if self.left == 0 || self.at.mode() == Mode::Tolerant {
            return Ok(());
        }
        let first = self.first_left();
        let name = first.and_then(|place| self.object.document().string(place.index));
        Err(self.at.member(name.unwrap_or_default()).unexpected())
    }

    #[inline]
    fn take(&mut self, name: &str) -> Option<Node<'a>> {
        // Check this before the call, which costs more than an absent member.
        if self.left == 0 {
            return None;
        }
        self.take_left(name)
    }

    #[inline(never)]
    fn take_left(&mut self, name: &str) -> Option<Node<'a>> {
        let place = self.find(name)?;
        self.mark(place);
        self.likely = self.behind(place);
        Some(self.object.at(place.index + 1))
    }

    #[inline]
    fn mark(&mut self, place: Place) {
        self.taken.add(place.number);
        self.left = self.left.saturating_sub(1);
    }

    /// Finds the member called `name` that has not been taken. Compares each name
    /// at most once, and begins at the likely place.
    #[inline]
    fn find(&self, name: &str) -> Option<Place> {
        if self.left == 0 {
            return None;
        }
        let mut place = self.likely;
        for _ in 0..self.len {
            if place.number == self.len {
                place = self.first();
            }
            let is_meant = self.object.document().is_string(place.index, name);
            if is_meant && !self.taken.has(place.number) {
                return Some(place);
            }
            place = self.behind(place);
        }
        None
    }

    fn first_left(&self) -> Option<Place> {
        let places = std::iter::successors(Some(self.first()), |place| Some(self.behind(*place)));
        let mut places = places.take(self.len);
        places.find(|place| !self.taken.has(place.number))
    }

    #[inline]
    fn first(&self) -> Place {
        Place {
            number: 0,
            index: self.object.first_child(),
        }
    }

    #[inline]
    fn behind(&self, place: Place) -> Place {
        Place {
            number: place.number + 1,
            index: self.object.document().next_sibling(place.index + 1),
        }
    }
}

/// A set of member numbers: one bit for each member. The bits of the first 64
/// members need no allocation, and most objects have no more.
#[derive(Debug, Default)]
struct Taken {
    first: u64,
    more: Vec<u64>,
}

impl Taken {
    const WORD_BITS: usize = 64;

    #[inline]
    fn has(&self, number: usize) -> bool {
        let word = match number / Self::WORD_BITS {
            0 => self.first,
            word => self.more.get(word - 1).copied().unwrap_or_default(),
        };
        word & (1 << (number % Self::WORD_BITS)) != 0
    }

    #[inline]
    fn add(&mut self, number: usize) {
        let bit = 1 << (number % Self::WORD_BITS);
        let Some(index) = (number / Self::WORD_BITS).checked_sub(1) else {
            self.first |= bit;
            return;
        };
        if self.more.len() <= index {
            self.more.resize(index + 1, 0);
        }
        if let Some(word) = self.more.get_mut(index) {
            *word |= bit;
        }
    }
}

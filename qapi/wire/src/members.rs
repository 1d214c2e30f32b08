//! The members of an object, as a decoder takes them.
//!
//! In: an object of a document, and names in schema order. Out: the values, or
//! QEMU's error. What has been taken is remembered, so that what is left over
//! can be refused at the end, the first of the document first.

use crate::context::Mode;
use crate::decode::{At, Decode};
use crate::document::{Item, Node};
use crate::error::Result;
use crate::features::Special;
use crate::value::Dict;

/// The members of an object that is being decoded.
#[derive(Debug)]
pub struct Members<'a> {
    object: Node<'a>,
    len: usize,
    /// How many have not been taken.
    left: usize,
    taken: Taken,
    /// Where the next to be asked for is likely to be: behind the last.
    likely: Place,
    at: At<'a>,
}

/// A member: which of the object, and where in the document its name stands.
#[derive(Clone, Copy, Debug)]
struct Place {
    number: usize,
    index: usize,
}

impl<'a> Members<'a> {
    /// Opens the object that stands at `at`.
    ///
    /// # Errors
    ///
    /// That `value` is no object.
    #[inline]
    pub fn open(value: Node<'a>, at: At<'a>) -> Result<Self> {
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
    /// That it is missing, or what is wrong with it.
    #[inline]
    pub fn required<T: Decode>(&mut self, name: &str) -> Result<T> {
        match self.take(name) {
            Some(value) => T::decode(value, self.at.member(name)),
            None => Err(self.at.member(name).missing()),
        }
    }

    /// Decodes the optional member called `name`. An explicit `null` is a
    /// value, and an error unless the type takes it.
    ///
    /// # Errors
    ///
    /// What is wrong with the member.
    #[inline]
    pub fn optional<T: Decode>(&mut self, name: &str) -> Result<Option<T>> {
        match self.take(name) {
            Some(value) => T::decode(value, self.at.member(name)).map(Some),
            None => Ok(None),
        }
    }

    /// Decodes a mandatory member that has special features. The policy comes
    /// first, even for one that is missing: the order of the code that QEMU's
    /// generator writes (`scripts/qapi/visit.py`).
    ///
    /// # Errors
    ///
    /// As [`required`](Self::required), and that the policy disables it.
    pub fn required_special<T: Decode>(&mut self, name: &str, special: Special) -> Result<T> {
        self.at.policy().parameter(name, special)?;
        self.required(name)
    }

    /// Decodes an optional member that has special features.
    ///
    /// # Errors
    ///
    /// As [`optional`](Self::optional), and that the policy disables it.
    pub fn optional_special<T: Decode>(
        &mut self,
        name: &str,
        special: Special,
    ) -> Result<Option<T>> {
        if self.has(name) {
            self.at.policy().parameter(name, special)?;
        }
        self.optional(name)
    }

    /// Whether there is a member called `name` that has not been taken.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Whatever is left, for a value that this build does not know.
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

    /// Ends the object.
    ///
    /// # Errors
    ///
    /// In strict mode, that a member is left over.
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
        // Looked at here, because a call for each that is absent costs more.
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

    /// Looks once around, beginning where the member is likely to be.
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

/// Which members have been taken. Most objects have few, whose marks need no
/// memory of their own.
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

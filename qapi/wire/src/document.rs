//! A JSON document as the decoder reads it: all values in one row, in the order
//! in which they came, their texts where they stand in the input.
//!
//! In: what the parser finds, or a tree. Out: nodes, which are places in the
//! row. Nothing is allocated for a member or a string; what a type keeps, its
//! decoder copies.

use crate::json::{self, SyntaxError};
use crate::value::{Dict, Kind, Value};

/// A JSON document that has been parsed, but not made into a tree.
///
/// ```
/// use qapi_wire::{Document, Kind};
///
/// let document = Document::parse(b"{'execute': 'stop'}").unwrap();
/// assert_eq!(document.root().kind(), Kind::Object);
/// ```
#[derive(Clone, Debug)]
pub struct Document<'t> {
    items: Vec<Item<'t>>,
    /// The texts that do not stand in the input as they are.
    unescaped: String,
}

/// A value, or a member's name. What an array or an object holds follows it:
/// values, or names and values in turn.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Item<'t> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    /// A text of the input.
    Text(&'t str),
    /// Part of the unescaped texts.
    Unescaped {
        start: usize,
        end: usize,
    },
    Array {
        len: usize,
        /// Behind the last item that it holds.
        end: usize,
    },
    Object {
        len: usize,
        /// Behind the last item that it holds.
        end: usize,
    },
}

impl<'t> Document<'t> {
    /// Parses a text that holds exactly one value.
    ///
    /// # Errors
    ///
    /// As [`json::parse`].
    pub fn parse(text: &'t [u8]) -> Result<Self, SyntaxError> {
        json::document(text)
    }

    /// A document for about so many bytes of text.
    pub(crate) fn with_capacity(text_bytes: usize) -> Self {
        /// Where names and scalars take turns, an item has hardly fewer bytes.
        const BYTES_PER_ITEM: usize = 6;
        Self {
            items: Vec::with_capacity(text_bytes / BYTES_PER_ITEM + 1),
            unescaped: String::new(),
        }
    }

    /// The whole.
    #[must_use]
    pub fn root(&self) -> Node<'_> {
        Node {
            document: self,
            index: 0,
        }
    }

    /// Where the next item will stand.
    #[inline]
    pub(crate) fn next_index(&self) -> usize {
        self.items.len()
    }

    /// Adds an item.
    #[inline]
    pub(crate) fn push(&mut self, item: Item<'t>) {
        self.items.push(item);
    }

    /// Adds a text that is not in the input.
    pub(crate) fn push_unescaped(&mut self, text: &str) {
        let start = self.unescaped.len();
        self.unescaped.push_str(text);
        let end = self.unescaped.len();
        self.push(Item::Unescaped { start, end });
    }

    /// Says how many values the array at `index` holds, when all are there.
    #[inline]
    pub(crate) fn end_array(&mut self, index: usize, len: usize) {
        let end = self.items.len();
        if let Some(item) = self.items.get_mut(index) {
            *item = Item::Array { len, end };
        }
    }

    /// Says how many members the object at `index` holds, when all are there.
    #[inline]
    pub(crate) fn end_object(&mut self, index: usize, len: usize) {
        let end = self.items.len();
        if let Some(item) = self.items.get_mut(index) {
            *item = Item::Object { len, end };
        }
    }

    #[inline]
    fn item(&self, index: usize) -> Item<'_> {
        self.items.get(index).copied().unwrap_or(Item::Null)
    }

    /// Behind the value at `index`.
    #[inline]
    pub(crate) fn behind(&self, index: usize) -> usize {
        match self.item(index) {
            Item::Array { end, .. } | Item::Object { end, .. } => end,
            _ => index + 1,
        }
    }

    /// The text at `index`, if it is one.
    #[inline]
    pub(crate) fn text(&self, index: usize) -> Option<&str> {
        match self.item(index) {
            Item::Text(text) => Some(text),
            Item::Unescaped { start, end } => self.unescaped.get(start..end),
            _ => None,
        }
    }

    fn add(&mut self, value: &'t Value) {
        match value {
            Value::Null => self.push(Item::Null),
            Value::Bool(flag) => self.push(Item::Bool(*flag)),
            Value::Int(number) => self.push(Item::Int(*number)),
            Value::Uint(number) => self.push(Item::Uint(*number)),
            Value::Double(number) => self.push(Item::Double(*number)),
            Value::String(text) => self.push(Item::Text(text)),
            Value::Array(elements) => {
                let index = self.next_index();
                self.push(Item::Array { len: 0, end: 0 });
                for element in elements {
                    self.add(element);
                }
                self.end_array(index, elements.len());
            }
            Value::Object(dict) => self.add_members(dict),
        }
    }

    fn add_members(&mut self, dict: &'t Dict) {
        let index = self.next_index();
        self.push(Item::Object { len: 0, end: 0 });
        for (name, value) in dict.iter() {
            self.push(Item::Text(name));
            self.add(value);
        }
        self.end_object(index, dict.len());
    }
}

impl<'t> From<&'t Value> for Document<'t> {
    fn from(value: &'t Value) -> Self {
        let mut document = Self::with_capacity(0);
        document.add(value);
        document
    }
}

impl<'t> From<&'t Dict> for Document<'t> {
    fn from(dict: &'t Dict) -> Self {
        let mut document = Self::with_capacity(0);
        document.add_members(dict);
        document
    }
}

/// A value of a [`Document`].
#[derive(Clone, Copy, Debug)]
pub struct Node<'d> {
    pub(crate) document: &'d Document<'d>,
    index: usize,
}

impl<'d> Node<'d> {
    /// The JSON type.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self.item() {
            Item::Null => Kind::Null,
            Item::Bool(_) => Kind::Bool,
            Item::Int(_) | Item::Uint(_) | Item::Double(_) => Kind::Number,
            Item::Text(_) | Item::Unescaped { .. } => Kind::String,
            Item::Array { .. } => Kind::Array,
            Item::Object { .. } => Kind::Object,
        }
    }

    /// The text, if this is a string.
    #[must_use]
    #[inline]
    pub fn as_str(self) -> Option<&'d str> {
        self.document.text(self.index)
    }

    /// The value as a tree of its own.
    #[must_use]
    pub fn to_value(self) -> Value {
        match self.item() {
            Item::Null => Value::Null,
            Item::Bool(flag) => Value::Bool(flag),
            Item::Int(number) => Value::Int(number),
            Item::Uint(number) => Value::Uint(number),
            Item::Double(number) => Value::Double(number),
            Item::Text(_) | Item::Unescaped { .. } => {
                Value::String(self.as_str().unwrap_or_default().to_owned())
            }
            // Loops, because adapters would multiply the frames of a recursion
            // that goes as deep as a message nests.
            Item::Array { .. } => {
                let mut tree = Vec::new();
                for element in self.elements().into_iter().flat_map(|list| list.1) {
                    tree.push(element.to_value());
                }
                Value::Array(tree)
            }
            Item::Object { .. } => {
                let mut tree = Dict::new();
                for (name, value) in self.members().into_iter().flatten() {
                    tree.push(name, value.to_value());
                }
                Value::Object(tree)
            }
        }
    }

    #[inline]
    pub(crate) fn item(self) -> Item<'d> {
        self.document.item(self.index)
    }

    /// The value at a place of the same document.
    #[inline]
    pub(crate) fn at(self, index: usize) -> Self {
        Self { index, ..self }
    }

    /// Where in the row the first item stands that this one holds.
    #[inline]
    pub(crate) fn inside(self) -> usize {
        self.index + 1
    }

    /// How many elements an array has, and the elements; `None` if it is none.
    #[inline]
    pub(crate) fn elements(self) -> Option<(usize, impl Iterator<Item = Self>)> {
        let Item::Array { len, .. } = self.item() else {
            return None;
        };
        let mut index = self.inside();
        let elements = (0..len).map(move |_| {
            let element = self.at(index);
            index = self.document.behind(index);
            element
        });
        Some((len, elements))
    }

    /// The members of an object; `None` if it is none.
    fn members(self) -> Option<impl Iterator<Item = (&'d str, Self)>> {
        let Item::Object { len, .. } = self.item() else {
            return None;
        };
        let mut index = self.inside();
        Some((0..len).map(move |_| {
            let name = self.document.text(index).unwrap_or_default();
            let value = self.at(index + 1);
            index = self.document.behind(index + 1);
            (name, value)
        }))
    }
}

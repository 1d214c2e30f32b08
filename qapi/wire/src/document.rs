//! A parsed JSON document: its text, and its values in one list, in the order
//! in which they came.
//!
//! In: the parser's text and values, or a tree. Out: [`Node`]s, which are
//! places in the list. No memory is allocated for a member or a string; a
//! decoder copies only the strings that its type keeps.

use std::sync::LazyLock;

use crate::error::{Error, Result};
use crate::value::{Dict, Kind, Value};

/// A JSON document that has been parsed and owns its text.
///
/// Decoders read it through its [`root`](Self::root); no tree is built.
///
/// ```
/// use qapi_wire::{Document, Kind};
///
/// let document = Document::parse(b"{'execute': 'stop'}").unwrap();
/// assert_eq!(document.root().kind(), Kind::Object);
/// assert_eq!(document.root().get("execute").unwrap().as_str(), Some("stop"));
/// ```
#[derive(Clone, Debug)]
pub struct Document {
    /// The text that was parsed; its strings are unescaped in place.
    text: String,
    /// The root, and everything that it contains.
    items: Vec<Item>,
}

/// A value, or a member's name.
///
/// The contents of an array or an object follow it: values, or names and values
/// in turn. Offsets have 32 bits, which halves the memory that a message of
/// many short values takes; the parser refuses longer texts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Item {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    /// A range of the document's text.
    String {
        start: u32,
        end: u32,
    },
    Array {
        len: u32,
        /// The index after the last item that the array contains.
        end: u32,
    },
    Object {
        len: u32,
        /// The index after the last item that the object contains.
        end: u32,
    },
}

/// Narrows an offset or a count of a document.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "texts and trees that are too large for 32 bits are refused"
)]
pub(crate) fn narrow(offset: usize) -> u32 {
    offset as u32
}

impl Document {
    /// Makes a document of a text and what the parser found in it: at least one
    /// item, and only ranges that lie in the text.
    pub(crate) fn new(text: String, items: Vec<Item>) -> Self {
        debug_assert!(!items.is_empty());
        Self { text, items }
    }

    /// Returns the value that contains all others.
    #[must_use]
    pub fn root(&self) -> Node<'_> {
        Node {
            document: self,
            index: 0,
        }
    }

    /// Returns the number of values: scalars, arrays, objects, and the names of
    /// members.
    #[must_use]
    pub fn values(&self) -> usize {
        self.items.len()
    }

    /// Returns how many bytes of memory the document holds, spare room
    /// included.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.text.capacity() + self.items.capacity() * size_of::<Item>()
    }

    #[inline]
    #[expect(
        clippy::indexing_slicing,
        reason = "indexes are those of nodes, which the parser's counts delimit"
    )]
    fn item(&self, index: usize) -> Item {
        self.items[index]
    }

    /// Returns the index after the value at `index` and everything that it
    /// contains.
    #[inline]
    pub(crate) fn next_sibling(&self, index: usize) -> usize {
        match self.item(index) {
            Item::Array { end, .. } | Item::Object { end, .. } => end as usize,
            _ => index + 1,
        }
    }

    /// Returns the string at `index`; `None` if another value is there.
    #[inline]
    pub(crate) fn string(&self, index: usize) -> Option<&str> {
        match self.item(index) {
            Item::String { start, end } => Some(&self.text[start as usize..end as usize]),
            _ => None,
        }
    }

    /// Returns whether `string` is the string at `index`. Bytes are compared,
    /// because a `str` would have to be cut at the borders of characters first.
    #[inline]
    #[expect(
        clippy::indexing_slicing,
        reason = "the parser has checked that the range lies in the text"
    )]
    pub(crate) fn is_string(&self, index: usize, string: &str) -> bool {
        match self.item(index) {
            Item::String { start, end } => {
                &self.text.as_bytes()[start as usize..end as usize] == string.as_bytes()
            }
            _ => false,
        }
    }

    fn push_string(&mut self, string: &str) {
        let start = narrow(self.text.len());
        self.text.push_str(string);
        let end = narrow(self.text.len());
        self.items.push(Item::String { start, end });
    }

    fn push_value(&mut self, value: &Value) {
        match value {
            Value::Null => self.items.push(Item::Null),
            Value::Bool(flag) => self.items.push(Item::Bool(*flag)),
            Value::Int(number) => self.items.push(Item::Int(*number)),
            Value::Uint(number) => self.items.push(Item::Uint(*number)),
            Value::Double(number) => self.items.push(Item::Double(*number)),
            Value::String(string) => self.push_string(string),
            Value::Array(elements) => {
                let index = self.items.len();
                let len = narrow(elements.len());
                self.items.push(Item::Array { len, end: 0 });
                for element in elements {
                    self.push_value(element);
                }
                self.close(index, |end| Item::Array { len, end });
            }
            Value::Object(dict) => {
                let index = self.items.len();
                let len = narrow(dict.len());
                self.items.push(Item::Object { len, end: 0 });
                for (name, value) in dict.iter() {
                    self.push_string(name);
                    self.push_value(value);
                }
                self.close(index, |end| Item::Object { len, end });
            }
        }
    }

    /// Completes the array or object at `index`, whose contents are pushed.
    fn close(&mut self, index: usize, item: impl FnOnce(u32) -> Item) {
        let end = narrow(self.items.len());
        if let Some(open) = self.items.get_mut(index) {
            *open = item(end);
        }
    }
}

/// Makes a document of a tree, for a decoder.
impl TryFrom<&Value> for Document {
    type Error = Error;

    fn try_from(tree: &Value) -> Result<Self> {
        let mut document = Self {
            text: String::new(),
            items: Vec::new(),
        };
        document.push_value(tree);
        let size = document.text.len().max(document.items.len());
        match u32::try_from(size) {
            Ok(_) => Ok(document),
            Err(_) => Err(Error::generic("The tree is too large for a document")),
        }
    }
}

/// A value of a [`Document`].
#[derive(Clone, Copy, Debug)]
pub struct Node<'d> {
    document: &'d Document,
    index: usize,
}

impl Node<'static> {
    /// Returns an empty object: the arguments of a request that has none.
    #[must_use]
    pub fn empty_object() -> Self {
        static EMPTY_OBJECT: LazyLock<Document> =
            LazyLock::new(|| Document::new(String::new(), vec![Item::Object { len: 0, end: 1 }]));
        EMPTY_OBJECT.root()
    }
}

impl<'d> Node<'d> {
    /// Returns the JSON type.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self.item() {
            Item::Null => Kind::Null,
            Item::Bool(_) => Kind::Bool,
            Item::Int(_) | Item::Uint(_) | Item::Double(_) => Kind::Number,
            Item::String { .. } => Kind::String,
            Item::Array { .. } => Kind::Array,
            Item::Object { .. } => Kind::Object,
        }
    }

    /// Returns the text of a string; `None` for any other value.
    #[must_use]
    #[inline]
    pub fn as_str(self) -> Option<&'d str> {
        self.document.string(self.index)
    }

    /// Returns the value of the member called `name`; `None` if the
    /// node is not an object or lacks the member.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Self> {
        let mut members = self.members()?;
        members.find_map(|(key, value)| (key == name).then_some(value))
    }

    /// Returns the value as a tree of its own.
    #[must_use]
    pub fn to_value(self) -> Value {
        match self.item() {
            Item::Null => Value::Null,
            Item::Bool(flag) => Value::Bool(flag),
            Item::Int(number) => Value::Int(number),
            Item::Uint(number) => Value::Uint(number),
            Item::Double(number) => Value::Double(number),
            Item::String { .. } => Value::String(self.as_str().unwrap_or_default().to_owned()),
            // Loops instead of `map` and `collect`, because adapters would
            // multiply the frames of this recursion, which goes as deep as a
            // message nests.
            Item::Array { .. } => {
                let mut tree = Vec::new();
                for element in self.elements().into_iter().flatten() {
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
    pub(crate) fn item(self) -> Item {
        self.document.item(self.index)
    }

    #[inline]
    pub(crate) fn document(self) -> &'d Document {
        self.document
    }

    /// Returns the value at another index of the same document.
    #[inline]
    pub(crate) fn at(self, index: usize) -> Self {
        Self { index, ..self }
    }

    /// Returns the index of the first item that an array or object contains.
    #[inline]
    pub(crate) fn first_child(self) -> usize {
        self.index + 1
    }

    /// Returns the elements of an array; `None` for any other value.
    #[inline]
    pub fn elements(self) -> Option<impl ExactSizeIterator<Item = Self>> {
        let Item::Array { len, .. } = self.item() else {
            return None;
        };
        let mut index = self.first_child();
        Some((0..len).map(move |_| {
            let element = self.at(index);
            index = self.document.next_sibling(index);
            element
        }))
    }

    /// Returns the names and values of an object's members, in the order in
    /// which they came; `None` for any other value.
    pub fn members(self) -> Option<impl ExactSizeIterator<Item = (&'d str, Self)>> {
        let Item::Object { len, .. } = self.item() else {
            return None;
        };
        let mut index = self.first_child();
        Some((0..len).map(move |_| {
            let name = self.document.string(index).unwrap_or_default();
            let value = self.at(index + 1);
            index = self.document.next_sibling(index + 1);
            (name, value)
        }))
    }
}

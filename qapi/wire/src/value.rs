//! A JSON document as a tree.
//!
//! In: the parser's or a caller's values. Out: the same, members in the order
//! in which they came. It knows no schema.

use std::collections::HashSet;

/// A JSON value.
///
/// Numbers keep the three ranges that QEMU tells apart: what fits `i64`, what
/// fits only `u64`, and everything else as a double.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer that fits `i64`.
    Int(i64),
    /// An integer above `i64::MAX` that fits `u64`.
    Uint(u64),
    /// Any other number.
    Double(f64),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Value>),
    /// An object.
    Object(Dict),
}

/// The JSON type of a value, as alternates distinguish it: all numbers alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Value {
    /// The JSON type.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Null => Kind::Null,
            Self::Bool(_) => Kind::Bool,
            Self::Int(_) | Self::Uint(_) | Self::Double(_) => Kind::Number,
            Self::String(_) => Kind::String,
            Self::Array(_) => Kind::Array,
            Self::Object(_) => Kind::Object,
        }
    }

    /// The text, if this is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The members, if this is an object.
    #[must_use]
    pub fn as_object(&self) -> Option<&Dict> {
        match self {
            Self::Object(dict) => Some(dict),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        i64::try_from(number).map_or(Self::Uint(number), Self::Int)
    }
}

/// The members of a JSON object, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dict {
    members: Vec<(String, Value)>,
}

impl Dict {
    /// An object without members.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of members.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The value of the member called `name`. Looks at every member, so use
    /// it for small objects or few names.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    /// Takes the member called `name` out. The others keep their order.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        let index = self.members.iter().position(|(key, _)| key == name)?;
        Some(self.members.remove(index).1)
    }

    /// Adds a member behind the others. The caller sees to it that names are
    /// unique, as the parser does.
    pub fn push(&mut self, name: impl Into<String>, value: Value) {
        self.members.push((name.into(), value));
    }

    /// The members in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.members
            .iter()
            .map(|(key, value)| (key.as_str(), value))
    }
}

impl FromIterator<(String, Value)> for Dict {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(members: I) -> Self {
        Self {
            members: members.into_iter().collect(),
        }
    }
}

impl IntoIterator for Dict {
    type Item = (String, Value);
    type IntoIter = std::vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.members.into_iter()
    }
}

/// Collects members whose names have to differ, in time proportional to their
/// number.
#[derive(Debug, Default)]
pub(crate) struct UniqueMembers {
    dict: Dict,
    /// The names, once there are too many to look at each.
    names: Option<HashSet<String>>,
}

impl UniqueMembers {
    const LINEAR_MAX: usize = 16;

    /// Adds a member; false if there is one of that name.
    pub(crate) fn add(&mut self, name: String, value: Value) -> bool {
        let is_new = if self.dict.len() < Self::LINEAR_MAX {
            self.dict.get(&name).is_none()
        } else {
            let dict = &self.dict;
            let names = || dict.iter().map(|(name, _)| name.to_owned()).collect();
            self.names.get_or_insert_with(names).insert(name.clone())
        };
        if is_new {
            self.dict.push(name, value);
        }
        is_new
    }
}

impl From<UniqueMembers> for Dict {
    fn from(members: UniqueMembers) -> Self {
        members.dict
    }
}

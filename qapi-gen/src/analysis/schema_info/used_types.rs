//! The types that an introspection comes across.
//!
//! In: types, in the order in which they are used. Out: how each is named, and
//! which are still to be told of. It knows nothing of what they contain.

use std::borrow::Cow;

use crate::schema::{Builtin, Schema, TypeId, TypeKind};

/// The types used so far.
#[derive(Debug)]
pub(super) struct Used<'a> {
    schema: &'a Schema,
    unmask: bool,
    int: TypeId,
    int_list: TypeId,
    /// In the order in which they were first used.
    queue: Vec<TypeId>,
    /// How many of the queue have been told of.
    told: usize,
    /// For every type whether it is in the queue.
    queued: Vec<bool>,
    /// The numbers of the types, where they have one yet.
    numbers: Vec<Option<usize>>,
    /// How many have a number.
    numbered: usize,
}

impl<'a> Used<'a> {
    /// None so far.
    pub(super) fn new(schema: &'a Schema, unmask: bool) -> Self {
        let types = schema.types().len();
        Self {
            schema,
            unmask,
            int: schema.predefined("int"),
            int_list: schema.predefined("intList"),
            queue: Vec::new(),
            told: 0,
            queued: vec![false; types],
            numbers: vec![None; types],
            numbered: 0,
        }
    }

    /// Uses a type and tells its name. All types of integers are one.
    pub(super) fn name(&mut self, id: TypeId) -> Cow<'a, str> {
        let element = match self.schema.ty(id).kind {
            TypeKind::Builtin(builtin) if is_integer(builtin) => {
                self.add(self.int);
                return "int".into();
            }
            TypeKind::Array(element) if self.is_integer(element) => {
                self.add(self.int_list);
                self.int
            }
            TypeKind::Array(element) => {
                self.add(id);
                element
            }
            _ => {
                self.add(id);
                return self.plain_name(id);
            }
        };
        // The checks see to it that elements are no arrays themselves.
        self.add(element);
        format!("[{}]", self.plain_name(element)).into()
    }

    /// The next type to be told of.
    pub(super) fn next(&mut self) -> Option<TypeId> {
        let next = self.queue.get(self.told).copied();
        self.told += usize::from(next.is_some());
        next
    }

    /// The name of a type that is no array.
    fn plain_name(&mut self, id: TypeId) -> Cow<'a, str> {
        let ty = self.schema.ty(id);
        if self.unmask || matches!(ty.kind, TypeKind::Builtin(_)) {
            return ty.common.name.as_str().into();
        }
        let Some(number) = self.numbers.get_mut(id.0 as usize) else {
            return Cow::default();
        };
        let next = self.numbered;
        let number = *number.get_or_insert_with(|| {
            self.numbered += 1;
            next
        });
        number.to_string().into()
    }

    fn is_integer(&self, id: TypeId) -> bool {
        matches!(self.schema.ty(id).kind, TypeKind::Builtin(builtin) if is_integer(builtin))
    }

    fn add(&mut self, id: TypeId) {
        if let Some(queued) = self.queued.get_mut(id.0 as usize)
            && !std::mem::replace(queued, true)
        {
            self.queue.push(id);
        }
    }
}

fn is_integer(builtin: Builtin) -> bool {
    json_type(builtin) == "int"
}

/// The JSON type of a built-in type.
pub(super) fn json_type(builtin: Builtin) -> &'static str {
    match builtin {
        Builtin::Str => "string",
        Builtin::Number => "number",
        Builtin::Int
        | Builtin::Int8
        | Builtin::Int16
        | Builtin::Int32
        | Builtin::Int64
        | Builtin::Uint8
        | Builtin::Uint16
        | Builtin::Uint32
        | Builtin::Uint64
        | Builtin::Size => "int",
        Builtin::Bool => "boolean",
        Builtin::Any => "value",
        Builtin::Null => "null",
    }
}

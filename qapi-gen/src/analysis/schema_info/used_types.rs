//! The types that the table refers to.
//!
//! In: types, in the order in which entries refer to them. Out: the name of each,
//! and the types that still need an entry.

use crate::schema::{Builtin, Schema, TypeId, TypeKind};

/// The types that entries referred to so far.
#[derive(Debug)]
pub(super) struct Used<'a> {
    schema: &'a Schema,
    unmask: bool,
    int: TypeId,
    int_list: TypeId,
    /// The types in the order of the first reference.
    queue: Vec<TypeId>,
    /// The number of types in `queue` that have an entry.
    listed: usize,
    /// The types that are in `queue`, as a flag for each type of the schema.
    queued: Vec<bool>,
    /// The number of each type, if it has one yet.
    numbers: Vec<Option<usize>>,
    /// The number of types in `numbers` that have been numbered.
    numbered: usize,
}

impl<'a> Used<'a> {
    /// Creates an empty list.
    pub(super) fn new(schema: &'a Schema, unmask: bool) -> Self {
        let types = schema.types().len();
        Self {
            schema,
            unmask,
            int: schema.predefined("int"),
            int_list: schema.predefined("intList"),
            queue: Vec::new(),
            listed: 0,
            queued: vec![false; types],
            numbers: vec![None; types],
            numbered: 0,
        }
    }

    /// Notes a reference to a type and returns the name of the type. All integer
    /// types have the same name.
    pub(super) fn name(&mut self, id: TypeId) -> String {
        let element = match self.schema.ty(id).kind {
            TypeKind::Builtin(builtin) if is_integer(builtin) => {
                self.add(self.int);
                return "int".to_owned();
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
        // The checks refuse arrays of arrays.
        self.add(element);
        format!("[{}]", self.plain_name(element))
    }

    /// Returns the next type that needs an entry.
    pub(super) fn next(&mut self) -> Option<TypeId> {
        let next = self.queue.get(self.listed).copied();
        self.listed += usize::from(next.is_some());
        next
    }

    /// Returns the name of a type that is not an array.
    fn plain_name(&mut self, id: TypeId) -> String {
        let ty = self.schema.ty(id);
        if self.unmask || matches!(ty.kind, TypeKind::Builtin(_)) {
            return ty.common.name.to_string();
        }
        let Some(number) = self.numbers.get_mut(id.0 as usize) else {
            return String::new();
        };
        let next = self.numbered;
        let number = *number.get_or_insert_with(|| {
            self.numbered += 1;
            next
        });
        number.to_string()
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

/// Returns the JSON type of a built-in type.
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

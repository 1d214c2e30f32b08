//! Values that a type refuses.
//!
//! In: a value that a type accepts. Out: the value with one change, which
//! almost always makes it wrong; `validate` tells whether it does. The changes
//! are of the kinds that QEMU's visitors check.

use mutator::Random;
use qapi_gen::schema::{Builtin, Member, TypeId, TypeKind};
use qapi_wire::{Dict, Value};

use crate::SchemaOracle;

impl SchemaOracle<'_> {
    /// Makes one change in a value of a type.
    pub fn corrupt(&self, ty: TypeId, value: &mut Value, random: &mut Random) {
        match (&self.schema.ty(ty).kind, &mut *value) {
            (TypeKind::Object(_), Value::Object(dict)) if !random.one_in(6) => {
                self.corrupt_members(ty, dict, random);
            }
            (TypeKind::Array(element), Value::Array(elements)) if !random.one_in(4) => {
                if elements.is_empty() || random.one_in(6) {
                    elements.push(other(random));
                } else {
                    let index = random.below(elements.len());
                    if let Some(value) = elements.get_mut(index) {
                        self.corrupt(*element, value, random);
                    }
                }
            }
            (TypeKind::Alternate(_), _) => match self.alternative(ty, value.kind()) {
                Some(branch) if !random.one_in(4) => self.corrupt(branch, value, random),
                _ => *value = other(random),
            },
            (TypeKind::Enum(_), Value::String(text)) if !random.one_in(3) => {
                self.spoil_name(ty, text, random);
            }
            (TypeKind::Builtin(builtin), _) if !random.one_in(2) => {
                *value = number_like(*builtin, random);
            }
            _ => *value = other(random),
        }
    }

    /// Makes one change in an object, which stays an object.
    pub fn corrupt_members(&self, ty: TypeId, dict: &mut Dict, random: &mut Random) {
        let members = self.members_here(ty, dict);
        let present: Vec<&Member> = members
            .iter()
            .copied()
            .filter(|member| dict.get(&member.name).is_some())
            .collect();
        let absent: Vec<&Member> = members
            .iter()
            .copied()
            .filter(|member| dict.get(&member.name).is_none())
            .collect();
        match random.below(8) {
            0 => {
                if let Some(member) = random.pick(&present) {
                    dict.take(&member.name);
                }
            }
            1 => {
                let names = ["x-other", "", "a.b", "gr\u{fc}n", "id2"];
                let name = random.pick(&names).unwrap_or_default();
                insert(dict, name, other(random), random);
            }
            2 => {
                if let Some(member) = random.pick(&absent) {
                    insert(dict, &member.name, other(random), random);
                }
            }
            _ => match random.pick(&present) {
                Some(member) => {
                    if let Some(mut value) = dict.take(&member.name) {
                        self.corrupt(member.ty, &mut value, random);
                        insert(dict, &member.name, value, random);
                    }
                }
                None => insert(dict, "x-other", other(random), random),
            },
        }
    }

    /// Returns the members that an object may have, including those of the
    /// branch that its discriminator selects.
    fn members_here(&self, id: TypeId, dict: &Dict) -> Vec<&Member> {
        let Some(object) = self.object(id) else {
            return Vec::new();
        };
        let mut members = match object.base {
            Some(base) => self.members_here(base, dict),
            None => Vec::new(),
        };
        members.extend(self.own_members(object));
        if let Some(branches) = &object.branches {
            let tag = dict.get(&branches.tag).and_then(Value::as_str);
            if let Some(branch) = tag.and_then(|tag| self.branch(branches, tag)) {
                members.extend(self.members_here(branch, dict));
            }
        }
        members
    }

    fn spoil_name(&self, ty: TypeId, text: &mut String, random: &mut Random) {
        match random.below(5) {
            0 => text.push('x'),
            1 => *text = text.to_uppercase(),
            2 => text.clear(),
            3 => {
                text.pop();
            }
            _ => {
                let values: Vec<&str> = self.values(ty).collect();
                *text = random.pick(&values).unwrap_or_default().to_owned();
            }
        }
    }
}

/// Adds a member at a random position, unless one has its name.
fn insert(dict: &mut Dict, name: &str, value: Value, random: &mut Random) {
    if dict.get(name).is_some() {
        return;
    }
    let mut members: Vec<(String, Value)> = std::mem::take(dict).into_iter().collect();
    let at = random.below(members.len() + 1);
    members.insert(at, (name.to_owned(), value));
    *dict = members.into_iter().collect();
}

/// Returns a value of a random JSON type.
fn other(random: &mut Random) -> Value {
    match random.below(8) {
        0 => Value::Null,
        1 => Value::Bool(true),
        2 => Value::Int(1),
        3 => Value::Double(1.5),
        4 => Value::from("x"),
        5 => Value::Array(Vec::new()),
        6 => Value::Array(vec![Value::Null]),
        _ => Value::Object(Dict::new()),
    }
}

/// Returns a number at the edge of a range that a type accepts, or beyond.
fn number_like(ty: Builtin, random: &mut Random) -> Value {
    let edges: &[i128] = match ty {
        Builtin::Int8 => &[-129, 128, -128, 127],
        Builtin::Int16 => &[-32_769, 32_768],
        Builtin::Int32 => &[-(1 << 31) - 1, 1 << 31],
        Builtin::Uint8 => &[-1, 256, 255],
        Builtin::Uint16 => &[-1, 65_536],
        Builtin::Uint32 => &[-1, 1 << 32],
        _ => &[1 << 63, (1 << 64) - 1, 1 << 64],
    };
    let edge = random.pick(edges).unwrap_or(0);
    match (i64::try_from(edge), u64::try_from(edge)) {
        (Ok(number), _) => Value::Int(number),
        (_, Ok(number)) => Value::Uint(number),
        #[expect(clippy::cast_precision_loss, reason = "it is a power of two")]
        _ => Value::Double(edge as f64),
    }
}

//! The errors of QEMU's visitors.
//!
//! In: a type and a value. Out: nothing, or the first error, in the order and
//! the words of `qobject-input-visitor.c`, `qapi-visit-core.c` and the visitors
//! that QEMU generates: base, own members, branch, unexpected members. The
//! class of all these errors is `GenericError`.

use std::collections::BTreeSet;

use qapi_gen::schema::{Builtin, TypeId, TypeKind};
use qapi_wire::{Dict, Value};

use crate::SchemaOracle;

/// The reason why a value is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The description, if unexpected members are refused in the order of the
    /// value.
    pub desc: String,
    /// Other valid descriptions: QEMU names any one of several unexpected
    /// members, by the order of its hash table.
    pub others: Vec<String>,
}

/// The place of a value.
#[derive(Clone, Copy)]
struct Place<'p> {
    /// The whole path, which is empty at the root.
    path: &'p str,
    /// The last step of the path, if it is a member.
    name: Option<&'p str>,
}

impl Place<'_> {
    fn member(self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    fn refuse<T>(desc: String) -> Result<T, Refusal> {
        Err(Refusal {
            desc,
            others: Vec::new(),
        })
    }

    fn wrong_type<T>(self, expected: &str) -> Result<T, Refusal> {
        Self::refuse(format!(
            "Invalid parameter type for '{}', expected: {expected}",
            self.whole()
        ))
    }

    fn whole(&self) -> &str {
        if self.path.is_empty() && self.name.is_none() {
            "<anonymous>"
        } else {
            self.path
        }
    }

    /// Returns the last step of the path, which is all that errors about values
    /// name.
    fn last(self) -> String {
        self.name.unwrap_or("null").to_owned()
    }
}

impl SchemaOracle<'_> {
    /// Checks a value of a type like a server.
    ///
    /// # Errors
    ///
    /// Returns the first error if the value does not fit the type.
    pub fn validate(&self, ty: TypeId, value: &Value) -> Result<(), Refusal> {
        let root = Place {
            path: "",
            name: None,
        };
        self.visit(ty, value, root)
    }

    fn visit(&self, id: TypeId, value: &Value, at: Place<'_>) -> Result<(), Refusal> {
        let ty = self.schema.ty(id);
        match (&ty.kind, value) {
            (TypeKind::Builtin(builtin), _) => scalar(*builtin, value, at),
            (TypeKind::Enum(_), Value::String(text)) => {
                if self.values(id).any(|value| value == text) {
                    Ok(())
                } else {
                    Place::refuse(format!(
                        "Parameter '{}' does not accept value '{text}'",
                        at.last()
                    ))
                }
            }
            (TypeKind::Enum(_), _) => at.wrong_type("string"),
            (TypeKind::Array(element), Value::Array(elements)) => {
                elements.iter().enumerate().try_for_each(|(index, value)| {
                    let path = format!("{}[{index}]", at.path);
                    let at = Place {
                        path: &path,
                        name: None,
                    };
                    self.visit(*element, value, at)
                })
            }
            (TypeKind::Array(_), _) => at.wrong_type("array"),
            (TypeKind::Object(_), Value::Object(dict)) => self.visit_object(id, dict, at),
            (TypeKind::Object(_), _) => at.wrong_type("object"),
            (TypeKind::Alternate(_), _) => match self.alternative(id, value.kind()) {
                Some(branch) => self.visit(branch, value, at),
                None => Place::refuse(format!(
                    "Invalid parameter type for '{}', expected: {}",
                    at.last(),
                    ty.common.name
                )),
            },
        }
    }

    fn visit_object(&self, id: TypeId, dict: &Dict, at: Place<'_>) -> Result<(), Refusal> {
        let mut known = BTreeSet::new();
        self.visit_members(id, dict, at, &mut known)?;
        let left = dict.iter().filter(|(name, _)| !known.contains(*name));
        let mut refusals =
            left.map(|(name, _)| format!("Parameter '{}' is unexpected", at.member(name)));
        match refusals.next() {
            None => Ok(()),
            Some(desc) => Err(Refusal {
                desc,
                others: refusals.collect(),
            }),
        }
    }

    fn visit_members<'d>(
        &self,
        id: TypeId,
        dict: &'d Dict,
        at: Place<'_>,
        known: &mut BTreeSet<&'d str>,
    ) -> Result<(), Refusal> {
        let Some(object) = self.object(id) else {
            return Ok(());
        };
        if let Some(base) = object.base {
            self.visit_members(base, dict, at, known)?;
        }
        for member in self.own_members(object) {
            let path = at.member(&member.name);
            let there = Place {
                path: &path,
                name: Some(&member.name),
            };
            match dict.iter().find(|(name, _)| member.name == **name) {
                Some((name, value)) => {
                    known.insert(name);
                    self.visit(member.ty, value, there)?;
                }
                None if member.optional => {}
                None => return Place::refuse(format!("Parameter '{path}' is missing")),
            }
        }
        if let Some(branches) = &object.branches {
            let tag = dict.get(&branches.tag).and_then(Value::as_str);
            if let Some(branch) = tag.and_then(|tag| self.branch(branches, tag)) {
                self.visit_members(branch, dict, at, known)?;
            }
        }
        Ok(())
    }
}

fn scalar(ty: Builtin, value: &Value, at: Place<'_>) -> Result<(), Refusal> {
    match (ty, value) {
        (Builtin::Any, _)
        | (Builtin::Str, Value::String(_))
        | (Builtin::Bool, Value::Bool(_))
        | (Builtin::Null, Value::Null)
        | (Builtin::Number, Value::Int(_) | Value::Uint(_) | Value::Double(_)) => Ok(()),
        (Builtin::Str, _) => at.wrong_type("string"),
        (Builtin::Bool, _) => at.wrong_type("boolean"),
        (Builtin::Null, _) => at.wrong_type("null"),
        (Builtin::Number, _) => at.wrong_type("number"),
        _ => integer(ty, value, at),
    }
}

fn integer(ty: Builtin, value: &Value, at: Place<'_>) -> Result<(), Refusal> {
    let (signed, bits) = match ty {
        Builtin::Int8 => (true, 8),
        Builtin::Int16 => (true, 16),
        Builtin::Int32 => (true, 32),
        Builtin::Uint8 => (false, 8),
        Builtin::Uint16 => (false, 16),
        Builtin::Uint32 => (false, 32),
        Builtin::Uint64 | Builtin::Size => (false, 64),
        _ => (true, 64),
    };
    let number = match *value {
        Value::Int(number) => i128::from(number),
        Value::Uint(number) if !signed => i128::from(number),
        _ if signed => return at.wrong_type("integer"),
        _ => return Place::refuse(format!("Parameter '{}' expects uint64", at.whole())),
    };
    // A negative number wraps to 64 bits without a sign, as it always has in
    // QEMU.
    let number = if !signed && number < 0 {
        number + (1 << 64)
    } else {
        number
    };
    let range = if signed {
        -(1_i128 << (bits - 1))..(1 << (bits - 1))
    } else {
        0..(1 << bits)
    };
    if range.contains(&number) {
        return Ok(());
    }
    let prefix = if signed { "" } else { "u" };
    Place::refuse(format!(
        "Parameter '{}' expects {prefix}int{bits}_t",
        at.last()
    ))
}

//! The comparison of the Rust that two schemas give, definition by definition.
//!
//! In: two interfaces that come from schemas. Out: what no longer compiles, or may
//! not. Rust's users see names, modules and widths, which the wire does not have.

use std::collections::BTreeMap;

use super::change::Change;
use super::codes::Code;
use super::walk::union_of_keys;
use crate::interface::{Branch, Interface, Object, Shape, Traits, Type, TypeIndex};

/// Returns what changed in the generated Rust.
pub(super) fn rust(old: &Interface, new: &Interface) -> Vec<Change> {
    let mut comparison = Comparison {
        old,
        new,
        changes: Vec::new(),
    };
    for name in union_of_keys(&old.named, &new.named) {
        let old_type = old.named.get(name).map(|index| old.ty(*index));
        let new_type = new.named.get(name).map(|index| new.ty(*index));
        match (old_type, new_type) {
            (Some(old), Some(new)) => comparison.definition(name, old, new),
            (Some(old), None) => {
                let kind = Some(kind(old).to_owned());
                comparison.push(Code::RustRemoved, name, kind, None, &old.traits);
            }
            (None, Some(new)) => {
                let kind = Some(kind(new).to_owned());
                comparison.push(Code::RustAdded, name, None, kind, &new.traits);
            }
            (None, None) => {}
        }
    }
    for name in union_of_keys(&old.commands, &new.commands) {
        match (old.commands.get(name), new.commands.get(name)) {
            (Some(old), Some(new)) => {
                comparison.arguments(name, old.arg, new.arg);
                comparison.ty(&format!("{name} ->"), old.ret, new.ret, &new.traits);
            }
            (old, new) => comparison.whole(
                name,
                "command",
                old.map(|command| &command.traits),
                new.map(|command| &command.traits),
            ),
        }
    }
    for name in union_of_keys(&old.events, &new.events) {
        match (old.events.get(name), new.events.get(name)) {
            (Some(old), Some(new)) => comparison.arguments(name, old.arg, new.arg),
            (old, new) => comparison.whole(
                name,
                "event",
                old.map(|event| &event.traits),
                new.map(|event| &event.traits),
            ),
        }
    }
    comparison.changes
}

struct Comparison<'a> {
    old: &'a Interface,
    new: &'a Interface,
    changes: Vec<Change>,
}

impl Comparison<'_> {
    /// Reports a definition that only one side has.
    fn whole(&mut self, name: &str, kind: &str, old: Option<&Traits>, new: Option<&Traits>) {
        let kind = Some(kind.to_owned());
        match (old, new) {
            (Some(old), _) => self.push(Code::RustRemoved, name, kind, None, old),
            (None, Some(new)) => self.push(Code::RustAdded, name, None, kind, new),
            (None, None) => {}
        }
    }

    fn definition(&mut self, name: &str, old: &Type, new: &Type) {
        if let (Some(from), Some(to)) = (&old.module, &new.module)
            && from != to
        {
            let (from, to) = (Some(from.clone()), Some(to.clone()));
            self.push(Code::RustMoved, name, from, to, &new.traits);
        }
        match (&old.shape, &new.shape) {
            (Shape::Enum(old), Shape::Enum(new)) => self.variants(name, old, new),
            (Shape::Object(old_object), Shape::Object(new_object)) if kind(old) == kind(new) => {
                self.fields(name, old_object, new_object);
            }
            (Shape::Alternate(old), Shape::Alternate(new)) => self.alternates(name, old, new),
            _ => {
                let (from, to) = (kind(old).to_owned(), kind(new).to_owned());
                self.push(Code::RustKind, name, Some(from), Some(to), &new.traits);
            }
        }
    }

    /// Compares arguments that are written in place, which give a struct.
    fn arguments(&mut self, name: &str, old: TypeIndex, new: TypeIndex) {
        let (old_type, new_type) = (self.old.ty(old), self.new.ty(new));
        if old_type.name != new_type.name {
            return self.ty(name, old, new, &new_type.traits);
        }
        if old_type.name.is_none()
            && let (Some(old), Some(new)) = (self.old.object(old), self.new.object(new))
        {
            self.fields(name, old, new);
        }
    }

    fn fields(&mut self, name: &str, old: &Object, new: &Object) {
        for field in union_of_keys(&old.members, &new.members) {
            let path = format!("{name}/{field}");
            match (old.members.get(field), new.members.get(field)) {
                (Some(old), Some(new)) => {
                    let from = rust_type(self.old, old.ty, old.optional);
                    let to = rust_type(self.new, new.ty, new.optional);
                    if from != to {
                        let (from, to) = (Some(from), Some(to));
                        self.push(Code::RustFieldType, &path, from, to, &new.traits);
                    }
                }
                (Some(old), None) => {
                    let ty = Some(rust_type(self.old, old.ty, old.optional));
                    self.push(Code::RustFieldRemoved, &path, ty, None, &old.traits);
                }
                (None, Some(new)) => {
                    let ty = Some(rust_type(self.new, new.ty, new.optional));
                    self.push(Code::RustFieldAdded, &path, None, ty, &new.traits);
                }
                (None, None) => {}
            }
        }
        if let (Some(old), Some(new)) = (&old.variants, &new.variants) {
            for case in union_of_keys(&old.cases, &new.cases) {
                let path = format!("{name}/+{case}");
                match (old.cases.get(case), new.cases.get(case)) {
                    (Some(old), Some(new)) => self.ty(&path, old.ty, new.ty, &new.traits),
                    (Some(old), None) => {
                        let variant = Some("variant".to_owned());
                        self.push(Code::RustVariantRemoved, &path, variant, None, &old.traits);
                    }
                    (None, Some(new)) => {
                        let variant = Some("variant".to_owned());
                        self.push(Code::RustVariantAdded, &path, None, variant, &new.traits);
                    }
                    (None, None) => {}
                }
            }
        }
    }

    fn alternates(&mut self, name: &str, old: &[Branch], new: &[Branch]) {
        let by_name = |branches: &[Branch]| -> BTreeMap<String, Branch> {
            let named = branches
                .iter()
                .filter_map(|branch| Some((branch.name.clone()?, branch.clone())));
            named.collect()
        };
        let (old, new) = (by_name(old), by_name(new));
        for branch in union_of_keys(&old, &new) {
            let path = format!("{name}/{branch}");
            let variant = || Some("variant".to_owned());
            match (old.get(branch), new.get(branch)) {
                (Some(old), Some(new)) => self.ty(&path, old.ty, new.ty, &new.traits),
                (Some(old), None) => {
                    self.push(
                        Code::RustVariantRemoved,
                        &path,
                        variant(),
                        None,
                        &old.traits,
                    );
                }
                (None, Some(new)) => {
                    self.push(Code::RustVariantAdded, &path, None, variant(), &new.traits);
                }
                (None, None) => {}
            }
        }
    }

    fn variants(
        &mut self,
        name: &str,
        old: &BTreeMap<String, Traits>,
        new: &BTreeMap<String, Traits>,
    ) {
        for value in union_of_keys(old, new) {
            let path = format!("{name}/{value}");
            let variant = || Some("variant".to_owned());
            match (old.get(value), new.get(value)) {
                (Some(traits), None) => {
                    self.push(Code::RustVariantRemoved, &path, variant(), None, traits);
                }
                (None, Some(traits)) => {
                    self.push(Code::RustVariantAdded, &path, None, variant(), traits);
                }
                _ => {}
            }
        }
    }

    fn ty(&mut self, path: &str, old: TypeIndex, new: TypeIndex, traits: &Traits) {
        let from = rust_type(self.old, old, false);
        let to = rust_type(self.new, new, false);
        if from != to {
            self.push(Code::RustFieldType, path, Some(from), Some(to), traits);
        }
    }

    fn push(
        &mut self,
        code: Code,
        path: &str,
        old: Option<String>,
        new: Option<String>,
        traits: &Traits,
    ) {
        self.changes.push(Change {
            code,
            level: code.level(None),
            direction: None,
            path: path.to_owned(),
            old,
            new,
            announced: false,
            unstable: traits.is_unstable(),
            place: traits.place.clone(),
        });
    }
}

fn kind(ty: &Type) -> &'static str {
    match &ty.shape {
        Shape::Enum(_) => "enum",
        Shape::Alternate(_) => "alternate",
        Shape::Object(object) if object.variants.is_some() => "union",
        Shape::Object(_) => "struct",
        Shape::Array(_) => "array",
        Shape::Scalar(_) => "built-in",
    }
}

/// Returns the Rust type of a member, with names of the schema.
fn rust_type(interface: &Interface, index: TypeIndex, optional: bool) -> String {
    let ty = interface.ty(index);
    let name = match (&ty.name, &ty.shape) {
        (Some(name), _) => name.clone(),
        (None, Shape::Array(element)) => {
            format!("Vec<{}>", rust_type(interface, *element, false))
        }
        (None, Shape::Scalar(scalar)) => scalar.name().to_owned(),
        (None, _) => "()".to_owned(),
    };
    if optional {
        format!("Option<{name}>")
    } else {
        name
    }
}

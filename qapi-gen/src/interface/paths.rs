//! The paths of an interface, in the grammar of libvirt's queries.
//!
//! In: an interface. Out: one line for everything that a client can ask for
//! (`migrate/arg-type/*uri`), or whether one path exists.
//!
//! A path is `COMMAND/arg-type/…`, `COMMAND/ret-type/…` or `EVENT/arg-type/…`, then
//! `member`, `*member` (an optional one), `+case` (of a union), `^value` (of an
//! enumeration), `$feature`, or `!builtin`. Arrays and alternates add nothing.

use std::collections::BTreeSet;

use super::{Branch, DEPTH_MAX, Interface, Object, Shape, Traits, TypeIndex};

/// The lines that may be printed. A hostile schema could have more paths than any
/// memory holds.
const LINES_MAX: usize = 2_000_000;
/// The bytes that these lines may have.
const BYTES_MAX: usize = 256 << 20;

impl Interface {
    /// Returns all paths, sorted as the names of their parts are. A type is not
    /// entered again within itself.
    ///
    /// # Errors
    ///
    /// Fails if there are more than two million paths, or if types nest too deeply.
    pub fn paths(&self) -> Result<Vec<String>, TooManyPaths> {
        let mut listing = Listing {
            interface: self,
            lines: Vec::new(),
            bytes: 0,
            entered: Vec::new(),
        };
        for name in self.names() {
            listing.definition(name)?;
        }
        Ok(listing.lines)
    }

    /// Returns the names of commands and events in alphabetic order.
    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.commands().chain(self.events()).collect();
        names.sort_unstable();
        names
    }

    /// Returns whether a path exists.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        let mut parts = path.split('/');
        let Some(name) = parts.next() else {
            return false;
        };
        let parts: Vec<&str> = parts.collect();
        let (traits, arg, ret) = match (self.commands.get(name), self.events.get(name)) {
            (Some(command), _) => (&command.traits, command.arg, Some(command.ret)),
            (None, Some(event)) => (&event.traits, event.arg, None),
            (None, None) => return false,
        };
        match (parts.as_slice(), ret) {
            ([], _) => true,
            (["arg-type", rest @ ..], _) => self.types_have(&[arg], rest),
            (["ret-type", rest @ ..], Some(ret)) => self.types_have(&[ret], rest),
            ([feature], _) => has_feature(traits, feature),
            _ => false,
        }
    }

    /// Returns whether one of several types has the parts of a path.
    fn types_have(&self, types: &[TypeIndex], parts: &[&str]) -> bool {
        let Some((first, rest)) = parts.split_first() else {
            return true;
        };
        // Arrays and alternates add nothing to a path, and may contain themselves.
        let mut seen = BTreeSet::new();
        let mut next = types.to_vec();
        let mut inner = Vec::new();
        while let Some(index) = next.pop() {
            if !seen.insert(index) {
                continue;
            }
            let ty = self.ty(index);
            match &ty.shape {
                Shape::Array(element) => next.push(*element),
                Shape::Alternate(branches) => next.extend(branches.iter().map(|branch| branch.ty)),
                Shape::Scalar(scalar) => {
                    if rest.is_empty() && first.strip_prefix('!') == Some(scalar.json_name()) {
                        return true;
                    }
                }
                Shape::Enum(values) => {
                    let value = first.strip_prefix('^').and_then(|name| values.get(name));
                    match (value, rest) {
                        (Some(_), []) => return true,
                        (Some(traits), [feature]) if has_feature(traits, feature) => return true,
                        _ => {}
                    }
                }
                Shape::Object(object) => {
                    if rest.is_empty() && has_feature(&ty.traits, first) {
                        return true;
                    }
                    match object_part(object, first) {
                        Some((traits, _)) if matches!(rest, [feature] if has_feature(traits, feature)) =>
                        {
                            return true;
                        }
                        Some((_, ty)) => inner.push(ty),
                        None => {}
                    }
                }
            }
        }
        !inner.is_empty() && self.types_have(&inner, rest)
    }
}

/// Returns the member or the case of a union that a part of a path names.
fn object_part<'a>(object: &'a Object, part: &str) -> Option<(&'a Traits, TypeIndex)> {
    if let Some(case) = part.strip_prefix('+') {
        let branch = object.variants.as_ref()?.cases.get(case)?;
        return Some((&branch.traits, branch.ty));
    }
    let (name, must_be_optional) = match part.strip_prefix('*') {
        Some(name) => (name, true),
        None => (part, false),
    };
    let member = object.members.get(name)?;
    (member.optional || !must_be_optional).then_some((&member.traits, member.ty))
}

/// The error of an interface that has too many paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyPaths;

impl std::fmt::Display for TooManyPaths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the interface has more than {LINES_MAX} paths, or its types nest deeper than {DEPTH_MAX}"
        )
    }
}

impl std::error::Error for TooManyPaths {}

fn has_feature(traits: &Traits, part: &str) -> bool {
    part.strip_prefix('$')
        .is_some_and(|feature| traits.features.contains(feature))
}

struct Listing<'a> {
    interface: &'a Interface,
    lines: Vec<String>,
    bytes: usize,
    /// The types that lead to the current one.
    entered: Vec<TypeIndex>,
}

impl Listing<'_> {
    fn definition(&mut self, name: &str) -> Result<(), TooManyPaths> {
        let interface = self.interface;
        self.push(name.to_owned())?;
        if let Some(command) = interface.commands.get(name) {
            self.features(name, &command.traits)?;
            self.ty(command.arg, &format!("{name}/arg-type"))?;
            self.ty(command.ret, &format!("{name}/ret-type"))?;
        } else if let Some(event) = interface.events.get(name) {
            self.features(name, &event.traits)?;
            self.ty(event.arg, &format!("{name}/arg-type"))?;
        }
        Ok(())
    }

    fn ty(&mut self, index: TypeIndex, path: &str) -> Result<(), TooManyPaths> {
        if self.entered.contains(&index) {
            return Ok(());
        }
        if self.entered.len() == DEPTH_MAX {
            return Err(TooManyPaths);
        }
        self.entered.push(index);
        let ty = self.interface.ty(index);
        match &ty.shape {
            Shape::Scalar(scalar) => self.push(format!("{path}/!{}", scalar.json_name()))?,
            Shape::Array(element) => self.ty(*element, path)?,
            Shape::Alternate(branches) => {
                for Branch { ty, .. } in branches {
                    self.ty(*ty, path)?;
                }
            }
            Shape::Enum(values) => {
                for (value, traits) in values {
                    let path = format!("{path}/^{value}");
                    self.push(path.clone())?;
                    self.features(&path, traits)?;
                }
            }
            Shape::Object(object) => {
                self.features(path, &ty.traits)?;
                self.object(object, path)?;
            }
        }
        self.entered.pop();
        Ok(())
    }

    fn object(&mut self, object: &Object, path: &str) -> Result<(), TooManyPaths> {
        for (name, member) in &object.members {
            let inner = format!("{path}/{name}");
            self.push(inner.clone())?;
            if member.optional {
                self.push(format!("{path}/*{name}"))?;
            }
            self.features(&inner, &member.traits)?;
            self.ty(member.ty, &inner)?;
        }
        let variants = object.variants.iter();
        for (case, branch) in variants.flat_map(|variants| &variants.cases) {
            let inner = format!("{path}/+{case}");
            self.push(inner.clone())?;
            self.ty(branch.ty, &inner)?;
        }
        Ok(())
    }

    fn features(&mut self, path: &str, traits: &Traits) -> Result<(), TooManyPaths> {
        for feature in &traits.features {
            self.push(format!("{path}/${feature}"))?;
        }
        Ok(())
    }

    fn push(&mut self, line: String) -> Result<(), TooManyPaths> {
        self.bytes += line.len();
        if self.lines.len() == LINES_MAX || self.bytes > BYTES_MAX {
            return Err(TooManyPaths);
        }
        self.lines.push(line);
        Ok(())
    }
}

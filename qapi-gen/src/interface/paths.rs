//! The paths of an interface, in the grammar of libvirt's queries.
//!
//! In: an interface. Out: one line for everything that a client can ask for
//! (`migrate/arg-type/*uri`), or whether one path exists.
//!
//! A path is `COMMAND/arg-type/…`, `COMMAND/ret-type/…` or `EVENT/arg-type/…`, then
//! `member`, `*member` (an optional one), `+case` (of a union), `^value` (of an
//! enumeration), `$feature`, or `!builtin`. Arrays and alternates add nothing.

use super::{Branch, DEPTH_MAX, Interface, Object, Shape, Traits, TypeIndex};

/// The lines that may be printed. A hostile schema could have more paths than any
/// memory holds.
const LINES_MAX: usize = 2_000_000;

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
            (["arg-type", rest @ ..], _) => self.type_has(arg, rest),
            (["ret-type", rest @ ..], Some(ret)) => self.type_has(ret, rest),
            ([feature], _) => has_feature(traits, feature),
            _ => false,
        }
    }

    fn type_has(&self, index: TypeIndex, parts: &[&str]) -> bool {
        let ty = self.ty(index);
        let Some((first, rest)) = parts.split_first() else {
            return true;
        };
        match &ty.shape {
            Shape::Array(element) => self.type_has(*element, parts),
            Shape::Alternate(branches) => branches
                .iter()
                .any(|branch| self.type_has(branch.ty, parts)),
            Shape::Scalar(scalar) => {
                rest.is_empty() && first.strip_prefix('!') == Some(scalar.json_name())
            }
            Shape::Enum(values) => {
                let value = first.strip_prefix('^').and_then(|name| values.get(name));
                match (value, rest) {
                    (Some(_), []) => true,
                    (Some(traits), [feature]) => has_feature(traits, feature),
                    _ => false,
                }
            }
            Shape::Object(object) => self.object_has(&ty.traits, object, first, rest),
        }
    }

    fn object_has(&self, traits: &Traits, object: &Object, first: &str, rest: &[&str]) -> bool {
        if rest.is_empty() && has_feature(traits, first) {
            return true;
        }
        if let Some(case) = first.strip_prefix('+') {
            let cases = object.variants.as_ref().map(|variants| &variants.cases);
            return cases
                .and_then(|cases| cases.get(case))
                .is_some_and(|branch| self.type_has(branch.ty, rest));
        }
        let (name, must_be_optional) = match first.strip_prefix('*') {
            Some(name) => (name, true),
            None => (first, false),
        };
        object.members.get(name).is_some_and(|member| {
            (member.optional || !must_be_optional)
                && (matches!(rest, [feature] if has_feature(&member.traits, feature))
                    || self.type_has(member.ty, rest))
        })
    }
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
        if self.lines.len() == LINES_MAX {
            return Err(TooManyPaths);
        }
        self.lines.push(line);
        Ok(())
    }
}

//! The comparison of two interfaces, use by use.
//!
//! In: two interfaces. Out: every place where they differ on the wire. A pair of
//! types is not entered again within itself, and a pair without a difference is not
//! entered at all.

use std::collections::BTreeMap;
use std::fmt;

use super::change::{Change, Direction, Level};
use super::codes::Code;
use super::conditions;
use super::sameness::Sameness;
use crate::cond::Cond;
use crate::interface::{
    Branch, Command, DEPTH_MAX, Event, Interface, Place, Scalar, Shape, Traits, TypeIndex,
};

/// The steps after which a comparison ends. Whole QEMU schemas take thousands.
const STEPS_MAX: usize = 2_000_000;
/// The changes after which a comparison ends.
const CHANGES_MAX: usize = 200_000;
/// The bytes of paths after which a comparison ends.
const BYTES_MAX: usize = 256 << 20;

/// The error of two interfaces that differ at too many places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyChanges;

impl fmt::Display for TooManyChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the interfaces differ at more than {CHANGES_MAX} places, or their types nest \
             deeper than {DEPTH_MAX}"
        )
    }
}

impl std::error::Error for TooManyChanges {}

/// Returns what changed on the wire.
pub(super) fn wire(old: &Interface, new: &Interface) -> Result<Vec<Change>, TooManyChanges> {
    let mut walk = Walk {
        old,
        new,
        sameness: Sameness::new(old, new),
        entered: Vec::new(),
        steps: 0,
        bytes: 0,
        conditions: BTreeMap::new(),
        changes: Vec::new(),
    };
    for name in union_of_keys(&old.commands, &new.commands) {
        match (old.commands.get(name), new.commands.get(name)) {
            (Some(old), Some(new)) => walk.command(name, old, new)?,
            (Some(old), None) => walk.whole(Code::CommandRemoved, name, &old.traits),
            (None, Some(new)) => walk.whole(Code::CommandAdded, name, &new.traits),
            (None, None) => {}
        }
    }
    for name in union_of_keys(&old.events, &new.events) {
        match (old.events.get(name), new.events.get(name)) {
            (Some(old), Some(new)) => walk.event(name, old, new)?,
            (Some(old), None) => walk.whole(Code::EventRemoved, name, &old.traits),
            (None, Some(new)) => walk.whole(Code::EventAdded, name, &new.traits),
            (None, None) => {}
        }
    }
    if walk.is_exhausted() {
        return Err(TooManyChanges);
    }
    Ok(walk.changes)
}

/// Returns the keys of two maps in order, each once.
pub(super) fn union_of_keys<'a, T>(
    old: &'a BTreeMap<String, T>,
    new: &'a BTreeMap<String, T>,
) -> Vec<&'a str> {
    let added = new.keys().filter(|key| !old.contains_key(*key));
    let mut keys: Vec<&str> = old.keys().chain(added).map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

pub(super) struct Walk<'a> {
    pub(super) old: &'a Interface,
    pub(super) new: &'a Interface,
    sameness: Sameness<'a>,
    /// The pairs of types that lead to the current place.
    entered: Vec<(TypeIndex, TypeIndex)>,
    pub(super) steps: usize,
    bytes: usize,
    /// The differences of conditions that were found, which are many times the same.
    conditions: BTreeMap<(Option<Cond>, Option<Cond>), Option<Code>>,
    changes: Vec<Change>,
}

/// A place on the wire, with the marks (announced, unstable) that it inherits from the
/// parts around it.
#[derive(Clone, Debug)]
pub(super) struct At {
    pub(super) path: String,
    pub(super) direction: Option<Direction>,
    announced: bool,
    unstable: bool,
    /// The line of the part that contains the place.
    place: Option<Place>,
}

impl At {
    /// Returns the place of a command or an event.
    fn root(name: &str, old: &Traits, new: &Traits) -> Self {
        Self {
            path: name.to_owned(),
            direction: None,
            announced: old.is_deprecated(),
            unstable: old.is_unstable() || name.starts_with("x-"),
            place: new.place.clone().or_else(|| old.place.clone()),
        }
    }

    fn towards(mut self, direction: Direction, suffix: &str) -> Self {
        self.direction = Some(direction);
        self.path += suffix;
        self
    }

    /// Returns the place of a part, which has these properties in the interfaces
    /// that have the part.
    pub(super) fn part(
        &self,
        separator: &str,
        name: &str,
        old: Option<&Traits>,
        new: Option<&Traits>,
    ) -> Self {
        let place = new.or(old).and_then(|traits| traits.place.clone());
        // A mark of today does not excuse what breaks the users of yesterday.
        let is_unstable = old.or(new).is_some_and(Traits::is_unstable);
        Self {
            path: format!("{}{separator}{name}", self.path),
            direction: self.direction,
            announced: self.announced || old.is_some_and(Traits::is_deprecated),
            unstable: self.unstable || is_unstable || name.starts_with("x-"),
            place: place.or_else(|| self.place.clone()),
        }
    }
}

impl Walk<'_> {
    fn command(&mut self, name: &str, old: &Command, new: &Command) -> Result<(), TooManyChanges> {
        let at = At::root(name, &old.traits, &new.traits);
        self.traits(&at, &old.traits, &new.traits);
        let yes_or_no = |flag: bool| Some(if flag { "yes" } else { "no" }.to_owned());
        let mut flag = |old: bool, new: bool, removed: Code, added: Code| {
            if old != new {
                let code = if old { removed } else { added };
                self.push(&at, code, yes_or_no(old), yes_or_no(new));
            }
        };
        flag(
            old.allow_oob,
            new.allow_oob,
            Code::OobRemoved,
            Code::OobAdded,
        );
        if let (Some(old), Some(new)) = (old.schema, new.schema) {
            flag(
                old.allow_preconfig,
                new.allow_preconfig,
                Code::PreconfigRemoved,
                Code::PreconfigAdded,
            );
            flag(
                old.open_arguments,
                new.open_arguments,
                Code::ArgumentsClosed,
                Code::ArgumentsOpened,
            );
            let code = Code::SuccessResponseChanged;
            flag(old.success_response, new.success_response, code, code);
        }
        let sent = at.clone().towards(Direction::Send, "");
        self.types(&sent, old.arg, new.arg)?;
        let received = at.towards(Direction::Receive, " ->");
        self.types(&received, old.ret, new.ret)
    }

    fn event(&mut self, name: &str, old: &Event, new: &Event) -> Result<(), TooManyChanges> {
        let at = At::root(name, &old.traits, &new.traits);
        self.traits(&at, &old.traits, &new.traits);
        self.types(&at.towards(Direction::Receive, ""), old.arg, new.arg)
    }

    fn whole(&mut self, code: Code, name: &str, traits: &Traits) {
        let at = At::root(name, traits, traits);
        let kind = match code {
            Code::CommandRemoved | Code::CommandAdded => "command",
            _ => "event",
        };
        let kind = Some(kind.to_owned());
        match code {
            Code::CommandRemoved | Code::EventRemoved => self.push(&at, code, kind, None),
            _ => self.push(&at, code, None, kind),
        }
    }

    /// Returns whether the comparison has taken more than it may.
    fn is_exhausted(&self) -> bool {
        self.steps > STEPS_MAX
            || self.changes.len() > CHANGES_MAX
            || self.bytes > BYTES_MAX
            || self.sameness.is_exhausted()
    }

    /// Compares the types of one place.
    pub(super) fn types(
        &mut self,
        at: &At,
        old: TypeIndex,
        new: TypeIndex,
    ) -> Result<(), TooManyChanges> {
        if !self.sameness.differs((old, new)) || self.entered.contains(&(old, new)) {
            return Ok(());
        }
        self.steps += 1;
        if self.is_exhausted() || self.entered.len() > DEPTH_MAX {
            return Err(TooManyChanges);
        }
        self.entered.push((old, new));
        let (old_type, new_type) = (self.old.ty(old), self.new.ty(new));
        self.traits(at, &old_type.traits, &new_type.traits);
        let result = match (&old_type.shape, &new_type.shape) {
            (Shape::Object(old_object), Shape::Object(new_object)) => {
                self.objects(at, old_object, new_object)
            }
            (Shape::Array(old), Shape::Array(new)) => {
                self.types(&at.part("", "[]", None, None), *old, *new)
            }
            (Shape::Enum(old), Shape::Enum(new)) => {
                self.enums(at, old, new);
                Ok(())
            }
            (Shape::Alternate(old), Shape::Alternate(new)) => self.alternates(at, old, new),
            (Shape::Scalar(old_scalar), Shape::Scalar(new_scalar))
                if !matches!(
                    (old_scalar, new_scalar),
                    (Scalar::Any, _) | (_, Scalar::Any)
                ) =>
            {
                if let Some(code) = scalars(*old_scalar, *new_scalar) {
                    self.push_types(at, code, old, new);
                }
                Ok(())
            }
            _ => self.kinds(at, old, new),
        };
        self.entered.pop();
        result
    }

    /// Compares types of two kinds.
    fn kinds(&mut self, at: &At, old: TypeIndex, new: TypeIndex) -> Result<(), TooManyChanges> {
        let (old_shape, new_shape) = (&self.old.ty(old).shape, &self.new.ty(new).shape);
        let code = match (old_shape, new_shape) {
            (Shape::Scalar(Scalar::String), Shape::Enum(_)) => Code::StringToEnum,
            (Shape::Enum(_), Shape::Scalar(Scalar::String)) => Code::EnumToString,
            (Shape::Scalar(Scalar::Any), _) => Code::AnyToType,
            (_, Shape::Scalar(Scalar::Any)) => Code::TypeToAny,
            (_, Shape::Alternate(branches)) => {
                let kind = self.old.json_kind(old);
                let same = branches
                    .iter()
                    .find(|branch| self.new.json_kind(branch.ty) == kind);
                if let Some(branch) = same {
                    self.push_types(at, Code::TypeToAlternate, old, new);
                    return self.types(at, old, branch.ty);
                }
                Code::TypeChanged
            }
            (Shape::Alternate(branches), _) => {
                let kind = self.new.json_kind(new);
                let same = branches
                    .iter()
                    .find(|branch| self.old.json_kind(branch.ty) == kind);
                if let Some(branch) = same {
                    self.push_types(at, Code::AlternateToType, old, new);
                    return self.types(at, branch.ty, new);
                }
                Code::TypeChanged
            }
            _ => Code::TypeChanged,
        };
        self.push_types(at, code, old, new);
        Ok(())
    }

    fn enums(&mut self, at: &At, old: &BTreeMap<String, Traits>, new: &BTreeMap<String, Traits>) {
        for name in union_of_keys(old, new) {
            let (old, new) = (old.get(name), new.get(name));
            let at = at.part("=", name, old, new);
            let value = || Some("value".to_owned());
            match (old, new) {
                (Some(old), Some(new)) => self.traits(&at, old, new),
                (Some(_), None) => self.push(&at, Code::ValueRemoved, value(), None),
                _ => self.push(&at, Code::ValueAdded, None, value()),
            }
        }
    }

    /// Compares alternates by the JSON types of their branches.
    fn alternates(
        &mut self,
        at: &At,
        old: &[Branch],
        new: &[Branch],
    ) -> Result<(), TooManyChanges> {
        for branch in old {
            let kind = self.old.json_kind(branch.ty);
            let same = new.iter().find(|new| self.new.json_kind(new.ty) == kind);
            match same {
                Some(same) => {
                    self.traits(at, &branch.traits, &same.traits);
                    self.types(at, branch.ty, same.ty)?;
                }
                None => {
                    let gone = self.old.describe(branch.ty);
                    self.push(at, Code::AlternateTypeRemoved, Some(gone), None);
                }
            }
        }
        for branch in new {
            let kind = self.new.json_kind(branch.ty);
            if !old.iter().any(|old| self.old.json_kind(old.ty) == kind) {
                let added = self.new.describe(branch.ty);
                self.push(at, Code::AlternateTypeAdded, None, Some(added));
            }
        }
        Ok(())
    }

    /// Compares the features and the conditions of a part.
    pub(super) fn traits(&mut self, at: &At, old: &Traits, new: &Traits) {
        self.features(at, old, new);
        // Skip conditions if one side is a reply, because a reply lists only what its build
        // has, and carries no conditions.
        if !self.old.is_schema || !self.new.is_schema {
            return;
        }
        if old.cond == new.cond {
            return;
        }
        let key = (old.cond.clone(), new.cond.clone());
        let difference = *self
            .conditions
            .entry(key)
            .or_insert_with_key(|(old, new)| conditions::difference(old.as_ref(), new.as_ref()));
        if let Some(code) = difference {
            let old = conditions::text(old.cond.as_ref());
            let new = conditions::text(new.cond.as_ref());
            self.push(at, code, Some(old), Some(new));
        }
    }

    fn features(&mut self, at: &At, old: &Traits, new: &Traits) {
        let feature = |name: &str| Some(format!("feature {name}"));
        for gone in old.features.difference(&new.features) {
            let code = match gone.as_str() {
                "deprecated" => Code::NotDeprecated,
                "unstable" => Code::BecameStable,
                _ => Code::FeatureRemoved,
            };
            self.push(at, code, feature(gone), None);
        }
        for added in new.features.difference(&old.features) {
            let code = match added.as_str() {
                "deprecated" => Code::Deprecated,
                "unstable" => Code::BecameUnstable,
                _ => Code::FeatureAdded,
            };
            self.push(at, code, None, feature(added));
        }
    }

    fn push_types(&mut self, at: &At, code: Code, old: TypeIndex, new: TypeIndex) {
        let (old, new) = (self.old.describe(old), self.new.describe(new));
        self.push(at, code, Some(old), Some(new));
    }

    pub(super) fn push(&mut self, at: &At, code: Code, old: Option<String>, new: Option<String>) {
        self.push_at_level(at, code, code.level(at.direction), old, new);
    }

    pub(super) fn push_at_level(
        &mut self,
        at: &At,
        code: Code,
        level: Level,
        old: Option<String>,
        new: Option<String>,
    ) {
        self.bytes += at.path.len();
        // A single enumeration can have more changes than memory holds.
        if self.is_exhausted() {
            return;
        }
        self.changes.push(Change {
            code,
            level,
            direction: at.direction,
            path: at.path.clone(),
            old,
            new,
            announced: at.announced,
            unstable: at.unstable,
            place: at.place.clone(),
        });
    }
}

fn scalars(old: Scalar, new: Scalar) -> Option<Code> {
    match (old, new) {
        (Scalar::Int(_), Scalar::Int(_)) => {
            let ((old_min, old_max), (new_min, new_max)) = (old.range()?, new.range()?);
            if new_min > old_min || new_max < old_max {
                Some(Code::RangeNarrowed)
            } else if new_min < old_min || new_max > old_max {
                Some(Code::RangeWidened)
            } else {
                None
            }
        }
        (Scalar::Int(_), Scalar::Number) => Some(Code::IntToNumber),
        (Scalar::Number, Scalar::Int(_)) => Some(Code::NumberToInt),
        (old, new) if old == new => None,
        _ => Some(Code::TypeChanged),
    }
}

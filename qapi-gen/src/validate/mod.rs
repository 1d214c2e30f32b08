//! Messages and data, checked against an interface.
//!
//! In: an interface, and requests, replies and events, or a value of one type. Out:
//! every finding, with the JSON path and the place in the schema. This module reads
//! no files and no logs.

use std::collections::BTreeSet;
use std::fmt;

use qapi_wire::{Document, Kind, Node, Value};

use crate::coded::coded;
use crate::compare::Direction;
use crate::diag::similar;
use crate::interface::{Interface, JsonKind, Object, Place, Scalar, Shape, Traits, TypeIndex};

mod locate;
mod log;
mod session;

pub use locate::line_of;
pub use log::{LogItem, LogReader};
pub use session::Session;

/// The findings after which a check of one value ends.
const FINDINGS_MAX: usize = 100;

coded! {
    /// The kind of a finding.
    FindingCode {
    NotJson "not-json"
        "The text is not JSON.";
    NotAMessage "not-a-message"
        "The JSON is neither a request nor a reply nor an event.";
    UnknownCommand "unknown-command"
        "The interface has no such command.";
    UnknownEvent "unknown-event"
        "The interface has no such event.";
    UnknownMember "unknown-member"
        "The interface has no such member here. A server refuses a request with it.";
    UnknownValue "unknown-value"
        "The enumeration has no such value.";
    MissingMember "missing-member"
        "A mandatory member is absent. A server refuses such a request.";
    WrongType "wrong-type"
        "The value has another JSON type.";
    OutOfRange "out-of-range"
        "The integer does not fit the type.";
    NotOob "not-oob"
        "The command cannot be executed out of band.";
    Deprecated "uses-deprecated"
        "A request uses something deprecated, which a later release removes.";
    Unstable "uses-unstable"
        "A request uses something unstable, which may change without notice.";
    }
}

/// A reason why a message or a value does not fit an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The kind of finding.
    pub code: FindingCode,
    /// The names and indexes that lead to the value: `arguments`, `channels`, `[0]`.
    pub path: Vec<Step>,
    /// The finding in a few words.
    pub message: String,
    /// The line of the schema that says so.
    pub place: Option<Place>,
}

/// A part of a path to a JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A member of an object.
    Member(String),
    /// An element of an array, counted from 0.
    Element(usize),
}

impl Finding {
    /// Returns the path in the form `arguments.channels[0].addr`.
    #[must_use]
    pub fn path(&self) -> String {
        let mut text = String::new();
        for step in &self.path {
            match step {
                Step::Member(name) if text.is_empty() => text += name,
                Step::Member(name) => {
                    text.push('.');
                    text += name;
                }
                Step::Element(index) => text += &format!("[{index}]"),
            }
        }
        text
    }
}

/// Writes `missing-member arguments.uri: …`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code.name())?;
        let path = self.path();
        if !path.is_empty() {
            write!(f, " {path}")?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(place) = &self.place {
            write!(f, " [{place}]")?;
        }
        Ok(())
    }
}

/// The findings that are accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allow {
    /// True if a client may use what is deprecated.
    pub deprecated: bool,
    /// True if a client may use what is unstable.
    pub unstable: bool,
    /// True if commands, events, members and values may be unknown: the interface may
    /// be that of a release which removed them.
    pub removed: bool,
}

/// Checks a value of a type that the schema names, such as the content of a file.
///
/// Returns `None` if the interface has no type of the name.
#[must_use]
pub fn validate_value(
    interface: &Interface,
    allow: Allow,
    type_name: &str,
    document: &Document,
) -> Option<Vec<Finding>> {
    let index = *interface.named.get(type_name)?;
    let mut check = Check::new(interface, allow, Direction::Send);
    check.value(index, document.root());
    Some(check.findings)
}

/// The check of one value.
struct Check<'a> {
    interface: &'a Interface,
    allow: Allow,
    direction: Direction,
    path: Vec<Step>,
    findings: Vec<Finding>,
    /// True if the value may have members that its type does not list.
    is_open: bool,
}

impl<'a> Check<'a> {
    fn new(interface: &'a Interface, allow: Allow, direction: Direction) -> Self {
        Self {
            interface,
            allow,
            direction,
            path: Vec::new(),
            findings: Vec::new(),
            is_open: false,
        }
    }

    fn within(&mut self, step: Step, check: impl FnOnce(&mut Self)) {
        self.path.push(step);
        check(self);
        self.path.pop();
    }

    fn value(&mut self, index: TypeIndex, node: Node<'_>) {
        let interface = self.interface;
        if self.findings.len() >= FINDINGS_MAX {
            return;
        }
        match &interface.ty(index).shape {
            Shape::Scalar(scalar) => self.scalar(*scalar, node),
            Shape::Enum(values) => match node.as_str() {
                None => self.wrong_type("a string", node),
                Some(text) => match values.get(text) {
                    Some(traits) => self.traits(traits, &format!("value '{text}'")),
                    None => {
                        let place = interface.ty(index).traits.place.clone();
                        let known = nearest(text, values.keys());
                        let message = format!("no value '{text}' exists{known}");
                        self.report(FindingCode::UnknownValue, message, place);
                    }
                },
            },
            Shape::Array(element) => match node.elements() {
                None => self.wrong_type("an array", node),
                Some(elements) => {
                    for (at, value) in elements.enumerate() {
                        self.within(Step::Element(at), |check| check.value(*element, value));
                    }
                }
            },
            Shape::Alternate(branches) => {
                let kind = node.kind();
                let branch = branches
                    .iter()
                    .find(|branch| accepts(interface, branch.ty, kind));
                match branch {
                    Some(branch) => self.value(branch.ty, node),
                    None => self.wrong_type(&interface.describe(index), node),
                }
            }
            Shape::Object(object) => {
                let traits = &interface.ty(index).traits;
                self.object(object, traits.place.as_ref(), node, &BTreeSet::new());
            }
        }
    }

    fn scalar(&mut self, scalar: Scalar, node: Node<'_>) {
        let fits = match (scalar, node.kind()) {
            (Scalar::Any, _)
            | (Scalar::String, Kind::String)
            | (Scalar::Bool, Kind::Bool)
            | (Scalar::Null, Kind::Null)
            | (Scalar::Number, Kind::Number) => true,
            (Scalar::Int(_), Kind::Number) => return self.integer(scalar, node),
            _ => false,
        };
        if !fits {
            self.wrong_type(scalar.name(), node);
        }
    }

    fn integer(&mut self, scalar: Scalar, node: Node<'_>) {
        let number = match node.to_value() {
            Value::Int(number) => i128::from(number),
            Value::Uint(number) => i128::from(number),
            _ => return self.wrong_type("an integer of 64 bits", node),
        };
        // A reply does not tell the width, which may be that of either 64-bit type.
        let (min, max) = match scalar.range() {
            // QEMU takes negative numbers for unsigned ones of 64 bits.
            Some((_, max)) if max == i128::from(u64::MAX) => (i128::from(i64::MIN), max),
            Some(range) => range,
            None => (i128::from(i64::MIN), i128::from(u64::MAX)),
        };
        if number < min || number > max {
            let message = format!("{number} does not fit {}: {min} to {max}", scalar.name());
            self.report(FindingCode::OutOfRange, message, None);
        }
    }

    /// Checks an object. `inherited` are the names that a union's base has, when the
    /// members of a branch are checked.
    fn object(
        &mut self,
        object: &Object,
        place: Option<&Place>,
        node: Node<'_>,
        inherited: &BTreeSet<String>,
    ) {
        let Some(members) = node.members() else {
            return self.wrong_type("an object", node);
        };
        for (name, member) in &object.members {
            match node.get(name) {
                Some(value) => self.within(Step::Member(name.clone()), |check| {
                    check.traits(&member.traits, &format!("'{name}'"));
                    check.value(member.ty, value);
                }),
                None if member.optional => {}
                None => {
                    let ty = self.interface.describe(member.ty);
                    let place = member.traits.place.clone();
                    self.within(Step::Member(name.clone()), |check| {
                        let message = format!("{ty} is mandatory");
                        check.report(FindingCode::MissingMember, message, place);
                    });
                }
            }
        }
        let mut known: BTreeSet<String> = inherited.clone();
        known.extend(object.members.keys().cloned());
        if let Some(variants) = &object.variants {
            let tag = node.get(&variants.tag).and_then(Node::as_str);
            let case = tag.and_then(|tag| variants.cases.get(tag));
            if let Some(branch) = case.and_then(|case| self.interface.object(case.ty)) {
                return self.object(branch, place, node, &known);
            }
            // The tag is wrong, so that nobody knows which members there may be.
            return;
        }
        let is_open = self.is_open && self.path.len() == 1;
        for (name, _) in members.filter(|_| !is_open) {
            if !known.contains(name) {
                let nearest = nearest(name, known.iter());
                let place = place.cloned();
                self.within(Step::Member(name.to_owned()), |check| {
                    let message = format!("no member '{name}' exists{nearest}");
                    check.report(FindingCode::UnknownMember, message, place);
                });
            }
        }
    }

    /// Reports the use of something deprecated or unstable. A client has no choice in
    /// what it receives.
    fn traits(&mut self, traits: &Traits, what: &str) {
        if self.direction != Direction::Send {
            return;
        }
        if traits.is_deprecated() {
            let message = format!("{what} is deprecated");
            self.report(FindingCode::Deprecated, message, traits.place.clone());
        }
        if traits.is_unstable() {
            let message = format!("{what} is unstable");
            self.report(FindingCode::Unstable, message, traits.place.clone());
        }
    }

    fn wrong_type(&mut self, expected: &str, node: Node<'_>) {
        let found = match node.kind() {
            Kind::Null => "null",
            Kind::Bool => "a boolean",
            Kind::Number => "a number",
            Kind::String => "a string",
            Kind::Array => "an array",
            Kind::Object => "an object",
        };
        let message = format!("{expected} is expected, not {found}");
        self.report(FindingCode::WrongType, message, None);
    }

    fn report(&mut self, code: FindingCode, message: String, place: Option<Place>) {
        let allowed = match code {
            FindingCode::Deprecated => self.allow.deprecated,
            FindingCode::Unstable => self.allow.unstable,
            FindingCode::UnknownCommand
            | FindingCode::UnknownEvent
            | FindingCode::UnknownMember
            | FindingCode::UnknownValue => self.allow.removed,
            _ => false,
        };
        if !allowed && self.findings.len() < FINDINGS_MAX {
            let path = self.path.clone();
            self.findings.push(Finding {
                code,
                path,
                message,
                place,
            });
        }
    }
}

/// Returns whether a branch of an alternate takes values of a JSON type.
fn accepts(interface: &Interface, index: TypeIndex, kind: Kind) -> bool {
    let kind = match kind {
        Kind::Null => JsonKind::Null,
        Kind::Bool => JsonKind::Bool,
        Kind::Number => JsonKind::Number,
        Kind::String => JsonKind::String,
        Kind::Array => JsonKind::Array,
        Kind::Object => JsonKind::Object,
    };
    let taken = interface.json_kind(index);
    taken.is_none_or(|taken| taken == kind)
}

/// Returns `; is 'uri' meant?` if a known name resembles another one.
fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n String>) -> String {
    similar(name, known.map(String::as_str))
        .map(|known| format!("; is '{known}' meant?"))
        .unwrap_or_default()
}

//! The interface that a server reports.
//!
//! In: the text of a reply to `query-qmp-schema`, or a conversation that contains
//! one. Out: an [`Interface`], or the first entry that is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use qapi_wire::json::{Limits, MessageReader};
use qapi_wire::{Document, Kind, Node, Value, to_json};

use super::{
    Branch, Command, Event, Interface, Member, Object, Scalar, Shape, Traits, Type, TypeIndex,
    Variants,
};

/// The reason why a text is not a reply to `query-qmp-schema`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyError(String);

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ReplyError {}

/// The known keys of each kind of entry. Other keys are refused, because ignoring one
/// could change the meaning of the entry.
const KEYS: [(&str, &[&str]); 7] = [
    (
        "command",
        &["arg-type", "ret-type", "allow-oob", "features"],
    ),
    ("event", &["arg-type", "features"]),
    ("object", &["members", "tag", "variants", "features"]),
    ("enum", &["members", "values", "features"]),
    ("array", &["element-type", "features"]),
    ("alternate", &["members", "features"]),
    ("builtin", &["json-type", "features"]),
];

impl Interface {
    /// Reads a reply to `query-qmp-schema`: the array of `SchemaInfo`, the whole
    /// reply, or a conversation in which one JSON value follows another, as libvirt
    /// keeps them in its `.replies` files.
    ///
    /// # Errors
    ///
    /// Fails if the text is not JSON, if no value is such a reply, if an entry has
    /// an unknown key or names a type that is missing, if two entries have one
    /// name, or if a type has a shape that no schema gives.
    pub fn of_reply(text: &[u8]) -> Result<Self, ReplyError> {
        let message = find(text)?;
        read(entries(&message).unwrap_or(message.root()))
    }

    /// Returns the array of `SchemaInfo` in a text as `qapi-gen introspect` writes it: an
    /// entry in a line, without blanks. Replies of different servers can be compared so.
    ///
    /// # Errors
    ///
    /// Fails as [`Interface::of_reply`] does.
    pub fn canonical_reply(text: &[u8]) -> Result<String, ReplyError> {
        let message = find(text)?;
        Self::canonical_schema_info(entries(&message).unwrap_or(message.root()))
    }

    /// Returns an array of `SchemaInfo` as [`Interface::canonical_reply`] does.
    ///
    /// # Errors
    ///
    /// Fails as [`Interface::of_reply`] does.
    pub fn canonical_schema_info(array: Node<'_>) -> Result<String, ReplyError> {
        read(array)?;
        let entries = array.elements().into_iter().flatten();
        let lines: Vec<String> = entries.map(compact).collect();
        Ok(if lines.is_empty() {
            "[]\n".to_owned()
        } else {
            format!("[\n{}\n]\n", lines.join(",\n"))
        })
    }

    /// Reads an array of `SchemaInfo`.
    ///
    /// # Errors
    ///
    /// Fails as [`Interface::of_reply`] does.
    pub fn of_schema_info(array: Node<'_>) -> Result<Self, ReplyError> {
        read(array)
    }
}

/// Finds the reply to `query-qmp-schema` in a text.
fn find(text: &[u8]) -> Result<Document, ReplyError> {
    let mut reader = MessageReader::new(Limits::default());
    reader.receive(text);
    let mut found = None;
    let mut messages = 0;
    while let Some(message) = reader.next_message() {
        let message =
            message.map_err(|error| ReplyError(format!("it is not JSON: {}", error.desc())))?;
        messages += 1;
        // Other commands may have returned an empty array before.
        let is_better = is_schema(&message) && found.as_ref().is_none_or(|found| !is_schema(found))
            || messages == 1 && entries(&message).is_some_and(is_empty);
        if is_better {
            found = Some(message);
        }
    }
    if messages > 1 {
        found = found.filter(is_schema);
    }
    if reader.pending_bytes() > 0 {
        return Err(ReplyError("it is JSON that does not end".to_owned()));
    }
    if let Some(message) = found {
        return Ok(message);
    }
    Err(ReplyError(if messages > 0 {
        "it contains JSON, but no reply to query-qmp-schema".to_owned()
    } else {
        "it is empty; a reply to query-qmp-schema is expected".to_owned()
    }))
}

/// Returns a value of an entry as JSON without blanks.
fn compact(node: Node<'_>) -> String {
    match node.kind() {
        Kind::Array => {
            let elements = node.elements().into_iter().flatten();
            let elements: Vec<String> = elements.map(compact).collect();
            format!("[{}]", elements.join(","))
        }
        Kind::Object => {
            let members = node.members().into_iter().flatten();
            let members: Vec<String> = members
                .map(|(name, value)| format!("{}:{}", to_json(name), compact(value)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Kind::String => to_json(node.as_str().unwrap_or_default()),
        Kind::Bool => (node.to_value() == Value::Bool(true)).to_string(),
        Kind::Null => "null".to_owned(),
        Kind::Number => match node.to_value() {
            Value::Int(number) => number.to_string(),
            Value::Uint(number) => number.to_string(),
            other => to_json(&other),
        },
    }
}

/// Returns the array that a message is, or that it returns.
fn entries(message: &Document) -> Option<Node<'_>> {
    let root = message.root();
    let array = if root.kind() == Kind::Object {
        root.get("return")?
    } else {
        root
    };
    (array.kind() == Kind::Array).then_some(array)
}

fn is_empty(array: Node<'_>) -> bool {
    array.elements().is_some_and(|elements| elements.len() == 0)
}

/// Returns whether a message is or returns an array of `SchemaInfo`.
fn is_schema(message: &Document) -> bool {
    let first = entries(message).and_then(|array| array.elements()?.next());
    first.is_some_and(|first| first.get("meta-type").is_some())
}

fn read(array: Node<'_>) -> Result<Interface, ReplyError> {
    let entries: Vec<Node<'_>> = array.elements().into_iter().flatten().collect();
    let mut reading = Reading {
        indexes: BTreeMap::new(),
        names: Vec::new(),
    };
    let mut kinds = BTreeMap::new();
    for (at, entry) in entries.iter().enumerate() {
        let name = text(*entry, "name").ok_or_else(|| missing(at, "name"))?;
        let kind = text(*entry, "meta-type").ok_or_else(|| missing(at, "meta-type"))?;
        check_keys(name, kind, *entry)?;
        if kinds.insert(name, kind).is_some() {
            return Err(ReplyError(format!("two entries are called '{name}'")));
        }
        if !matches!(kind, "command" | "event") {
            reading.indexes.insert(name.to_owned(), reading.names.len());
            reading.names.push(name.to_owned());
        }
    }
    let mut interface = Interface::default();
    for entry in entries {
        let name = text(entry, "name").unwrap_or_default().to_owned();
        match text(entry, "meta-type") {
            Some("command") => {
                let command = reading.command(&name, entry)?;
                interface.commands.insert(name, command);
            }
            Some("event") => {
                let traits = traits(&name, entry)?;
                let arg = reading.ty(&name, entry, "arg-type")?;
                interface.events.insert(name, Event { traits, arg });
            }
            _ => {
                let ty = reading.read_type(&name, entry)?;
                if let Some(name) = &ty.name {
                    interface.named.insert(name.clone(), interface.types.len());
                }
                interface.types.push(ty);
            }
        }
    }
    interface.check_shapes(&reading.names)?;
    Ok(interface)
}

struct Reading {
    indexes: BTreeMap<String, TypeIndex>,
    names: Vec<String>,
}

impl Reading {
    fn command(&self, name: &str, entry: Node<'_>) -> Result<Command, ReplyError> {
        Ok(Command {
            traits: traits(name, entry)?,
            arg: self.ty(name, entry, "arg-type")?,
            ret: self.ty(name, entry, "ret-type")?,
            allow_oob: match entry.get("allow-oob").map(Node::to_value) {
                None => false,
                Some(Value::Bool(flag)) => flag,
                Some(_) => return Err(wrong(name, "allow-oob")),
            },
            schema: None,
        })
    }

    fn read_type(&self, name: &str, entry: Node<'_>) -> Result<Type, ReplyError> {
        let shape = match text(entry, "meta-type").unwrap_or_default() {
            "builtin" => Shape::Scalar(scalar(name, entry)?),
            "array" => Shape::Array(self.ty(name, entry, "element-type")?),
            "enum" => Shape::Enum(values(name, entry)?),
            "alternate" => {
                let mut branches = Vec::new();
                for branch in list(name, entry, "members")? {
                    branches.push(Branch {
                        name: None,
                        traits: Traits::default(),
                        ty: self.ty(name, branch, "type")?,
                    });
                }
                Shape::Alternate(branches)
            }
            _ => Shape::Object(self.object(name, entry)?),
        };
        // A masked name is a number, that of an array is a number in brackets.
        let is_named = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && !name.starts_with("q_")
            && !matches!(shape, Shape::Array(_) | Shape::Scalar(_));
        Ok(Type {
            name: is_named.then(|| name.to_owned()),
            module: None,
            traits: traits(name, entry)?,
            shape,
        })
    }

    fn object(&self, name: &str, entry: Node<'_>) -> Result<Object, ReplyError> {
        let mut members = BTreeMap::new();
        for member in list(name, entry, "members")? {
            let key = required(name, member, "name")?;
            let value = Member {
                traits: traits(name, member)?,
                ty: self.ty(name, member, "type")?,
                optional: member.get("default").is_some(),
            };
            check_part(name, member, &["name", "type", "default", "features"])?;
            if members.insert(key.to_owned(), value).is_some() {
                let message = format!("type '{name}' has two members called '{key}'");
                return Err(ReplyError(message));
            }
        }
        let variants = match entry.get("tag") {
            None if entry.get("variants").is_some() => {
                return Err(ReplyError(format!(
                    "type '{name}' has variants without a tag"
                )));
            }
            None => None,
            Some(tag) => {
                let tag = tag.as_str().ok_or_else(|| wrong(name, "tag"))?;
                if !members.contains_key(tag) {
                    let message = format!("type '{name}' has no member '{tag}', its tag");
                    return Err(ReplyError(message));
                }
                let mut cases = BTreeMap::new();
                for case in list(name, entry, "variants")? {
                    let branch = Branch {
                        name: None,
                        traits: Traits::default(),
                        ty: self.ty(name, case, "type")?,
                    };
                    check_part(name, case, &["case", "type"])?;
                    cases.insert(required(name, case, "case")?.to_owned(), branch);
                }
                let tag = tag.to_owned();
                Some(Variants { tag, cases })
            }
        };
        Ok(Object { members, variants })
    }

    /// Returns the type that a key of an entry names.
    fn ty(&self, name: &str, entry: Node<'_>, key: &str) -> Result<TypeIndex, ReplyError> {
        let ty = required(name, entry, key)?;
        self.indexes.get(ty).copied().ok_or_else(|| {
            ReplyError(format!(
                "the entry of '{name}' names type '{ty}', which has no entry"
            ))
        })
    }
}

impl Interface {
    /// Checks what the rest relies on: arguments and variants are objects, and arrays,
    /// alternates and unions do not consist of themselves.
    fn check_shapes(&self, names: &[String]) -> Result<(), ReplyError> {
        let commands = self.commands.iter();
        let args = commands.map(|(name, command)| (name, command.arg));
        let data = self.events.iter().map(|(name, event)| (name, event.arg));
        for (name, arg) in args.chain(data) {
            if self.object(arg).is_none() {
                let message = format!("the arguments of '{name}' are not an object");
                return Err(ReplyError(message));
            }
        }
        for (index, (ty, name)) in self.types.iter().zip(names).enumerate() {
            let refuse = |what: &str| Err(ReplyError(format!("type '{name}' {what}")));
            match &ty.shape {
                Shape::Array(element) if matches!(self.ty(*element).shape, Shape::Array(_)) => {
                    return refuse("is an array of arrays");
                }
                Shape::Alternate(branches) => {
                    let nests =
                        |branch: &Branch| matches!(self.ty(branch.ty).shape, Shape::Alternate(_));
                    if branches.iter().any(nests) {
                        return refuse("is an alternate of alternates");
                    }
                }
                Shape::Object(_) if self.variants_depth(index).is_none() => {
                    return refuse("has a variant that is no object, or variants nest too deeply");
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Returns how deeply variants of variants nest, or `None` if a variant is not an
    /// object or they nest too deeply.
    fn variants_depth(&self, index: TypeIndex) -> Option<usize> {
        const VARIANTS_DEPTH_MAX: usize = 16;
        let mut level = BTreeSet::from([index]);
        for depth in 0..VARIANTS_DEPTH_MAX {
            let mut next = BTreeSet::new();
            for index in level {
                let variants = self.object(index)?.variants.iter();
                let cases = variants.flat_map(|variants| variants.cases.values());
                next.extend(cases.map(|case| case.ty));
            }
            if next.is_empty() {
                return Some(depth);
            }
            level = next;
        }
        None
    }
}

fn scalar(name: &str, entry: Node<'_>) -> Result<Scalar, ReplyError> {
    Ok(match required(name, entry, "json-type")? {
        "string" => Scalar::String,
        "number" => Scalar::Number,
        "int" => Scalar::Int(None),
        "boolean" => Scalar::Bool,
        "null" => Scalar::Null,
        "value" => Scalar::Any,
        other => {
            return Err(ReplyError(format!(
                "the JSON type '{other}' of '{name}' is unknown"
            )));
        }
    })
}

/// Returns the values of an enumeration. Servers before QEMU 6.2 list only names.
fn values(name: &str, entry: Node<'_>) -> Result<BTreeMap<String, Traits>, ReplyError> {
    let mut values = BTreeMap::new();
    if entry.get("members").is_some() {
        for member in list(name, entry, "members")? {
            let value = required(name, member, "name")?;
            values.insert(value.to_owned(), traits(name, member)?);
        }
    } else {
        for value in list(name, entry, "values")? {
            let value = value.as_str().ok_or_else(|| wrong(name, "values"))?;
            values.insert(value.to_owned(), Traits::default());
        }
    }
    Ok(values)
}

fn traits(name: &str, entry: Node<'_>) -> Result<Traits, ReplyError> {
    let mut features = BTreeSet::new();
    if let Some(list) = entry.get("features") {
        for feature in list.elements().ok_or_else(|| wrong(name, "features"))? {
            let feature = feature.as_str().ok_or_else(|| wrong(name, "features"))?;
            features.insert(feature.to_owned());
        }
    }
    Ok(Traits {
        features,
        ..Traits::default()
    })
}

fn check_keys(name: &str, kind: &str, entry: Node<'_>) -> Result<(), ReplyError> {
    let Some((_, keys)) = KEYS.iter().find(|(known, _)| *known == kind) else {
        return Err(ReplyError(format!(
            "the meta-type '{kind}' of '{name}' is unknown"
        )));
    };
    for (key, _) in entry.members().into_iter().flatten() {
        if !matches!(key, "name" | "meta-type") && !keys.contains(&key) {
            return Err(ReplyError(format!(
                "the entry of {kind} '{name}' has an unknown key '{key}'"
            )));
        }
    }
    Ok(())
}

/// Checks the keys of a part of an entry.
fn check_part(name: &str, part: Node<'_>, known: &[&str]) -> Result<(), ReplyError> {
    let mut keys = part.members().ok_or_else(|| wrong(name, "members"))?;
    match keys.find(|(key, _)| !known.contains(key)) {
        Some((key, _)) => {
            let message = format!("a part of the entry of '{name}' has an unknown key '{key}'");
            Err(ReplyError(message))
        }
        None => Ok(()),
    }
}

fn text<'d>(entry: Node<'d>, key: &str) -> Option<&'d str> {
    entry.get(key)?.as_str()
}

fn required<'d>(name: &str, entry: Node<'d>, key: &str) -> Result<&'d str, ReplyError> {
    text(entry, key).ok_or_else(|| wrong(name, key))
}

fn list<'d>(name: &str, entry: Node<'d>, key: &str) -> Result<Vec<Node<'d>>, ReplyError> {
    let list = entry.get(key).and_then(Node::elements);
    Ok(list.ok_or_else(|| wrong(name, key))?.collect())
}

fn wrong(name: &str, key: &str) -> ReplyError {
    ReplyError(format!(
        "key '{key}' in the entry of '{name}' is missing or has another form"
    ))
}

fn missing(at: usize, key: &str) -> ReplyError {
    ReplyError(format!("entry {at} has no '{key}'"))
}

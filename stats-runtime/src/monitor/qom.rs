//! The commands of `qom.json`: the tree of objects, in which clients look for
//! vCPUs.
//!
//! In: paths and names of properties. Out: objects and values. The tree has a
//! root, a machine, the vCPUs, and the containers that the paths of the vCPUs
//! name. Paths are resolved as in QEMU's `qom/object.c`. A VMM with more objects
//! serves `qom-list` and `qom-get` itself, by [`Monitor::with_extension`].

use std::collections::BTreeMap;

use qapi_stats::machine::CpuInstanceProperties;
use qapi_stats::qom::ObjectPropertyInfo;
use qapi_stats::qom::commands::{QomGet, QomList};
use qapi_stats::wire::{Error, ErrorClass, Value};

use super::Monitor;
use crate::host::Vcpu;

impl qapi_stats::qom::Commands for Monitor {
    fn qom_list(&self, arguments: QomList) -> Result<Vec<ObjectPropertyInfo>, Error> {
        let root = tree(self);
        let path = arguments.path;
        let (_, object) = match resolve(&root, &path).as_slice() {
            [] => return Err(not_found(&path)),
            [found] => found.clone(),
            _ => return Err(Error::generic(format!("Path '{path}' is ambiguous"))),
        };
        Ok(object.list())
    }

    fn qom_get(&self, arguments: QomGet) -> Result<Value, Error> {
        let root = tree(self);
        let found = resolve(&root, &arguments.path);
        // Report an ambiguous path as not found, because QEMU does so for this
        // command; `qom-list` has an error of its own. The test
        // `qom_commands_resolve_paths_as_qemu_does` pins both.
        let [(path, object)] = found.as_slice() else {
            return Err(not_found(&arguments.path));
        };
        object.get(path, &arguments.property)
    }
}

fn not_found(path: &str) -> Error {
    let desc = format!("Device '{path}' not found");
    Error::new(ErrorClass::DeviceNotFound, desc)
}

/// An object of the tree.
#[derive(Debug)]
struct Object {
    qom_type: String,
    /// The properties: name, type and value.
    values: Vec<(&'static str, &'static str, Value)>,
    children: BTreeMap<String, Object>,
}

impl Object {
    fn new(qom_type: impl Into<String>) -> Self {
        Self {
            qom_type: qom_type.into(),
            values: Vec::new(),
            children: BTreeMap::new(),
        }
    }

    fn list(&self) -> Vec<ObjectPropertyInfo> {
        let property = |name: &str, type_: String| ObjectPropertyInfo {
            name: name.to_owned(),
            type_,
            description: None,
            default_value: None,
        };
        let values = self.values.iter();
        let values = values.map(|(name, type_, _)| property(name, (*type_).to_owned()));
        let children = self.children.iter();
        let children =
            children.map(|(name, child)| property(name, format!("child<{}>", child.qom_type)));
        std::iter::once(property("type", "string".to_owned()))
            .chain(values)
            .chain(children)
            .collect()
    }

    /// Returns the value of a property of this object, whose path is `path`.
    fn get(&self, path: &str, property: &str) -> Result<Value, Error> {
        if property == "type" {
            return Ok(Value::from(self.qom_type.as_str()));
        }
        if self.children.contains_key(property) {
            return Ok(Value::from(format!("{path}/{property}").as_str()));
        }
        let value = self.values.iter().find(|(name, ..)| *name == property);
        value.map(|(.., value)| value.clone()).ok_or_else(|| {
            let desc = format!("Property '{}.{property}' not found", self.qom_type);
            Error::generic(desc)
        })
    }
}

/// Returns the tree of the machine's objects.
fn tree(monitor: &Monitor) -> Object {
    let host = monitor.host();
    let mut root = Object::new("container");
    let machine = Object::new(host.machine_type());
    root.children.insert("machine".to_owned(), machine);
    let default_type = format!("{}-cpu", host.target());
    for vcpu in monitor.vcpus() {
        let mut object = &mut root;
        for element in elements(&vcpu.qom_path) {
            let children = &mut object.children;
            object = children
                .entry(element.to_owned())
                .or_insert_with(|| Object::new("container"));
        }
        let qom_type = vcpu.qom_type.as_deref().unwrap_or(&default_type);
        qom_type.clone_into(&mut object.qom_type);
        object.values = properties(&vcpu);
    }
    root
}

/// Returns the properties that QEMU gives every vCPU: the vCPU is realized, was
/// not hotplugged, and has a place in the machine's topology.
fn properties(vcpu: &Vcpu) -> Vec<(&'static str, &'static str, Value)> {
    let mut values = vec![
        ("realized", "bool", Value::Bool(true)),
        ("hotplugged", "bool", Value::Bool(false)),
        ("hotpluggable", "bool", Value::Bool(false)),
    ];
    let Some(props) = &vcpu.props else {
        return values;
    };
    let CpuInstanceProperties {
        node_id,
        drawer_id,
        book_id,
        socket_id,
        die_id,
        cluster_id,
        module_id,
        core_id,
        thread_id,
    } = props;
    let places = [
        ("node-id", node_id),
        ("drawer-id", drawer_id),
        ("book-id", book_id),
        ("socket-id", socket_id),
        ("die-id", die_id),
        ("cluster-id", cluster_id),
        ("module-id", module_id),
        ("core-id", core_id),
        ("thread-id", thread_id),
    ];
    for (name, number) in places {
        values.extend(number.map(|number| (name, "int", Value::Int(number))));
    }
    values
}

fn elements(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|element| !element.is_empty())
}

/// Returns the objects that a path leads to, each with its absolute path. A
/// path is followed from the root if it begins with a slash, and otherwise from
/// every object. The search ends at the second object, because the path is then
/// ambiguous.
fn resolve<'a>(root: &'a Object, path: &str) -> Vec<(String, &'a Object)> {
    const ENOUGH: usize = 2;
    let absolute = path.starts_with('/');
    let mut found = Vec::new();
    let mut waiting = vec![(String::new(), root)];
    while let Some((at, object)) = waiting.pop()
        && found.len() < ENOUGH
    {
        found.extend(descend(&at, object, path));
        if !absolute {
            let children = object.children.iter();
            waiting.extend(children.map(|(name, child)| (format!("{at}/{name}"), child)));
        }
    }
    found
}

/// Follows a path from `object`, whose absolute path is `at`. Returns `None` if
/// an element of the path does not exist.
fn descend<'a>(at: &str, object: &'a Object, path: &str) -> Option<(String, &'a Object)> {
    let begin = (at.to_owned(), object);
    elements(path).try_fold(begin, |(at, object), element| {
        let child = object.children.get(element)?;
        Some((format!("{at}/{element}"), child))
    })
}

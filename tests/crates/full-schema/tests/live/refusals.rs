//! Against a real QEMU: malformed arguments get the same answer, class and
//! description, for every command whose arguments are of the same shape there
//! and in the schema at hand, which is of another version.
//!
//! Only what the schema refuses is sent, so that nothing is executed.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::net::UnixStream;

use full_schema::{QMP_SCHEMA, qmp_table};
use qapi_gen::{CheckOptions, FsLoader, Introspection, Style, check_with};
use qapi_wire::client::Client;
use qapi_wire::message::Outcome;
use qapi_wire::{Context, Dict, Value, to_json};
use schema_oracle::{Random, SchemaOracle};
use serde_json::{Value as Json, json};

use crate::qemu::{Qemu, patient};

/// Malformed arguments for each command.
const ROUNDS: usize = 40;
const DEPTH: usize = 4;

/// Asks without the schema's types, and returns the reply as a message.
fn ask(client: &mut Client<UnixStream>, command: &str, arguments: Value) -> Json {
    let mut request = Dict::new();
    request.push("execute", Value::from(command));
    request.push("arguments", arguments);
    match client.call_untyped(request).unwrap() {
        Outcome::Return(reply) => {
            let value: Json = serde_json::from_str(&to_json(&reply.value())).unwrap();
            json!({ "return": value })
        }
        Outcome::Error(reply) => {
            let error = reply.error();
            json!({ "error": { "class": error.class().name(), "desc": error.desc() } })
        }
    }
}

/// What `query-qmp-schema` returns, by name.
struct Told(BTreeMap<String, Json>);

impl Told {
    fn new(reply: &Json) -> Self {
        let entries = reply.as_array().unwrap().iter();
        Self(
            entries
                .map(|entry| (entry["name"].as_str().unwrap().to_owned(), entry.clone()))
                .collect(),
        )
    }

    /// A type as text in which no name of a type stands, but its parts, each
    /// with theirs. A type that is within itself is told once. What cannot be
    /// told is how many bits an integer has.
    fn shape(&self, name: &str, within: &mut Vec<String>) -> String {
        let Some(entry) = self.0.get(name) else {
            return name.to_owned();
        };
        if let Some(depth) = within.iter().position(|outer| outer == name) {
            return format!("the {depth}th around");
        }
        within.push(name.to_owned());
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        let mut part = |part: &Json, key: &str| {
            let ty = part[key].as_str().map(|ty| self.shape(ty, within));
            let optional = part.get("default").is_some();
            let name = [&part["name"], &part["case"]].map(text).concat();
            format!(
                "{name}{} {}",
                if optional { "?" } else { "" },
                ty.unwrap_or_default()
            )
        };
        let mut parts = vec![text(&entry["meta-type"]), text(&entry["tag"])];
        for (list, key) in [("members", "type"), ("variants", "type")] {
            let list = entry[list].as_array().into_iter().flatten();
            let mut list: Vec<String> = list.map(|one| part(one, key)).collect();
            list.sort();
            parts.extend(list);
        }
        let values = entry["values"].as_array().into_iter().flatten().map(text);
        parts.extend(values.collect::<BTreeSet<_>>());
        if let Some(element) = entry["element-type"].as_str() {
            parts.push(self.shape(element, within));
        }
        within.pop();
        format!("({})", parts.join(", "))
    }

    fn arguments(&self, command: &str) -> Option<String> {
        let entry = self.0.get(command)?;
        let ty = entry["arg-type"].as_str()?;
        (entry["meta-type"] == "command").then(|| self.shape(ty, &mut Vec::new()))
    }
}

/// How many bits an integer has may have changed from version to version.
fn is_about_integers(desc: &str) -> bool {
    desc.ends_with("expected: integer") || desc.contains("' expects ")
}

#[test]
fn refusal_equals_qemus() {
    let Some(qemu) = Qemu::start(&[]) else {
        return;
    };
    let mut client = Client::connect_unix(qemu.socket(), patient()).unwrap();
    let nothing = || Value::Object(Dict::new());
    let options = CheckOptions {
        style: Style::Warn,
        ..CheckOptions::default()
    };
    let schema = check_with(QMP_SCHEMA, &FsLoader, options).schema.unwrap();
    let oracle = SchemaOracle::new(&schema, None);
    let theirs = Told::new(&ask(&mut client, "query-qmp-schema", nothing())["return"]);
    let ours = Introspection::default().json(&schema);
    let ours = Told::new(&serde_json::from_str(&ours).unwrap());
    let commands = ask(&mut client, "query-commands", nothing());
    let commands: BTreeSet<&str> = commands["return"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|command| command["name"].as_str())
        .collect();

    let mut random = Random::new(6);
    let (mut compared, mut refusals) = (0, 0);
    for command in oracle.commands().filter(|command| command.gen_code) {
        let name = command.common.name.as_str();
        let shape = theirs.arguments(name);
        if !commands.contains(name) || shape.is_none() || shape != ours.arguments(name) {
            continue;
        }
        let (_, codec) = qmp_table::COMMANDS
            .iter()
            .find(|(of, _)| *of == name)
            .unwrap();
        let ty = oracle.arguments(command.arg).unwrap();
        for round in 0..ROUNDS {
            let made = oracle.generate(ty, &mut random, round % (DEPTH + 1));
            let Some(Value::Object(mut arguments)) = made else {
                panic!("arguments are an object")
            };
            oracle.corrupt_members(ty, &mut arguments, &mut random);
            let arguments = Value::Object(arguments);
            let Err(refusal) = oracle.validate(ty, &arguments) else {
                continue;
            };
            if is_about_integers(&refusal.desc) {
                continue;
            }
            let text = to_json(&arguments);
            let said = (codec.round_trip)(arguments.clone(), &Context::strict()).unwrap_err();
            let answer = ask(&mut client, name, arguments);
            let desc = answer["error"]["desc"].as_str().unwrap_or_default();
            if is_about_integers(desc) {
                continue;
            }
            assert_eq!(
                answer["error"]["class"],
                said.class().name(),
                "{name} {text}"
            );
            // Of several unexpected members QEMU names any.
            if !refusal.others.iter().any(|other| other == desc) {
                assert_eq!(desc, said.desc(), "{name} {text}");
            }
            refusals += 1;
        }
        compared += 1;
    }
    println!("{refusals} refusals of {compared} commands are QEMU's own");
    assert!(compared > 50);
}

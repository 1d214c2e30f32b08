//! A real QEMU against a server generated from its schema: malformed arguments
//! have to get the same answer.
//!
//! In: a QEMU tree, a QEMU built from it. Out: rows of the table. Arguments are
//! sent to QEMU only if both the schema and the generated server refuse them,
//! so that no command is ever executed.

mod config;
mod monitor;
mod server;

use std::collections::BTreeSet;
use std::path::Path;

use qapi_gen::schema::{Command, TypeId};
use qapi_gen::{CheckOptions, Conditions, FsLoader, Options, Rules, Style, check_with};
use qapi_wire::{Dict, Value, to_json};
use schema_oracle::{Random, Refusal, SchemaOracle};

use super::Table;
use crate::tools::Failure;
use monitor::{Answer, Monitor};
use server::Server;
pub(crate) use server::handlers;

/// How deeply arguments nest, where they can.
const DEPTH: usize = 5;

/// How QEMU is to be compared.
pub(super) struct Choices<'a> {
    /// The program.
    pub(super) qemu: &'a Path,
    /// How many malformed arguments each command gets.
    pub(super) rounds: usize,
    pub(super) seed: u64,
}

pub(super) fn compare(
    source: &Path,
    rules: Rules,
    choices: &Choices<'_>,
    table: &mut Table,
) -> Result<(), Failure> {
    let path = source.join("qapi/qapi-schema.json");
    let options = CheckOptions {
        rules,
        style: Style::Warn,
    };
    let outcome = check_with(&path, &FsLoader, options);
    let schema = outcome.schema.ok_or("the tree's schema is refused")?;
    let mut monitor = Monitor::start(choices.qemu)?;
    let introspection = monitor.ask("query-qmp-schema", "{}")?.into_reply()?;
    let (config, difference) = config::of(&schema, &introspection);
    table.compare("live: introspection", "of this QEMU", &difference, "");
    println!(
        "This QEMU has {}.\n",
        config.iter().cloned().collect::<Vec<_>>().join(", ")
    );
    let mut options = Options::default();
    options.docs = false;
    options.conditions = Conditions::Config(config.clone());
    let generation = qapi_gen::generate(&path, &FsLoader, &options);
    let mut server = Server::build(generation.into_files().map_err(|why| why.to_string())?)?;
    let commands = names(&monitor.ask("query-commands", "{}")?.into_reply()?);
    let mut comparison = Comparison {
        oracle: SchemaOracle::new(&schema, Some(config)),
        random: Random::new(choices.seed),
        monitor: &mut monitor,
        server: &mut server,
        table,
    };
    let all: Vec<&Command> = comparison.oracle.commands().collect();
    for command in all {
        // What has no marshalling code looks at its arguments itself.
        if !commands.contains(command.common.name.as_str()) || !command.gen_code {
            comparison.table.count("live: commands left out");
            continue;
        }
        comparison.table.count("live: commands");
        let mut done = BTreeSet::new();
        for round in 0..choices.rounds {
            comparison.round(command, round % (DEPTH + 1), &mut done)?;
        }
    }
    Ok(())
}

fn names(reply: &serde_json::Value) -> BTreeSet<String> {
    let commands = reply.as_array().into_iter().flatten();
    commands
        .filter_map(|command| command.get("name")?.as_str())
        .map(str::to_owned)
        .collect()
}

struct Comparison<'a, 's> {
    oracle: SchemaOracle<'s>,
    random: Random,
    monitor: &'a mut Monitor,
    server: &'a mut Server,
    table: &'a mut Table,
}

impl Comparison<'_, '_> {
    /// Malformed arguments for a command, if the attempt to make some works.
    fn round(
        &mut self,
        command: &Command,
        depth: usize,
        done: &mut BTreeSet<String>,
    ) -> Result<(), Failure> {
        let name = &command.common.name;
        let Some((text, refusal)) = self.malformed(command.arg, depth) else {
            return Ok(());
        };
        if !done.insert(text.clone()) {
            return Ok(());
        }
        let case = format!("{name} {text}");
        let expected = Answer::Refused {
            class: "GenericError".to_owned(),
            desc: refusal.desc.clone(),
        };
        let ours = self.server.ask(name, &text)?;
        let as_expected = self.table.compare(
            "live: the generated server as its schema says",
            &case,
            &ours.to_string(),
            &expected.to_string(),
        );
        if !as_expected || ours == Answer::Accepted {
            return Ok(());
        }
        let theirs = self.monitor.ask(name, &text)?;
        // Of several unexpected members QEMU names any.
        let theirs_text = match &theirs {
            Answer::Refused { desc, .. } if refusal.others.contains(desc) => ours.to_string(),
            _ => theirs.to_string(),
        };
        let kind = kind(&refusal.desc);
        self.table
            .compare(kind, &case, &ours.to_string(), &theirs_text);
        Ok(())
    }

    /// Arguments that the schema refuses, and why it does.
    fn malformed(&mut self, arg: Option<TypeId>, depth: usize) -> Option<(String, Refusal)> {
        let arg = self.oracle.arguments(arg)?;
        let mut arguments = match self.oracle.generate(arg, &mut self.random, depth)? {
            Value::Object(dict) => dict,
            _ => Dict::new(),
        };
        // Of several faults the first one is told of.
        for _ in 0..=self.random.below(3) {
            self.oracle
                .corrupt_members(arg, &mut arguments, &mut self.random);
        }
        let arguments = Value::Object(arguments);
        let refusal = self.oracle.validate(arg, &arguments).err()?;
        Some((to_json(&arguments), refusal))
    }
}

/// The row for an error.
fn kind(desc: &str) -> &'static str {
    let kinds = [
        (" is missing", "live: missing"),
        (" is unexpected", "live: unexpected"),
        ("Invalid parameter type", "live: wrong type"),
        (" does not accept value ", "live: value not in enumeration"),
        (" expects ", "live: number out of range"),
    ];
    let found = kinds.iter().find(|(part, _)| desc.contains(part));
    found.map_or("live: other", |(_, kind)| kind)
}

//! Compares a real QEMU with a server generated from its schema, by their
//! answers to malformed arguments.
//!
//! In: a QEMU tree, and a QEMU built from it. Out: rows of the table. Arguments
//! are sent to QEMU only if both the schema and the generated server refuse
//! them, so no command is executed.

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

/// The greatest depth of generated arguments.
const DEPTH: usize = 5;

/// The parameters of a comparison with QEMU.
pub(super) struct Choices<'a> {
    /// The program.
    pub(super) qemu: &'a Path,
    /// The number of malformed arguments for each command.
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
        // Skip commands without marshalling code: they check their arguments
        // themselves.
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
    /// Sends malformed arguments for a command, if the attempt to generate some
    /// succeeds.
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
        // QEMU names any one of several unexpected members.
        let theirs_text = match &theirs {
            Answer::Refused { desc, .. } if refusal.others.contains(desc) => ours.to_string(),
            _ => theirs.to_string(),
        };
        let kind = kind(&refusal.desc);
        self.table
            .compare(kind, &case, &ours.to_string(), &theirs_text);
        Ok(())
    }

    /// Returns arguments that the schema refuses, with the reason.
    fn malformed(&mut self, arg: Option<TypeId>, depth: usize) -> Option<(String, Refusal)> {
        let arg = self.oracle.arguments(arg)?;
        let mut arguments = match self.oracle.generate(arg, &mut self.random, depth)? {
            Value::Object(dict) => dict,
            _ => Dict::new(),
        };
        // Corrupt the arguments up to three times: only the first fault is
        // reported.
        for _ in 0..=self.random.below(3) {
            self.oracle
                .corrupt_members(arg, &mut arguments, &mut self.random);
        }
        let arguments = Value::Object(arguments);
        let refusal = self.oracle.validate(arg, &arguments).err()?;
        Some((to_json(&arguments), refusal))
    }
}

/// Returns the row of the table for an error.
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

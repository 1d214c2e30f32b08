//! `vmstats schemas`: the statistics that monitors have.
//!
//! In: arguments. Out: the schemas of each monitor, as JSON, as lines for programs
//! or as a table.

use std::io::{self, Write};

use qapi_stats::stats::StatsSchema;
use qapi_stats::stats::commands::QueryStatsSchemas;
use qapi_stats::wire::message::Return;
use qapi_stats::wire::to_json;

use super::answer::{all_schemas, emptiness, nothing};
use super::monitors::ask_each;
use super::records::{Form, Records};
use super::{endpoint_heading, print_wrapped, tell_emptiness};
use crate::cli::{Format, SchemasArgs};
use crate::client::Client;
use crate::explain::meaning;
use crate::failure::Failure;
use crate::nearest::hint;
use crate::printable::printable;
use crate::selection::provider;
use crate::table;

/// The schemas of one monitor.
struct Answer {
    schemas: Vec<StatsSchema>,
    /// The reply as it came.
    reply: Return,
    /// The reason why the list of schemas is empty.
    emptiness: Option<String>,
}

/// Runs `vmstats schemas`.
///
/// # Errors
///
/// Returns an error if a monitor does not answer, or has no statistics of the
/// chosen provider.
pub fn schemas(arguments: &SchemasArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let is_one = arguments.monitors.is_one();
    let mut records = Records::new(match arguments.format {
        Format::Csv => Form::Csv,
        _ => Form::Jsonl,
    });
    let mut is_first = true;
    ask_each(
        &arguments.monitors,
        |client| ask(client, arguments),
        |endpoint, answer| {
            let Answer {
                schemas,
                reply,
                emptiness,
            } = answer;
            match arguments.format {
                Format::Json if is_one => writeln!(out, "{}", to_json(&reply.value()))?,
                Format::Json => print_wrapped(Some(endpoint), None, &reply, out)?,
                Format::Jsonl | Format::Csv => {
                    tell_emptiness(endpoint, emptiness.as_deref());
                    let schemas: Vec<&StatsSchema> = schemas.iter().collect();
                    records.schemas(&endpoint.to_string(), &schemas, explain, out)?;
                }
                Format::Table => {
                    if !is_one {
                        endpoint_heading(endpoint, is_first, out)?;
                    }
                    if let Some(reason) = &emptiness {
                        writeln!(out, "nothing: {reason}")?;
                    }
                    print_table(&schemas, out)?;
                }
            }
            is_first = false;
            Ok(())
        },
    )
}

fn ask(client: &mut Client, arguments: &SchemasArgs) -> Result<Answer, Failure> {
    let wanted = arguments.provider.as_deref().map(provider);
    let all = all_schemas(client)?;
    let mut problems = Vec::new();
    if let Some(wanted) = &wanted {
        let existing: Vec<&str> = all.iter().map(|schema| schema.provider.name()).collect();
        if !existing.contains(&wanted.name()) {
            let hint = hint(wanted.name(), &existing);
            problems.push(format!("no provider '{wanted}' ({hint})"));
        }
    }
    if !problems.is_empty() {
        return Err(nothing(client, &all, problems));
    }
    let emptiness = all.is_empty().then(|| emptiness(client, &all));
    let is_wanted =
        |schema: &StatsSchema| wanted.as_ref().is_none_or(|name| schema.provider == *name);
    let schemas = all.into_iter().filter(is_wanted).collect();
    let reply = client.execute_raw(&QueryStatsSchemas { provider: wanted })?;
    Ok(Answer {
        schemas,
        reply,
        emptiness,
    })
}

/// Prints schemas, each target under a heading, sorted by name.
fn print_table(schemas: &[StatsSchema], out: &mut dyn Write) -> io::Result<()> {
    for (index, schema) in schemas.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        let title = format!("{} {}", schema.provider, schema.target);
        let mut table = table::columns(&[&title, "TYPE", "UNIT", "MEANING"]);
        let mut stats: Vec<_> = schema.stats.iter().collect();
        stats.sort_by_key(|stat| &stat.name);
        for stat in stats {
            let unit = stat.quantity().to_string();
            let type_ = match stat.bucket_size {
                Some(width) => format!("{} of {width}", stat.type_),
                None => stat.type_.to_string(),
            };
            let meaning = explain(schema, &stat.name);
            let meaning = meaning.unwrap_or_else(|| "unknown to this build".to_owned());
            let row = [stat.name.clone(), type_, unit, meaning];
            table.add_row(row.iter().map(|cell| printable(cell)));
        }
        table::wrap_last_column(&mut table);
        table::print(out, &table)?;
    }
    Ok(())
}

/// Returns the meaning of a statistic of KVM.
fn explain(schema: &StatsSchema, name: &str) -> Option<String> {
    meaning(&schema.provider, &schema.target, name)
}

//! Statistics as tables for people.
//!
//! In: typed results and schemas. Out: text in columns. This file asks no
//! monitor.

use std::collections::HashMap;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use comfy_table::{CellAlignment, Table, presets};
use qapi_stats::stats::{
    Stats, StatsProvider, StatsResult, StatsSchema, StatsSchemaValue, StatsTarget, StatsValue,
};

use crate::printable::printable;

const HEADING: Style = AnsiColor::Cyan.on_default().bold();

/// The schemas of the statistics of a target, by provider and name.
pub type Meanings<'a> = HashMap<(&'a StatsProvider, &'a str), &'a StatsSchemaValue>;

/// Collects the schemas of the statistics of a target.
#[must_use]
pub fn meanings<'a>(schemas: &'a [StatsSchema], target: &StatsTarget) -> Meanings<'a> {
    schemas
        .iter()
        .filter(|schema| schema.target == *target)
        .flat_map(|schema| {
            schema
                .stats
                .iter()
                .map(|stat| ((&schema.provider, stat.name.as_str()), stat))
        })
        .collect()
}

/// Prints results, each object under a heading.
///
/// # Errors
///
/// Returns the error of writing.
pub fn results(
    results: &[StatsResult],
    schemas: &[StatsSchema],
    target: &StatsTarget,
    out: &mut dyn Write,
) -> io::Result<()> {
    let meanings = meanings(schemas, target);
    for result in results {
        let object = result.qom_path.as_deref().unwrap_or_default();
        heading(out, &format!("{} {target} {object}", result.provider))?;
        let mut table = columns(&["NAME", "VALUE", "UNIT"]);
        right_align(&mut table, 1);
        for stat in &result.stats {
            let meaning = meanings
                .get(&(&result.provider, stat.name.as_str()))
                .copied();
            for row in rows(stat, meaning) {
                table.add_row(row.iter().map(|cell| printable(cell)));
            }
        }
        print(out, &table)?;
    }
    if results.is_empty() {
        writeln!(out, "nothing: no provider has any of these")?;
    }
    Ok(())
}

/// Prints schemas, each target under a heading.
///
/// # Errors
///
/// Returns the error of writing.
pub fn schemas(schemas: &[StatsSchema], out: &mut dyn Write) -> io::Result<()> {
    for schema in schemas {
        heading(out, &format!("{} {}", schema.provider, schema.target))?;
        let mut table = columns(&["NAME", "TYPE", "UNIT", "BUCKET SIZE"]);
        right_align(&mut table, 3);
        for stat in &schema.stats {
            let width = stat
                .bucket_size
                .map(|width| width.to_string())
                .unwrap_or_default();
            let (type_, unit) = (stat.type_.to_string(), stat.quantity().to_string());
            let row = [stat.name.clone(), type_, unit, width];
            table.add_row(row.iter().map(|cell| printable(cell)));
        }
        print(out, &table)?;
    }
    Ok(())
}

/// Prints a heading, coloured if the output is a terminal.
///
/// # Errors
///
/// Returns the error of writing.
pub fn heading(out: &mut dyn Write, text: &str) -> io::Result<()> {
    writeln!(out, "{HEADING}{}{HEADING:#}", printable(text.trim_end()))
}

/// Prints a table and an empty line. Removes blanks at the ends of lines.
///
/// # Errors
///
/// Returns the error of writing.
pub fn print(out: &mut dyn Write, table: &Table) -> io::Result<()> {
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(out)
}

/// Makes a table without lines between its columns.
#[must_use]
pub fn columns(names: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(names.iter().copied());
    table
}

/// Aligns a column of numbers to the right.
pub fn right_align(table: &mut Table, column: usize) {
    if let Some(column) = table.column_mut(column) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

/// Returns the rows for a statistic. A histogram has a row for the sum, and one
/// for each bucket that is not empty.
fn rows(stat: &Stats, meaning: Option<&StatsSchemaValue>) -> Vec<[String; 3]> {
    let unit = meaning
        .map(|meaning| meaning.quantity().to_string())
        .unwrap_or_default();
    match (&stat.value, meaning) {
        (StatsValue::List(_), Some(meaning)) if meaning.is_histogram() => {
            let counts = stat.value.lowest_first();
            let total = stat.value.total().to_string();
            let mut rows = vec![[stat.name.clone(), total, "samples".to_owned()]];
            rows.extend(
                counts
                    .iter()
                    .enumerate()
                    .filter(|(_, count)| **count != 0)
                    .map(|(index, count)| {
                        let range = bucket(meaning, index, counts.len());
                        [
                            format!("  {range} {unit}"),
                            count.to_string(),
                            String::new(),
                        ]
                    }),
            );
            rows
        }
        (StatsValue::List(_), _) => {
            let values: Vec<String> = stat
                .value
                .lowest_first()
                .iter()
                .map(u64::to_string)
                .collect();
            vec![[stat.name.clone(), values.join(" "), unit]]
        }
        (StatsValue::Scalar(value), _) => vec![[stat.name.clone(), value.to_string(), unit]],
        (StatsValue::Boolean(value), _) => {
            let text = if *value { "yes" } else { "no" };
            vec![[stat.name.clone(), text.to_owned(), String::new()]]
        }
    }
}

fn bucket(meaning: &StatsSchemaValue, index: usize, count: usize) -> String {
    match meaning.bucket_bounds(index, count) {
        Some(bounds) => match bounds.upper {
            Some(upper) => format!("{}..{upper}", bounds.lower),
            None => format!("{}..", bounds.lower),
        },
        None => format!("[{index}]"),
    }
}

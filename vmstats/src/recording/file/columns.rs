//! The columns of a Parquet file of a recording.
//!
//! In: the layouts of the rows. Out: the names and types of the columns, and the keys of
//! the metadata. Writer and reader agree by this file.

use std::collections::HashMap;

use super::super::row::{FIXED, Layout};
use crate::sample::{Kind, Table};

/// The key of the metadata with the layouts as JSON.
pub(super) const LAYOUTS: &str = "vmstats.layouts";

/// The key of the metadata with the contents of `schema.json`, in a packed recording.
pub(super) const RECORDING: &str = "vmstats.recording";

/// The keys of the metadata with the first and the last moment.
pub(super) const BEGIN: &str = "vmstats.begin";
pub(super) const END: &str = "vmstats.end";

/// The key of the metadata with the first and the last moment of each group of rows.
pub(super) const GROUPS: &str = "vmstats.groups";

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Number,
    Signed,
    Boolean,
    Text,
    Buckets,
}

/// A column of a file.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) cell: Cell,
    /// The place of the statistic in each layout that has it.
    pub(super) stats: HashMap<usize, usize>,
    pub(super) is_counter: bool,
}

/// Returns all columns: the fixed ones, then those of the layouts.
pub(super) fn columns(layouts: &[Layout]) -> Vec<Column> {
    let mut columns: Vec<Column> = FIXED
        .iter()
        .map(|name| Column {
            name: (*name).to_owned(),
            cell: fixed_cell(name),
            stats: HashMap::new(),
            is_counter: matches!(*name, "sample" | "t0" | "t1"),
        })
        .collect();
    let is_one = layouts.len() == 1;
    for (layout, described) in layouts.iter().enumerate() {
        let stats = described.table.stats.iter().zip(&described.columns);
        for (place, (stat, name)) in stats.enumerate() {
            let Table {
                provider, target, ..
            } = described.table.as_ref();
            let name = if is_one {
                name.clone()
            } else {
                match described.variant {
                    0 => format!("{provider}_{target}_{name}"),
                    variant => format!("{provider}_{target}_{variant}_{name}"),
                }
            };
            columns.push(Column {
                name,
                cell: stat_cell(stat.kind),
                stats: HashMap::from([(layout, place)]),
                is_counter: stat.kind != Kind::Histogram,
            });
        }
    }
    columns
}

pub(super) fn fixed_cell(name: &str) -> Cell {
    match name {
        "vcpu" => Cell::Signed,
        "vm" | "provider" | "target" | "object" | "event" | "text" => Cell::Text,
        _ => Cell::Number,
    }
}

fn stat_cell(kind: Kind) -> Cell {
    match kind {
        Kind::Boolean => Cell::Boolean,
        Kind::Histogram => Cell::Buckets,
        Kind::Counter | Kind::Gauge | Kind::Peak | Kind::Unknown => Cell::Number,
    }
}

//! Tables for people.
//!
//! In: cells. Out: lines of text in columns. This file knows no statistics.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, presets};
use rustix::termios::tcgetwinsize;

use crate::printable::printable;

const HEADING: Style = AnsiColor::Cyan.on_default().bold();

/// The number of columns of a file or a pipe.
const WIDTH_DEFAULT: usize = 80;

/// The number of blanks between two columns.
const GAP: u16 = 2;

/// Prints a heading, coloured if the output is a terminal.
///
/// # Errors
///
/// Returns the error of writing.
pub fn heading(out: &mut dyn Write, text: &str) -> io::Result<()> {
    writeln!(out, "{HEADING}{}{HEADING:#}", printable(text.trim_end()))
}

/// Prints a table, the names of its columns coloured if the output is a terminal.
/// Removes blanks at the ends of lines.
///
/// # Errors
///
/// Returns the error of writing.
pub fn print(out: &mut dyn Write, table: &Table) -> io::Result<()> {
    for (index, line) in table.lines().enumerate() {
        let line = line.trim_end();
        if index == 0 {
            writeln!(out, "{HEADING}{line}{HEADING:#}")?;
        } else {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

/// Returns the number of columns of the terminal: what the environment says in
/// `COLUMNS`, or what the terminal on standard output says, or 80.
#[must_use]
pub fn width() -> usize {
    let from_environment = std::env::var("COLUMNS").ok();
    let from_environment = from_environment.and_then(|columns| columns.parse().ok());
    let from_terminal = || {
        tcgetwinsize(io::stdout())
            .ok()
            .map(|size| size.ws_col.into())
    };
    from_environment
        .or_else(from_terminal)
        .filter(|width| *width > 0)
        .unwrap_or(WIDTH_DEFAULT)
}

/// Returns the number of columns that a table takes.
#[must_use]
pub fn width_of(table: &Table) -> usize {
    let widths = table.lines().map(|line| line.trim_end().chars().count());
    widths.max().unwrap_or(0)
}

/// Makes a table without lines between its columns.
#[must_use]
pub fn columns(names: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(names.iter().map(|name| printable(name)));
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    table
}

/// Breaks the texts of the last column at the width of the terminal. In a file or a
/// pipe they remain whole, so that each line has the name in its first column.
pub fn wrap_last_column(table: &mut Table) {
    let Ok(size) = tcgetwinsize(io::stdout()) else {
        return;
    };
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(size.ws_col);
    let last = table.column_count().saturating_sub(1);
    for column in table.column_iter_mut().take(last) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
}

/// Aligns a column of numbers to the right.
pub fn right_align(table: &mut Table, column: usize) {
    if let Some(column) = table.column_mut(column) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

//! Shows how a folder differs from a generation, for people and `patch`.
//!
//! In: a folder, and the files that it should contain. Out: a unified diff on the
//! standard output stream.

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Style};
use qapi_gen::{Change, GeneratedFile, changes};
use similar::TextDiff;

/// Prints the changes that a generation would make in the folder. Returns success
/// if the folder is up to date.
pub(super) fn print(folder: &Path, files: &[GeneratedFile]) -> io::Result<ExitCode> {
    let changes = changes(folder, files)?;
    if changes.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    // The stream removes colours unless it is a terminal.
    let mut out = BufWriter::new(anstream::AutoStream::auto(io::stdout()));
    let written = changes
        .iter()
        .try_for_each(|change| write(&mut out, folder, change))
        .and_then(|()| out.flush());
    match written {
        // A reader that stops early, such as `head`, is not an error.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        other => other?,
    }
    let number = changes.len();
    let plural = if number == 1 { "" } else { "s" };
    eprintln!(
        "qapi-gen: {number} file{plural} in {} out of date",
        folder.display()
    );
    Ok(ExitCode::FAILURE)
}

/// Writes the difference of one file.
fn write(out: &mut impl Write, folder: &Path, change: &Change) -> io::Result<()> {
    let path = folder.join(&change.name).display().to_string();
    let side = |text: &Option<String>| match text {
        Some(_) => path.clone(),
        None => "/dev/null".to_owned(),
    };
    let (old, new) = (side(&change.old), side(&change.new));
    let text = |text| Option::as_deref(text).unwrap_or_default();
    let diff = TextDiff::from_lines(text(&change.old), text(&change.new));
    let diff = diff.unified_diff().header(&old, &new).to_string();
    for (number, line) in diff.lines().enumerate() {
        let style = match (number, line.as_bytes().first()) {
            (0 | 1, _) => Style::new().bold(),
            (_, Some(b'+')) => AnsiColor::Green.on_default(),
            (_, Some(b'-')) => AnsiColor::Red.on_default(),
            (_, Some(b'@')) => AnsiColor::Cyan.on_default(),
            _ => Style::new(),
        };
        writeln!(out, "{style}{line}{style:#}")?;
    }
    Ok(())
}

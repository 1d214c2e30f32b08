//! Schema files that are checked without the main file to which they belong.
//!
//! In: the errors of a file, and its main files. Out: a note. No file is accessed.

use std::path::PathBuf;

use annotate_snippets::{Annotation, Level, Snippet};

use super::diagnostic::Diagnostics;
use super::human::Colors;
use super::printable::printable;
use super::problem::Problem;

/// The number of main files that a note names.
const MAIN_FILES_MAX: usize = 5;

impl Diagnostics {
    /// Returns whether errors may come from checking a module without its main file:
    /// types that other modules define, and names and replies that a pragma of
    /// another module allows.
    #[must_use]
    pub fn may_lack_main_file(&self) -> bool {
        self.errors().any(|error| {
            matches!(
                error.problem,
                Problem::UnknownType { .. }
                    | Problem::NameUpper(_)
                    | Problem::NameLower(_)
                    | Problem::NameCamel(_)
                    | Problem::CannotTake { .. }
            )
        })
    }
}

/// Returns the note that a file belongs to these main files, or `None` if the
/// list is empty.
#[must_use]
pub fn module_alone(file: &str, main_files: &[PathBuf], colors: Colors) -> Option<String> {
    let here = std::env::current_dir().unwrap_or_default();
    let mut names: Vec<String> = main_files
        .iter()
        .take(MAIN_FILES_MAX)
        .map(|path| {
            let path = path.strip_prefix(&here).unwrap_or(path);
            format!("'{}'", printable(&path.to_string_lossy()))
        })
        .collect();
    if main_files.len() > MAIN_FILES_MAX {
        names.push("others".to_owned());
    }
    let last = names.pop()?;
    let names = match names.is_empty() {
        true => last,
        false => format!("{} and {last}", names.join(", ")),
    };
    let file = printable(file);
    let title = format!("'{file}' belongs to {names}, which may have what is missing");
    let help = match main_files.len() {
        1 => "give that file to the compiler instead",
        _ => "give one of those files to the compiler instead",
    };
    let note = Level::NOTE
        .primary_title(title)
        .elements(None::<Snippet<'_, Annotation<'_>>>)
        .element(Level::HELP.message(help));
    Some(colors.renderer().render(&[note]))
}

//! The comparison of two interfaces: every change, and whom it breaks.
//!
//! In: two interfaces. Out: the changes, each with its place, direction and level.
//! Types are compared by structure, at every place where they are used, because one
//! change of a type can be right where it is sent and wrong where it is received.

use std::path::Path;

mod change;
mod codes;
mod conditions;
mod objects;
mod rust;
mod sameness;
mod walk;

pub use change::{Category, Change, Direction, Level};
pub use codes::{Code, UnknownCode};
pub use walk::TooManyChanges;

use crate::driver::check_with;
use crate::interface::Interface;
use crate::load::FsLoader;
use crate::rules::CheckOptions;

/// Returns what changed on the wire between two interfaces, in the order of names:
/// first commands, then events.
///
/// ```
/// use qapi_gen::compare::{Level, wire};
/// use qapi_gen::interface::Interface;
/// use qapi_gen::{MemoryLoader, check};
///
/// let interface = |schema: &str| {
///     let outcome = check("a.json", &MemoryLoader::from_iter([("a.json", schema)]));
///     Interface::of_schema(&outcome.schema.unwrap(), &outcome.sources)
/// };
/// let old = interface("{ 'command': 'migrate', 'data': { 'uri': 'str' } }");
/// let new = interface("{ 'command': 'migrate', 'data': { '*uri': 'str' } }");
/// assert_eq!(wire(&old, &new).unwrap()[0].level, Level::Compatible);
/// // A client that leaves the new optional argument out fails at the old server.
/// let back = wire(&new, &old).unwrap();
/// assert_eq!(back[0].path, "migrate/uri");
/// assert_eq!(back[0].level, Level::Breaking);
/// ```
///
/// # Errors
///
/// Fails if the interfaces differ at more places than a person could read, which
/// only schemas made for it do.
pub fn wire(old: &Interface, new: &Interface) -> Result<Vec<Change>, TooManyChanges> {
    walk::wire(old, new)
}

/// Returns what changed in the Rust that is generated from two schemas, definition
/// by definition. Interfaces that come from replies have no definitions.
#[must_use]
pub fn rust(old: &Interface, new: &Interface) -> Vec<Change> {
    rust::rust(old, new)
}

/// Fails a test if a schema breaks clients of an older one. Parts that are marked
/// unstable may change.
///
/// ```no_run
/// qapi_gen::compare::assert_compatible("schema/1.0/vmm.json", "schema/vmm.json");
/// ```
///
/// # Panics
///
/// Panics with a line for each breaking change, or with the errors of a schema.
#[expect(clippy::panic, reason = "a failed assertion panics")]
#[track_caller]
pub fn assert_compatible(old: impl AsRef<Path>, new: impl AsRef<Path>) {
    let read = |path: &Path| {
        let options = CheckOptions {
            style: crate::diag::Style::Warn,
            ..CheckOptions::default()
        };
        let outcome = check_with(path, &FsLoader, options);
        match &outcome.schema {
            Some(schema) => Interface::of_schema(schema, &outcome.sources),
            None => {
                let errors = outcome.diagnostics.errors();
                let errors = errors.map(|error| error.short(&outcome.sources));
                panic!("{}", errors.collect::<Vec<_>>().join("\n"))
            }
        }
    };
    let changes = match wire(&read(old.as_ref()), &read(new.as_ref())) {
        Ok(changes) => changes,
        Err(error) => panic!("{error}"),
    };
    let breaking = changes
        .iter()
        .filter(|change| change.level == Level::Breaking && !change.unstable);
    let lines: Vec<String> = breaking.map(ToString::to_string).collect();
    assert!(
        lines.is_empty(),
        "{} breaks clients of {}:\n{}",
        new.as_ref().display(),
        old.as_ref().display(),
        lines.join("\n"),
    );
}

//! Where included files are.
//!
//! In: options, the same for every subcommand. Out: a loader.

use std::path::Path;

use clap::Args;
use qapi_gen::{FsLoader, IncludeFolders};

/// The options that say where included files are.
#[derive(Clone, Debug, Args)]
pub(super) struct Folders {
    /// Let the schema include files of a folder elsewhere, as if it were one
    /// called NAME beside the main file; may be repeated
    #[arg(long = "include-folder", value_name = "NAME=DIR", value_parser = pair)]
    include_folders: Vec<(String, String)>,
}

impl Folders {
    /// The loader for a schema with this main file.
    pub(super) fn loader(&self, main: &Path) -> IncludeFolders<'static> {
        let folders = self.include_folders.iter().map(|(name, dir)| (name, dir));
        IncludeFolders::new(&FsLoader, main, folders)
    }
}

/// An argument of two parts.
fn pair(argument: &str) -> Result<(String, String), String> {
    match argument.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err("a name and what it stands for, with '=' between them".to_owned()),
    }
}

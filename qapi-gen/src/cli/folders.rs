//! The folders of included files.
//!
//! In: options, which all subcommands share. Out: a loader.

use std::path::Path;

use clap::Args;
use qapi_gen::{FsLoader, IncludeFolders};

/// The options for the folders of included files.
#[derive(Clone, Debug, Args)]
pub(super) struct Folders {
    /// Let the schema include files of a folder elsewhere, as if it were one
    /// called NAME beside the main file; may be repeated
    #[arg(long = "include-folder", value_name = "NAME=DIR", value_parser = pair)]
    include_folders: Vec<(String, String)>,
}

impl Folders {
    /// Returns the loader for a schema with the main file `main`.
    pub(super) fn loader(&self, main: &Path) -> IncludeFolders<'static> {
        let folders = self.include_folders.iter().map(|(name, dir)| (name, dir));
        IncludeFolders::new(&FsLoader, main, folders)
    }
}

/// Parses a name and a folder. The folder must exist.
fn pair(argument: &str) -> Result<(String, String), String> {
    let (name, folder) = argument
        .split_once('=')
        .ok_or("a name and what it stands for, with '=' between them")?;
    if !Path::new(folder).is_dir() {
        return Err(format!("{folder} is no folder"));
    }
    Ok((name.to_owned(), folder.to_owned()))
}

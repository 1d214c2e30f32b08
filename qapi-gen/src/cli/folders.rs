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

/// A name and a folder, which has to be there.
fn pair(argument: &str) -> Result<(String, String), String> {
    let (name, folder) = argument
        .split_once('=')
        .ok_or("a name and what it stands for, with '=' between them")?;
    if !Path::new(folder).is_dir() {
        return Err(format!("{folder} is no folder"));
    }
    Ok((name.to_owned(), folder.to_owned()))
}

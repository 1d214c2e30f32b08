//! The man pages and completions of the programs.
//!
//! In: a folder. Out: files at the paths that a system has below `/usr/share`. The
//! text comes from the definitions of the command lines only.

use std::fs;
use std::io;
use std::path::Path;

use clap::{Command, CommandFactory, ValueEnum};
use clap_complete::{Shell, generate_to};
use vmstats::cli::Cli;

/// The programs of this project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Program {
    /// The schema compiler.
    QapiGen,
    /// The operator's tool.
    Vmstats,
}

impl Program {
    /// All programs.
    pub const ALL: [Self; 2] = [Self::QapiGen, Self::Vmstats];

    /// Returns the definition of the command line.
    #[must_use]
    pub fn command(self) -> Command {
        match self {
            Self::QapiGen => qapi_gen::cli::command(),
            Self::Vmstats => Cli::command(),
        }
    }
}

/// The shells, and the folder in which each looks for completions.
const SHELLS: [(Shell, &str); 3] = [
    (Shell::Bash, "bash-completion/completions"),
    (Shell::Fish, "fish/vendor_completions.d"),
    (Shell::Zsh, "zsh/vendor-completions"),
];

/// Writes a man page for a program and each of its commands, and completions for
/// each shell.
///
/// # Errors
///
/// Returns the kernel's error if a file cannot be written.
pub fn write(program: Program, share: &Path) -> io::Result<()> {
    let pages = share.join("man/man1");
    fs::create_dir_all(&pages)?;
    // Leave out the pages of `help` itself, which repeat the others.
    let command = program.command().disable_help_subcommand(true);
    clap_mangen::generate_to(command, &pages)?;
    let mut command = program.command();
    let name = command.get_name().to_owned();
    for (shell, folder) in SHELLS {
        let folder = share.join(folder);
        fs::create_dir_all(&folder)?;
        let file = generate_to(shell, &mut command, &name, &folder)?;
        // bash-completion looks for the program's name without an ending.
        if shell == Shell::Bash {
            fs::rename(file, folder.join(&name))?;
        }
    }
    Ok(())
}

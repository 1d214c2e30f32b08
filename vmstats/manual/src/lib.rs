//! The man pages and completions of `vmstats`.
//!
//! In: a folder. Out: files at the paths that a system has below `/usr/share`. The
//! text comes from the command line's definition only.

use std::fs;
use std::io;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::{Shell, generate_to};
use vmstats::cli::Cli;

/// The shells, and the folder in which each looks for completions.
const SHELLS: [(Shell, &str); 3] = [
    (Shell::Bash, "bash-completion/completions"),
    (Shell::Fish, "fish/vendor_completions.d"),
    (Shell::Zsh, "zsh/vendor-completions"),
];

/// Writes a man page for the program and each of its commands, and completions for
/// each shell.
///
/// # Errors
///
/// Returns the kernel's error if a file cannot be written.
pub fn write(share: &Path) -> io::Result<()> {
    let pages = share.join("man/man1");
    fs::create_dir_all(&pages)?;
    // Leave out the pages of `help` itself, which repeat the others.
    let command = Cli::command().disable_help_subcommand(true);
    clap_mangen::generate_to(command, &pages)?;
    for (shell, folder) in SHELLS {
        let folder = share.join(folder);
        fs::create_dir_all(&folder)?;
        let file = generate_to(shell, &mut Cli::command(), "vmstats", &folder)?;
        // bash-completion looks for the program's name without an ending.
        if shell == Shell::Bash {
            fs::rename(file, folder.join("vmstats"))?;
        }
    }
    Ok(())
}

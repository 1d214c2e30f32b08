//! The written files, compared with the command line's definition.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use vmstats::cli::Cli;

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn page_and_completions_name_every_command_and_option() {
    let folder = tempfile::tempdir().unwrap();
    let share = folder.path();
    manual::write(share).unwrap();
    let completions = [
        "bash-completion/completions/vmstats",
        "fish/vendor_completions.d/vmstats.fish",
        "zsh/vendor-completions/_vmstats",
    ]
    .map(|path| read(&share.join(path)));
    let main_page = read(&share.join("man/man1/vmstats.1"));
    let program = Cli::command();
    let commands: Vec<_> = program.get_subcommands().collect();
    assert!(commands.len() > 3, "the program has commands");
    for command in commands {
        let name = command.get_name();
        // troff writes a hyphen as `\-`.
        assert!(
            main_page.contains(&format!("vmstats\\-{name}(1)")),
            "{name}"
        );
        let page = read(&share.join(format!("man/man1/vmstats-{name}.1")));
        assert!(page.contains(".SH DESCRIPTION"), "{name}: {page}");
        for text in &completions {
            assert!(text.contains(name), "{name}: {text}");
        }
        let options = command
            .get_arguments()
            .filter(|option| !option.is_hide_set());
        for long in options.filter_map(clap::Arg::get_long) {
            let option = format!("\\-\\-{}", long.replace('-', "\\-"));
            assert!(page.contains(&option), "{name} {long}: {page}");
            for text in &completions {
                assert!(text.contains(long), "{name} {long}");
            }
        }
    }
}

//! The written files, compared with the command line's definition.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::Path;

use manual::Program;

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn pages_and_completions_name_every_command_and_option() {
    for program in Program::ALL {
        check(program);
    }
}

fn check(program: Program) {
    let folder = tempfile::tempdir().unwrap();
    let share = folder.path();
    manual::write(program, share).unwrap();
    let program = program.command();
    let program_name = program.get_name();
    let completions = [
        format!("bash-completion/completions/{program_name}"),
        format!("fish/vendor_completions.d/{program_name}.fish"),
        format!("zsh/vendor-completions/_{program_name}"),
    ]
    .map(|path| read(&share.join(path)));
    let main_page = read(&share.join(format!("man/man1/{program_name}.1")));
    let in_troff = program_name.replace('-', "\\-");
    let commands: Vec<_> = program.get_subcommands().collect();
    assert!(commands.len() > 3, "the program has commands");
    for command in commands {
        let name = command.get_name();
        // troff writes a hyphen as `\-`.
        assert!(
            main_page.contains(&format!("{in_troff}\\-{name}(1)")),
            "{name}"
        );
        let page = read(&share.join(format!("man/man1/{program_name}-{name}.1")));
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

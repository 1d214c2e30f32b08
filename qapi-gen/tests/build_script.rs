//! A build script with a wrong schema: what cargo shows of it.

#![allow(clippy::unwrap_used, reason = "tests may stop at the first surprise")]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use qapi_gen::Builder;

/// The variable with the folder of the schema, which makes this program a build
/// script.
const FOLDER: &str = "QAPI_GEN_TEST_FOLDER";

/// The files of a schema with errors in two of them.
const FILES: [(&str, &str); 2] = [
    (
        "main.json",
        "{ 'include': 'part.json' }\n\
         { 'command': 'stop', 'returns': 'Anwser' }\n",
    ),
    (
        "part.json",
        "# A part.\n\
         { 'struct': 'Answer',\n  \
           'data': { '*text': 'string' } }\n",
    ),
];

fn schema_folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("build-script")
        .join(test);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    for (name, text) in FILES {
        fs::write(folder.join(name), text).unwrap();
    }
    folder
}

/// The build script: compiles the schema, and ends the process if it is wrong.
#[test]
fn build_script() {
    let Some(folder) = env::var_os(FOLDER) else {
        return;
    };
    env::set_current_dir(folder).unwrap();
    let schema = env::var("QAPI_GEN_TEST_SCHEMA").unwrap_or("main.json".to_owned());
    Builder::new(schema).out_dir("out").compile();
}

/// Runs this program as a build script with these variables, and returns what it
/// prints on its standard error stream.
fn compile(folder: &Path, variables: &[(&str, &str)]) -> String {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "build_script", "--nocapture"])
        .env_remove("CARGO_TERM_COLOR")
        .env_remove("NO_COLOR")
        .env(FOLDER, folder)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn build_script_underlines_every_error_when_schema_is_wrong() {
    let folder = schema_folder("snippets");
    let report = compile(&folder, &[("NO_COLOR", "1")]);
    let expected = "\
error: member 'text' uses unknown type 'string'
 --> part.json:3:22
  |
3 |   'data': { '*text': 'string' } }
  |                      ^^^^^^^^
  |
  = note: in struct 'Answer'
  = note: included from main.json:1
  = help: did you mean 'str'?

error: command's 'returns' uses unknown type 'Anwser'
 --> main.json:2:33
  |
2 | { 'command': 'stop', 'returns': 'Anwser' }
  |                                 ^^^^^^^^
  |
  = note: in command 'stop'
  = help: did you mean 'Answer'?
";
    assert_eq!(report, expected);
}

#[test]
fn build_script_follows_cargos_colors() {
    let folder = schema_folder("colors");
    let is_colored = |variables: &[(&str, &str)]| compile(&folder, variables).contains('\u{1b}');
    // Cargo removes what it does not want to show.
    assert!(is_colored(&[("CARGO", "cargo")]));
    assert!(is_colored(&[("CARGO", ""), ("CARGO_TERM_COLOR", "always")]));
    assert!(!is_colored(&[("CARGO", "")]), "a pipe of another program");
    assert!(!is_colored(&[("CARGO", "cargo"), ("NO_COLOR", "1")]));
    assert!(!is_colored(&[
        ("CARGO", "cargo"),
        ("CARGO_TERM_COLOR", "never")
    ]));
}

#[test]
fn build_script_names_the_main_file_when_it_compiles_a_module() {
    let folder = schema_folder("module");
    let variables = [("NO_COLOR", "1"), ("QAPI_GEN_TEST_SCHEMA", "part.json")];
    let report = compile(&folder, &variables);
    let note = "note: 'part.json' belongs to 'main.json', which may have what is missing";
    assert!(report.contains(note), "{report}");
}

#[cfg(feature = "cli")]
#[test]
fn build_script_prints_what_check_prints() {
    let folder = schema_folder("check");
    let check = Command::new(env!("CARGO_BIN_EXE_qapi-gen"))
        .current_dir(&folder)
        .args(["check", "main.json"])
        .output()
        .unwrap();
    let check = String::from_utf8(check.stderr).unwrap();
    let report = compile(&folder, &[("NO_COLOR", "1")]);
    assert!(check.starts_with(&report), "{check}\n{report}");
}

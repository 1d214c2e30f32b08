//! Schemas that somebody made to do harm: they end in an answer or a clear
//! error, and soon.

#![expect(clippy::unwrap_used, reason = "tests may stop at the first surprise")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use qapi_gen::{Addition, FolderLoader, MemoryLoader, Options, Outcome, check, generate};

/// The first error of a schema in one file; empty if there is none.
fn first_error(schema: impl Into<Vec<u8>>) -> String {
    first(&check_text(schema))
}

fn check_text(schema: impl Into<Vec<u8>>) -> Outcome {
    check("a.json", &MemoryLoader::from_iter([("a.json", schema)]))
}

fn first(outcome: &Outcome) -> String {
    let first = outcome.diagnostics.iter().next();
    first
        .map(|first| first.short(&outcome.sources))
        .unwrap_or_default()
}

/// `line` for each number, one after the other.
fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(|n| line(n) + "\n").collect()
}

#[test]
fn endless_brackets_are_an_error() {
    for open in ["[", "{ 'a': ", "{ 'if': { 'not': "] {
        let error = first_error(open.repeat(200_000));
        assert!(
            error.ends_with("nest more than 1000 levels deep"),
            "{error}"
        );
    }
}

#[test]
fn huge_texts_are_read_or_rejected_quickly() {
    let long = "x".repeat(1 << 18);
    let error = first_error(format!("{{ 'command': '{long}"));
    assert_eq!(error, "a.json:1:14: missing terminating \"'\"");
    assert_eq!(first_error(format!("# {long}")), "");
    assert_eq!(first_error(format!("{{ 'command': '{long}' }}")), "");
    let error = first_error(format!("##\n# {long}\n##\n"));
    assert!(error.ends_with("longer than 70 characters"), "{error}");
    assert_eq!(first_error("\n".repeat(1 << 18)), "");
}

#[test]
fn many_definitions_on_one_line_are_reported_quickly() {
    let outcome = check_text("{ 'event': 'E' } ".repeat(5_000));
    assert_eq!(outcome.diagnostics.len(), 4_999);
    // Each column is counted from the one before.
    for (diagnostic, index) in outcome.diagnostics.iter().zip(1..) {
        let shown = diagnostic.site.as_ref().unwrap().shown();
        let source = outcome.sources.get(shown.file).unwrap();
        assert_eq!(source.column(shown.start), 17 * index + 12);
    }
}

#[test]
fn deeply_nested_unions_are_an_error() {
    let schema = lines(1_100, |n| {
        let next = n + 1;
        format!(
            "{{ 'union': 'U{n}x', 'base': {{ 't{n}': 'Ex' }}, 'discriminator': 't{n}',
               'data': {{ 'a': 'U{next}x' }} }}"
        )
    });
    let end = "{ 'enum': 'Ex', 'data': [ 'a' ] } { 'struct': 'U1100x', 'data': {} }";
    let error = first_error(schema + end);
    assert!(
        error.contains("contains others more than 1000 levels deep"),
        "{error}"
    );
}

#[test]
fn nested_alternates_are_an_error() {
    let error = first_error(lines(10_000, |n| {
        let next = n + 1;
        format!("{{ 'alternate': 'A{n}x', 'data': {{ 'a': 'A{next}x' }} }}")
    }));
    assert!(
        error.ends_with("cannot use alternate type 'A1x'"),
        "{error}"
    );
}

#[test]
fn file_that_includes_itself_is_an_inclusion_loop() {
    for spelling in ["a.json", "./a.json", ".//a.json", "x/../a.json", "/a.json"] {
        let error = first_error(format!("{{ 'include': '{spelling}' }}"));
        assert_eq!(error, format!("a.json:1: inclusion loop for {spelling}"));
    }
}

#[test]
fn long_cycle_of_includes_is_an_inclusion_loop() {
    let file = |n: usize| {
        let next = (n + 1) % 2_000;
        (
            format!("{n}.json"),
            format!("{{ 'include': '{next}.json' }}"),
        )
    };
    let outcome = check("0.json", &MemoryLoader::from_iter((0..2_000).map(file)));
    let error = first(&outcome);
    assert!(error.ends_with("inclusion loop for 0.json"), "{error}");
    assert_eq!(outcome.files_read.len(), 2_000);
}

#[test]
fn file_is_read_once_when_included_under_several_paths() {
    let file = |n: usize| {
        let mut text = String::new();
        for folder in ["", "./", "x/../"] {
            writeln!(text, "{{ 'include': '{folder}{}.json' }}", n + 1).unwrap();
        }
        (format!("{n}.json"), text)
    };
    let last = ("60.json".to_owned(), String::new());
    let files = MemoryLoader::from_iter((0..60).map(file).chain([last]));
    assert_eq!(check("0.json", &files).files_read.len(), 61);
}

#[test]
fn unreadable_includes_are_reported_with_their_reason() {
    let folder = tempfile();
    fs::create_dir_all(folder.join("folder")).unwrap();
    let cases = [
        ("folder", "Is a directory"),
        ("folder/a.json", "No such file or directory"),
        ("main.json/x", "Not a directory"),
        ("/dev/zero", "file too large"),
        ("", "No such file or directory"),
    ];
    for (name, reason) in cases {
        fs::write(
            folder.join("main.json"),
            format!("{{ 'include': '{name}' }}"),
        )
        .unwrap();
        let outcome = check("main.json", &FolderLoader::new(&folder));
        assert_eq!(
            first(&outcome),
            format!("main.json:1: can't read include file '{name}': {reason}")
        );
    }
    fs::remove_dir_all(folder).unwrap();
}

/// A folder of this process.
fn tempfile() -> std::path::PathBuf {
    let name = format!("hostile-{}", std::process::id());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The text that is generated for a schema in one file, and the time it took.
fn generated(schema: &str, options: &Options) -> (String, Duration) {
    let begin = Instant::now();
    let loader = MemoryLoader::from_iter([("a.json", schema)]);
    let files = generate("a.json", &loader, options).into_files().unwrap();
    let text = files.iter().map(|file| file.text.as_str()).collect();
    (text, begin.elapsed())
}

#[test]
fn direction_controls_are_escaped_in_generated_code() {
    let controls: Vec<char> = "\u{61c}\u{200e}\u{200f}"
        .chars()
        .chain('\u{202a}'..='\u{202e}')
        .chain('\u{2066}'..='\u{2069}')
        .collect();
    for control in controls {
        let schema = format!(
            "##\n# @ss:\n#\n# A {control}command.\n#\n# @a: A {control}member, ``{control}``.\n#\n\
             # Features:\n#\n# @deprecated: Use {control}another.\n#\n\
             # .. qmp-example::\n#\n#    {control}\n##\n\
             {{ 'command': 'ss', 'data': {{ 'a': 'int' }}, 'features': [ 'deprecated' ] }}\n"
        );
        let escape = control.escape_unicode().to_string();
        for formatted in [true, false] {
            let mut options = Options::default();
            options.formatted = formatted;
            options.attributes = vec![Addition::to_all(format!("#[doc = \" Mine {control}.\"]"))];
            let (text, _) = generated(&schema, &options);
            assert!(!text.contains(control), "{text}");
            for expected in [
                "A {}command",
                "A {}member, `{}`",
                "Use {}another",
                "Mine {}.",
            ] {
                let expected = expected.replace("{}", &escape);
                assert!(text.contains(&expected), "{expected} in {text}");
            }
        }
    }
}

#[test]
fn documentation_takes_linear_time_when_it_nests_deeply() {
    let nested = |count: usize, begin: &str| -> String {
        let lines = (0..count).map(|depth| format!("# {}{begin}\n", " ".repeat(2 * depth)));
        let lines: String = lines.collect();
        format!("##\n# @E:\n#\n{lines}##\n{{ 'event': 'E' }}\n")
    };
    // Compare two lengths instead of a time with a limit, because a loaded machine
    // is slow at both.
    let check = |what: &str, short: String, long: String| {
        let growth = u32::try_from(long.len() / short.len()).unwrap();
        let time = |text: &str| {
            let turns = (0..2).map(|_| generated(text, &Options::default()).1);
            turns.min().unwrap()
        };
        let (short, long) = (time(&short), time(&long));
        // Quadratic time grows by the square of the text's growth, which is at
        // least 4 times this limit.
        let limit = short * growth * 4;
        assert!(long < limit, "{what}: {short:?}, then {long:?}");
    };
    for begin in ["- a", "1. a", "...", ".. note:: a", "a::\n#"] {
        check(begin, nested(300, begin), nested(1200, begin));
    }
    let ticks = |count| {
        let ticks = "`".repeat(count);
        format!("##\n# @E:\n#\n# ::\n#\n#   {ticks}\n##\n{{ 'event': 'E' }}\n")
    };
    check("ticks", ticks(1 << 14), ticks(1 << 18));
}

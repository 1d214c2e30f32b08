//! The schema cases of `tests/cases/schema`: what is reported for each.
//!
//! `NAME.err` has all diagnostics of `NAME.json` in the short format; the
//! first is what QEMU's generator prints. What passes the check is compiled,
//! too, and `NAME.err` has what is wrong for Rust. `UPDATE_GOLDEN=1` rewrites
//! them. A first line `# rules: 7.2` or `# style: warn` says how to check; a
//! case without `NAME.json` is about a schema that is not there.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests may stop at the first surprise"
)]

mod common;

use std::collections::BTreeSet;
use std::{env, fs};

use common::{folder, options};
use qapi_gen::diag::{Diagnostic, Problem};
use qapi_gen::schema::DocArg;
use qapi_gen::source::SourceMap;
use qapi_gen::{
    Addition, CfgNames, Conditions, FolderLoader, Loader, MemoryLoader, OptionProblem, Options,
    RustProblem, check, check_with, generate,
};

/// The names of all cases.
fn cases() -> Vec<String> {
    let cases: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json" || extension == "err")
        })
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert!(!cases.is_empty());
    cases.into_iter().collect()
}

/// The texts of all cases that have one.
fn texts() -> Vec<Vec<u8>> {
    let text = |case| fs::read(folder().join(case).with_extension("json")).ok();
    cases().iter().filter_map(text).collect()
}

/// Everything that is wrong with a schema, down to Rust.
fn report(path: &str, loader: &dyn Loader) -> (SourceMap, Vec<Diagnostic>) {
    let check = options(path, loader);
    let outcome = check_with(path, loader, check);
    assert_eq!(outcome.schema.is_none(), outcome.diagnostics.has_errors());
    let mut diagnostics: Vec<_> = outcome.diagnostics.iter().cloned().collect();
    if outcome.schema.is_none() {
        return (outcome.sources, diagnostics);
    }
    let mut options = Options::default();
    options.rules = check.rules;
    let generation = generate(path, loader, &options);
    diagnostics.extend(generation.diagnostics.errors().cloned());
    (generation.sources, diagnostics)
}

/// All diagnostics in the short format.
fn diagnostics(path: &str, loader: &dyn Loader) -> String {
    let (sources, diagnostics) = report(path, loader);
    diagnostics
        .iter()
        .map(|diagnostic| diagnostic.short(&sources) + "\n")
        .collect()
}

#[test]
fn reports_of_each_case_are_as_expected() {
    let update = env::var_os("UPDATE_GOLDEN").is_some();
    let mut failures = Vec::new();
    for case in cases() {
        let expected = folder().join(&case).with_extension("err");
        let actual = diagnostics(&format!("{case}.json"), &FolderLoader::new(folder()));
        if update {
            fs::write(&expected, &actual).unwrap();
        }
        let expected = fs::read_to_string(&expected).unwrap_or_default();
        if actual != expected {
            failures.push(format!(
                "{case}:\n--- expected\n{expected}--- actual\n{actual}"
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Structs of which each is based on the next or the one before, too many to
/// write them into a file.
fn many_bases(up: bool) -> MemoryLoader {
    let schema: String = (0..5000)
        .map(|n: usize| {
            let base = if up { n.wrapping_sub(1) } else { n + 1 };
            let base = (base < 5000).then(|| format!("'base': 'S{base}x', "));
            let base = base.unwrap_or_default();
            format!("{{ 'struct': 'S{n}x', {base}'data': {{ 'm{n}': 'int' }} }}\n")
        })
        .collect();
    MemoryLoader::from_iter([("a.json", schema)])
}

/// What is wrong with taking modules from other crates: one that the schema
/// has not, and one from a path that is not the same everywhere.
fn extern_modules() -> Vec<Diagnostic> {
    let files = MemoryLoader::from_iter([("a.json", "{ 'event': 'STOP' }")]);
    let mut options = Options::default();
    for (module, path) in [("a.json", "super::a"), ("b.json", "::b")] {
        let (module, path) = (module.to_owned(), path.to_owned());
        options.extern_modules.insert(module, path);
    }
    let generation = generate("a.json", &files, &options);
    assert!(generation.files.is_none());
    generation.diagnostics.errors().cloned().collect()
}

#[test]
fn extern_modules_are_errors_when_unknown_or_relative() {
    let messages: Vec<_> = extern_modules().iter().map(Diagnostic::message).collect();
    let expected = [
        "the path 'super::a' of module 'a.json' must begin with '::' or 'crate::'",
        "no module of the schema is called 'b.json'",
    ];
    assert_eq!(messages, expected);
}

/// What is reported of options that do not fit their schema; what each says
/// is tested with the options.
fn wrong_options() -> Vec<Diagnostic> {
    let folder = folder().join("../rust");
    let mut options = Options::default();
    for (name, ty) in [("Nope", "u8"), ("Shape", "u8"), ("Empty", "<")] {
        options.replaced.insert(name.to_owned(), ty.to_owned());
    }
    let add = |to: &str| Addition::to(to, "X");
    options.derives.push(add("Empty"));
    options.only.insert("Shape".to_owned());
    options.except.insert("Shape".to_owned());
    options.conditions = Conditions::Config(["CONFIG_NOT_THERE".to_owned()].into());
    let folder = FolderLoader::new(folder);
    let generation = generate("every-shape.json", &folder, &options);
    let mut found: Vec<_> = generation.diagnostics.iter().cloned().collect();
    options.conditions = Conditions::Cfg(CfgNames::default());
    let files = [(
        "a.json",
        "{ 'event': 'STOP', 'if': { 'any': [ 'A_B', 'CONFIG_A_B' ] } }",
    )];
    let generation = generate("a.json", &MemoryLoader::from_iter(files), &options);
    found.extend(generation.diagnostics.iter().cloned());
    found
}

/// Types of which each holds the next.
fn nested(depth: usize, held: &str) -> MemoryLoader {
    let types = (0..depth).map(|number| {
        let next = held.replace("{}", &(number + 1).to_string());
        format!("{{ 'struct': 'S{number}x', 'data': {{ 'm': {next} }} }}\n")
    });
    let end = format!("{{ 'struct': 'S{depth}x', 'data': {{ 'm': 'str' }} }}\n");
    MemoryLoader::from_iter([("a.json", types.chain([end]).collect::<String>())])
}

#[test]
fn types_cause_a_warning_when_they_nest_deeply() {
    let found = |loader: &dyn Loader| {
        let generation = generate("a.json", loader, &Options::default());
        assert!(generation.files.is_some());
        let warnings = generation.diagnostics.warnings();
        let text = warnings.map(|warning| {
            let hint = warning.hint(&generation.sources).unwrap();
            assert!(hint.contains("#![recursion_limit"), "{hint}");
            warning.short(&generation.sources)
        });
        text.collect::<Vec<_>>()
    };
    assert!(found(&nested(118, "'S{}x'")).is_empty());
    let expected = "a.json:1: warning: types are nested about 121 levels deep in 'S0x': \
                    rustc's limit is 128";
    assert_eq!(found(&nested(120, "'S{}x'")), [expected]);
    assert!(found(&nested(29, "[ 'S{}x' ]")).is_empty());
    assert_eq!(found(&nested(31, "[ 'S{}x' ]")).len(), 1);
    // What leads back to itself does not count, however long the way is.
    let cycle = (0..300).map(|number| {
        let next = (number + 1) % 300;
        format!("{{ 'struct': 'S{number}x', 'data': {{ '*m': 'S{next}x' }} }}\n")
    });
    let cycle = MemoryLoader::from_iter([("a.json", cycle.collect::<String>())]);
    assert!(found(&cycle).is_empty());
}

#[test]
fn every_kind_of_problem_has_a_case() {
    let kinds = [Problem::KINDS, OptionProblem::KINDS, RustProblem::KINDS];
    let mut missing: BTreeSet<&str> = kinds.concat().into_iter().collect();
    // The problem of a back end has the kind that the back end gives it.
    missing.remove("Backend");
    let mut found = |diagnostics: Vec<Diagnostic>| {
        for diagnostic in diagnostics {
            missing.remove(diagnostic.problem.kind());
        }
    };
    for case in cases() {
        found(report(&format!("{case}.json"), &FolderLoader::new(folder())).1);
    }
    found(report("a.json", &many_bases(true)).1);
    found(extern_modules());
    found(wrong_options());
    let deep = generate("a.json", &nested(200, "'S{}x'"), &Options::default());
    found(deep.diagnostics.iter().cloned().collect());
    assert!(missing.is_empty(), "no case triggers {missing:?}");
}

/// A small generator of pseudo-random numbers, the same on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        // Knuth's constants for a linear congruential generator.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit.max(1)
    }
}

/// Changes a text in a few places: bytes, pieces, or whole lines.
fn mutate(text: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    const PIECES: [&str; 16] = [
        "'", "{", "}", "[", "]", ":", ",", "#", "##\n", "# @", "\\", "\n", "\r\n", "true", "\0",
        "é",
    ];
    for _ in 0..=random.below(3) {
        let at = random.below(text.len());
        match random.below(5) {
            0 => {
                let end = (at + random.below(20)).min(text.len());
                text.drain(at..end);
            }
            1 => {
                let piece = PIECES[random.below(PIECES.len())];
                text.splice(at..at, piece.bytes());
            }
            2 => text[at] = u8::try_from(random.below(256)).unwrap(),
            3 => {
                let from = random.below(other.len());
                let end = (from + random.below(60)).min(other.len());
                text.splice(at..at, other[from..end].iter().copied());
            }
            _ => {
                let end = (at + random.below(60)).min(text.len());
                let again: Vec<u8> = text[at..end].to_vec();
                text.splice(at..at, again);
            }
        }
        if text.is_empty() {
            text.push(b'\n');
        }
    }
}

#[test]
fn mutated_schemas_do_not_panic() {
    let texts = texts();
    let mut random = Random(2024);
    for _ in 0..4000 {
        let mut text = texts[random.below(texts.len())].clone();
        let other = texts[random.below(texts.len())].clone();
        mutate(&mut text, &other, &mut random);
        let loader = MemoryLoader::from_iter([("a.json", text), ("b.json", other)]);
        diagnostics("a.json", &loader);
    }
}

#[test]
fn deep_nesting_is_an_error_and_no_stack_overflow() {
    let nested = |open: &str, close: &str, depth: usize| {
        format!(
            "{{ 'struct': 'Aa', 'data': {{}}, 'if': {}'X'{} }}",
            open.repeat(depth),
            close.repeat(depth)
        )
    };
    for (open, close) in [("{ 'not': ", "}"), ("{ 'all': [ ", "] }")] {
        let levels = open.matches(['{', '[']).count();
        let fits = nested(open, close, 990 / levels);
        let loader = MemoryLoader::from_iter([("a.json", fits)]);
        assert_eq!(diagnostics("a.json", &loader), "");
        let loader = MemoryLoader::from_iter([("a.json", nested(open, close, 100_000))]);
        let message = diagnostics("a.json", &loader);
        assert!(
            message.contains("nest more than 1000 levels deep"),
            "{message}"
        );
    }
}

#[test]
fn long_chain_of_bases_is_one_error() {
    for up in [true, false] {
        let message = diagnostics("a.json", &many_bases(up));
        assert_eq!(message.lines().count(), 2, "{message}");
        assert!(message.contains("more than 1000 levels deep"), "{message}");
    }
}

#[test]
fn file_is_reported_where_it_is_not_text() {
    let check = |bytes: &[u8], expected: &str| {
        let loader = MemoryLoader::from_iter([("a.json", bytes.to_vec())]);
        assert_eq!(diagnostics("a.json", &loader), expected);
    };
    check(b"", "");
    check(
        b"# ok\n\xff",
        "a.json:2:1: file is not UTF-8 from here on\n",
    );
    check(b"\xef\xbb\xbf{}", "a.json:1:1: stray '\u{feff}'\n");
    check(b"{ 'command': 'a' }\r\n;\r\n", "a.json:2:1: stray ';'\n");
    check(b"\0", "a.json:1:1: stray '\0'\n");
}

#[test]
fn files_read_are_listed_when_the_schema_is_wrong() {
    let loader = MemoryLoader::from_iter([
        (
            "x/a.json",
            "{ 'include': '../b.json' } { 'include': 'c.json' }",
        ),
        ("x/../b.json", ";"),
    ]);
    let outcome = check("x/a.json", &loader);
    assert!(outcome.schema.is_none());
    let files: Vec<_> = outcome
        .files_read
        .iter()
        .map(|path| path.to_str().unwrap())
        .collect();
    assert_eq!(files, ["x/a.json", "x/../b.json"]);
}

#[test]
fn modules_and_entities_are_in_qemus_order() {
    let outcome = check("include-order.json", &FolderLoader::new(folder()));
    let schema = outcome.schema.unwrap();
    let modules: Vec<_> = schema
        .modules()
        .skip(1)
        .map(|(_, module)| {
            let names = module
                .entities
                .iter()
                .map(|&entity| &*schema.common(entity).name);
            (
                module.name.as_str(),
                names.collect::<Vec<_>>(),
                module.includes.len(),
            )
        })
        .collect();
    assert_eq!(
        modules,
        [
            ("include-order.json", vec!["User"], 2),
            ("include/types.json", vec!["Included"], 0),
        ]
    );
}

#[test]
fn older_markup_is_kept_when_style_is_a_warning() {
    let folder = FolderLoader::new(folder());
    let path = "style-warnings.json";
    let outcome = check_with(path, &folder, options(path, &folder));
    let schema = outcome.schema.unwrap();
    let module = schema.modules().nth(1).unwrap().1;
    let doc = schema.common(module.entities[0]).doc.as_ref().unwrap();
    let text = |arg: DocArg<'_>| (arg.name.to_owned(), arg.text.to_string());
    let pair = |(name, text): (&str, &str)| (name.to_owned(), text.to_owned());
    assert_eq!(
        doc.members().map(text).collect::<Vec<_>>(),
        [
            ("x", "to the right\n      or to the left, which\n   depends"),
            ("y", "upwards"),
            ("z", "late"),
            ("zz", ""),
        ]
        .map(pair)
    );
    assert_eq!(
        doc.features().map(text).collect::<Vec<_>>(),
        [("f", "the first that is described"), ("g", "once more"),].map(pair)
    );
    let sections: Vec<_> = doc
        .sections()
        .map(|section| (section.tag.to_owned(), section.text.to_string()))
        .collect();
    assert_eq!(
        sections,
        [
            ("Since", "1.0"),
            ("Note", "older markup"),
            ("Example", "{ \"x\": 1 }\n\n{ \"y\": 2 }"),
            ("Since", "1.1"),
            ("Returns", "nothing"),
            ("Todo", ""),
        ]
        .map(pair)
    );
}

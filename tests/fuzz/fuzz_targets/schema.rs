//! Any text as a schema of several files: by all rules it is checked, dumped
//! and introspected, and it is compiled to Rust, or refused with a diagnostic
//! that can be shown.
#![no_main]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;
use std::{fs, io};

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use mutator::{Mutator, Random};
use qapi_gen::diag::Diagnostics;
use qapi_gen::source::SourceMap;
use qapi_gen::{
    CheckOptions, Introspection, Loader, Options, Rules, Style, check_with, dump, generate,
};

/// The main file, which stands first.
const MAIN: &str = "main.json";

/// What a line begins with that names the file which follows.
const FILE_MARK: &[u8] = b"# file: ";

/// Several files in one text.
struct Files<'a>(BTreeMap<&'a [u8], Vec<u8>>);

impl<'a> Files<'a> {
    fn new(text: &'a [u8]) -> Self {
        let mut files: BTreeMap<&[u8], Vec<u8>> = BTreeMap::new();
        let mut name = MAIN.as_bytes();
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            match line.strip_prefix(FILE_MARK) {
                Some(rest) => name = rest.trim_ascii(),
                None => files.entry(name).or_default().extend(line),
            }
        }
        Self(files)
    }
}

impl Loader for Files<'_> {
    /// A file is found by its name in a few folders, not in all that a schema
    /// can think of: it would never end.
    fn read(&self, path: &str, bytes_max: usize) -> io::Result<Vec<u8>> {
        let name = path.rsplit('/').next().unwrap_or(path).as_bytes();
        let found = self.0.get(name).filter(|_| path.matches('/').count() < 4);
        let bytes = found.ok_or(io::ErrorKind::NotFound)?;
        if bytes.len() > bytes_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes.clone())
    }

    fn current_folder(&self) -> String {
        "/".to_owned()
    }
}

/// What is wrong can be told, and it is wrong or not.
fn show(diagnostics: &Diagnostics, sources: &SourceMap, is_refused: bool) {
    assert_eq!(is_refused, diagnostics.has_errors());
    for diagnostic in diagnostics {
        assert!(!diagnostic.short(sources).is_empty());
    }
}

fuzz_target!(|text: &[u8]| {
    let files = Files::new(text);
    for rules in Rules::ALL {
        let options = CheckOptions {
            rules,
            style: Style::Deny,
        };
        let outcome = check_with(MAIN, &files, options);
        show(
            &outcome.diagnostics,
            &outcome.sources,
            outcome.schema.is_none(),
        );
        let Some(schema) = outcome.schema else {
            continue;
        };
        assert!(!dump(&schema).is_empty());
        for unmask in [false, true] {
            let mut introspection = Introspection::default();
            introspection.unmask = unmask;
            assert!(introspection.json(&schema).starts_with('['));
        }
    }
    let generation = generate(MAIN, &files, &Options::default());
    show(
        &generation.diagnostics,
        &generation.sources,
        generation.files.is_none(),
    );
});

/// Changes schemas, and takes pieces from our own cases.
static MUTATOR: LazyLock<Mutator> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cases/schema");
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    paths.sort();
    Mutator::new(paths.iter().flat_map(fs::read_to_string))
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mut random = Random::new(seed.into());
    // Bytes, too, have to be changed without regard to what they mean.
    if !random.one_in(6)
        && let Some(Ok(text)) = data.get(..size).map(str::from_utf8)
    {
        let text = MUTATOR.mutate(text, &mut random);
        let room = data.get_mut(..text.len().min(max_size));
        if let Some(room) = room.filter(|room| room.len() == text.len()) {
            room.copy_from_slice(text.as_bytes());
            return text.len();
        }
    }
    fuzzer_mutate(data, size, max_size)
});

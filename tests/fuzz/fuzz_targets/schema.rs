//! Any bytes as a schema: they are checked and compiled, or refused with a
//! diagnostic that names a place.
#![no_main]

use libfuzzer_sys::fuzz_target;
use qapi_gen::{Loader, Options, generate};

/// The bytes under every short name, so that includes are followed, but not
/// for as long as a path can be.
struct Everywhere<'a>(&'a [u8]);

impl Loader for Everywhere<'_> {
    fn read(&self, path: &str, bytes_max: usize) -> std::io::Result<Vec<u8>> {
        if path.len() > 64 {
            return Err(std::io::ErrorKind::NotFound.into());
        }
        if self.0.len() > bytes_max {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        Ok(self.0.to_vec())
    }

    fn current_folder(&self) -> String {
        "/".to_owned()
    }
}

fuzz_target!(|bytes: &[u8]| {
    let generation = generate("main.json", &Everywhere(bytes), &Options::default());
    assert_eq!(generation.files.is_none(), generation.diagnostics.has_errors());
    for diagnostic in &generation.diagnostics {
        assert!(!diagnostic.short(&generation.sources).is_empty());
    }
});

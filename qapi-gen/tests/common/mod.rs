//! Where the schema cases are, and how each wants to be checked.

use std::path::{Path, PathBuf};

use qapi_gen::{CheckOptions, Loader, Rules, Style};

/// The folder of the cases.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cases/schema")
}

/// How the first line of a schema wants it to be checked: `# rules: 7.2`,
/// `# style: warn`.
pub(crate) fn options(path: &str, loader: &dyn Loader) -> CheckOptions {
    let mut options = CheckOptions::default();
    let text = loader.read(path, usize::MAX).unwrap_or_default();
    match text.split(|&byte| byte == b'\n').next() {
        Some(b"# rules: 7.2") => options.rules = Rules::V7_2,
        Some(b"# rules: 10.0") => options.rules = Rules::V10_0,
        Some(b"# style: warn") => options.style = Style::Warn,
        _ => {}
    }
    options
}

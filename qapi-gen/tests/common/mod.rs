//! Where the schema cases are, and how each wants to be checked.

use std::path::{Path, PathBuf};

use qapi_gen::{CheckOptions, Loader, Style};

/// The folder of the cases.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cases/schema")
}

/// How the first line of a schema wants it to be checked: `# rules: ` and a
/// release, or `# style: warn`.
pub(crate) fn options(path: &str, loader: &dyn Loader) -> CheckOptions {
    let mut options = CheckOptions::default();
    let text = loader.read(path, usize::MAX).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let first = text.lines().next().unwrap_or_default();
    if let Some(release) = first.strip_prefix("# rules: ") {
        // A mutated case may have any text here.
        options.rules = release.parse().unwrap_or_default();
    } else if first == "# style: warn" {
        options.style = Style::Warn;
    }
    options
}

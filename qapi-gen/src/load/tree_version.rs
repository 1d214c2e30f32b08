//! The release of the QEMU tree that contains a schema.
//!
//! In: the main file's path and a [`Loader`]. Out: the rules of the tree's
//! release. It does not know what a rule checks.

use super::loader::Loader;
use super::path::Paths;
use crate::rules::{Rules, UnknownRules};

/// The file of a QEMU tree that contains its version.
const VERSION: &str = "VERSION";

/// The number of bytes that the file may have. QEMU's has about seven.
const VERSION_BYTES_MAX: usize = 64;

/// Returns the rules that the file `VERSION` of a QEMU tree asks for, or `None` if
/// no folder above the schema's main file has such a file with a version in it. The
/// nearest such file counts. The inner error is that of a tree older than all rules.
///
/// ```
/// use qapi_gen::{MemoryLoader, Rules, rules_of_tree};
///
/// let files = MemoryLoader::from_iter([("qemu/VERSION", "8.2.4\n")]);
/// let rules = rules_of_tree("qemu/qapi/qapi-schema.json", &files);
/// assert_eq!(rules, Some(Ok(Rules::V8_1)));
/// ```
pub fn rules_of_tree(main: &str, loader: &dyn Loader) -> Option<Result<Rules, UnknownRules>> {
    let current = loader.current_folder();
    let absolute = Paths::new(current.clone(), main).absolute(main);
    let mut folder = absolute.as_str();
    while let Some((above, _)) = folder.rsplit_once('/') {
        let path = [above, "/", VERSION].concat();
        // Try both forms of the path, because some loaders know only relative ones.
        let relative = path.strip_prefix(current.trim_end_matches('/'));
        let relative = relative.and_then(|path| path.strip_prefix('/'));
        let rules = relative
            .into_iter()
            .chain([path.as_str()])
            .find_map(|path| Rules::of_version(&read(path, loader)?));
        if rules.is_some() {
            return rules;
        }
        folder = above;
    }
    None
}

/// Returns the text of a file, or `None` if it is not a short text.
fn read(path: &str, loader: &dyn Loader) -> Option<String> {
    String::from_utf8(loader.read(path, VERSION_BYTES_MAX).ok()?).ok()
}

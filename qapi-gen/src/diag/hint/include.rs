//! Hints on files that cannot be included.
//!
//! In: the path of the file, and the path of the main file. Out: the option that
//! finds files elsewhere. No file is accessed.

/// Returns a hint on the file at `path`, which cannot be read for this reason.
pub(super) fn hint(path: &str, reason: &str, main: &str) -> Option<String> {
    if !reason.starts_with("No such file") {
        return None;
    }
    let (main_folder, _) = main.rsplit_once('/').unwrap_or_default();
    let from_main = match main_folder {
        "" => path,
        folder => path.strip_prefix(folder)?.strip_prefix('/')?,
    };
    if from_main.starts_with('/') {
        return None;
    }
    let name = match from_main.rsplit_once('/') {
        Some((folder, _)) => folder,
        None => ".",
    };
    Some(format!(
        "if the file is in another folder, name the folder: \
         --include-folder {name}=DIR, or `include_folder` of `Builder`"
    ))
}

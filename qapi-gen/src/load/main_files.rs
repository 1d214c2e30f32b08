//! The main files to which a schema file belongs.
//!
//! In: the path of a file on disk. Out: the files near it that include it, directly
//! or through others, and that nobody includes. Only directives are looked at, so
//! that files that are not schemas do no harm.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use super::loader::{FsLoader, Loader as _};

/// The number of folders above the file's whose trees are searched, if none of them
/// is the root of a repository.
const FOLDERS_UP_MAX: usize = 3;

/// The number of names in folders that are looked at. A tree can be as large as a
/// disk, and the answer is only a hint.
const ENTRIES_MAX: usize = 20_000;

/// The number of files that are read, and the size of each. QEMU has 80 schema
/// files, of which the largest has 200 kB.
const FILES_MAX: usize = 2_000;
const FILE_BYTES_MAX: usize = 1 << 20;

/// Returns the main files of a file that is a module of them, sorted, or nothing if
/// the file itself is a main file or no main file is near.
///
/// The tree around the file is searched, and then the trees around that, up to the
/// root of a repository.
#[must_use]
pub fn main_files(module: &Path) -> Vec<PathBuf> {
    let Ok(module) = fs::canonicalize(module) else {
        return Vec::new();
    };
    let mut search = Search::default();
    let folders = module.ancestors().skip(1).take(1 + FOLDERS_UP_MAX);
    for folder in folders {
        search.add_tree(folder);
        let found = search.main_files(&module);
        // Search the tree around the file's folder in any case, because several
        // programs may share a module.
        let is_whole = module.parent() != Some(folder);
        if (is_whole && !found.is_empty()) || folder.join(".git").exists() {
            return found;
        }
    }
    search.main_files(&module)
}

/// The files that were read, and what they include.
#[derive(Default)]
struct Search {
    /// The files that include a file, by its path. All paths are absolute, without
    /// symbolic links.
    includers: HashMap<PathBuf, Vec<PathBuf>>,
    folders_read: HashSet<PathBuf>,
    entries: usize,
    files: usize,
}

impl Search {
    /// Reads the files of a folder and its subfolders, the nearest first, unless
    /// they have been read.
    fn add_tree(&mut self, folder: &Path) {
        let mut folders = VecDeque::from([folder.to_owned()]);
        while let Some(folder) = folders.pop_front() {
            if !self.folders_read.insert(folder.clone()) {
                continue;
            }
            let Ok(entries) = fs::read_dir(&folder) else {
                continue;
            };
            // Sort, so that limits stop at the same file each time.
            let mut entries: Vec<_> = entries
                .flatten()
                .take(ENTRIES_MAX.saturating_sub(self.entries))
                .collect();
            self.entries += entries.len();
            entries.sort_by_key(fs::DirEntry::file_name);
            for entry in entries {
                let path = entry.path();
                // The type of a symbolic link is neither, so that folders that link
                // to themselves end here.
                match entry.file_type() {
                    Ok(ty) if ty.is_dir() && is_searched(&path) => folders.push_back(path),
                    Ok(ty) if ty.is_file() && is_schema(&path) => self.add_file(&path),
                    _ => {}
                }
            }
        }
    }

    /// Reads what a file includes.
    fn add_file(&mut self, file: &Path) {
        if self.files >= FILES_MAX {
            return;
        }
        self.files += 1;
        let Ok(bytes) = FsLoader.read(&file.to_string_lossy(), FILE_BYTES_MAX) else {
            return;
        };
        let Some(folder) = file.parent() else {
            return;
        };
        for include in includes(&String::from_utf8_lossy(&bytes)) {
            if let Ok(included) = fs::canonicalize(folder.join(include)) {
                let includers = self.includers.entry(included).or_default();
                includers.push(file.to_owned());
            }
        }
    }

    /// Returns the files that include `module` and that nobody includes.
    fn main_files(&self, module: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut seen: HashSet<&Path> = HashSet::from_iter([module]);
        let mut todo = vec![module];
        while let Some(file) = todo.pop() {
            match self.includers.get(file) {
                Some(includers) => {
                    let new = includers.iter().map(PathBuf::as_path);
                    todo.extend(new.filter(|includer| seen.insert(includer)));
                }
                None if file == module => {}
                None => found.push(file.to_owned()),
            }
        }
        found.sort_unstable();
        found
    }
}

/// Returns whether a folder may have schemas. Hidden folders and those of builds
/// have copies at most.
fn is_searched(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    !name.starts_with('.') && !matches!(&*name, "build" | "node_modules" | "target")
}

fn is_schema(file: &Path) -> bool {
    file.extension()
        .is_some_and(|extension| extension == "json")
}

/// Returns the paths in the `include` directives of a schema.
fn includes(text: &str) -> impl Iterator<Item = &str> {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    lines.flat_map(|line| {
        line.split("'include'").skip(1).filter_map(|rest| {
            let value = rest.trim_start().strip_prefix(':')?.trim_start();
            let (path, _) = value.strip_prefix('\'')?.split_once('\'')?;
            Some(path)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn includes_are_those_of_directives() {
        let text = "# { 'include': 'comment.json' }\n\
                    { 'include': 'a.json' } { 'include' : '../b/c.json' }\n\
                    { \"include\": \"json.json\" } { 'include': other } { 'include'";
        let found: Vec<_> = includes(text).collect();
        assert_eq!(found, ["a.json", "../b/c.json"]);
    }
}

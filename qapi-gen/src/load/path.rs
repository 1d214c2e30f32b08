//! Paths of schema files.
//!
//! In: paths as schemas write them. Out: paths to open, names of modules, and a
//! normal form by which equal paths are recognized. No file is accessed, so
//! symbolic links are not followed.

/// Returns the path to open for a file that `includer` includes.
pub(super) fn join(includer: &str, include: &str) -> String {
    let folder = folder(includer);
    if include.starts_with('/') || folder.is_empty() {
        return include.to_owned();
    }
    let separator = if folder.ends_with('/') { "" } else { "/" };
    format!("{folder}{separator}{include}")
}

/// Returns the folder of a path, which is empty if the path has none.
fn folder(path: &str) -> &str {
    let Some(end) = path.rfind('/') else {
        return "";
    };
    let (folder, _) = path.split_at(end + 1);
    match folder.trim_end_matches('/') {
        "" => folder,
        trimmed => trimmed,
    }
}

/// The folders that paths are relative to.
#[derive(Debug)]
pub(super) struct Paths {
    current: String,
    /// The parts of the absolute path of the main schema's folder.
    base: Vec<String>,
}

impl Paths {
    /// Creates the folders for a schema with the main file `main`, whose
    /// relative paths start from the folder `current`.
    pub(super) fn new(current: String, main: &str) -> Self {
        let mut paths = Self {
            current,
            base: Vec::new(),
        };
        let base = paths.absolute(folder(main));
        paths.base = parts(&base).map(str::to_owned).collect();
        paths
    }

    /// Returns the absolute path without `.` and `..`. It is the same for all
    /// paths of a file, apart from symbolic links.
    pub(super) fn absolute(&self, path: &str) -> String {
        let current = if path.starts_with('/') {
            ""
        } else {
            &self.current
        };
        let mut absolute: Vec<&str> = Vec::new();
        for part in parts(current).chain(parts(path)) {
            match part {
                "." => {}
                ".." => {
                    absolute.pop();
                }
                _ => absolute.push(part),
            }
        }
        // POSIX (pathname resolution) allows exactly two leading slashes to mean
        // something other than one.
        let root = match path.strip_prefix("//") {
            Some(rest) if !rest.starts_with('/') => "//",
            _ => "/",
        };
        format!("{root}{}", absolute.join("/"))
    }

    /// Returns the name of a file's module: its path relative to the folder of
    /// the main schema.
    pub(super) fn module_name(&self, absolute: &str) -> String {
        let path: Vec<&str> = parts(absolute).collect();
        let shared = self
            .base
            .iter()
            .zip(&path)
            .take_while(|(a, b)| a == *b)
            .count();
        let up = self.base.iter().skip(shared).map(|_| "..");
        let down = path.iter().skip(shared).copied();
        let parts: Vec<&str> = up.chain(down).collect();
        if parts.is_empty() {
            ".".to_owned()
        } else {
            parts.join("/")
        }
    }
}

/// Returns the parts of a path between its slashes.
fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn join_is_relative_to_the_includer() {
        for (includer, include, expected) in [
            ("a.json", "b.json", "b.json"),
            ("x/a.json", "b.json", "x/b.json"),
            ("x/a.json", "../b.json", "x/../b.json"),
            ("x/a.json", "/b.json", "/b.json"),
            ("/a.json", "b.json", "/b.json"),
        ] {
            assert_eq!(join(includer, include), expected);
        }
    }

    #[test]
    fn module_name_is_relative_to_the_main_schema() {
        let paths = Paths::new("/home".to_owned(), "q/main.json");
        for (path, expected) in [
            ("q/main.json", "main.json"),
            ("q/../q/./sub/a.json", "sub/a.json"),
            ("a.json", "../a.json"),
            ("/etc/a.json", "../../etc/a.json"),
            ("//etc//a.json", "../../etc/a.json"),
        ] {
            assert_eq!(paths.module_name(&paths.absolute(path)), expected);
        }
    }
}

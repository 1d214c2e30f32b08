//! Paths of schema files.
//!
//! In: paths as they are written. Out: paths to open, names of modules, and
//! what tells whether two paths are the same file. It looks at no file; in
//! particular it follows no symbolic link.

/// The path to open for a file that another one includes.
pub(super) fn join(includer: &str, include: &str) -> String {
    let folder = folder(includer);
    if include.starts_with('/') || folder.is_empty() {
        return include.to_owned();
    }
    let separator = if folder.ends_with('/') { "" } else { "/" };
    format!("{folder}{separator}{include}")
}

/// The folder of a path, empty if it has none.
fn folder(path: &str) -> &str {
    let Some(end) = path.rfind('/') else {
        return "";
    };
    let folder = path.get(..=end).unwrap_or_default();
    match folder.trim_end_matches('/') {
        "" => folder,
        trimmed => trimmed,
    }
}

/// What paths are relative to.
#[derive(Debug)]
pub(super) struct Paths {
    current: String,
    /// The main schema's folder, absolute.
    base: Vec<String>,
}

impl Paths {
    /// Paths relative to the folder `current`, for a schema whose main file
    /// is `main`.
    pub(super) fn new(current: String, main: &str) -> Self {
        let mut paths = Self {
            current,
            base: Vec::new(),
        };
        let base = paths.absolute(folder(main));
        paths.base = parts(&base).map(str::to_owned).collect();
        paths
    }

    /// The one path that all paths of the same file have, links aside.
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
        // Two slashes, and only two, may begin a name space of their own
        // (POSIX, pathname resolution).
        let root = match path.strip_prefix("//") {
            Some(rest) if !rest.starts_with('/') => "//",
            _ => "/",
        };
        format!("{root}{}", absolute.join("/"))
    }

    /// The name of a file's module: its path relative to the schema's folder.
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

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn includes_are_relative_to_the_includer() {
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
    fn modules_are_named_relative_to_the_schema() {
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

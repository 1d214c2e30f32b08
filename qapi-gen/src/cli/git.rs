//! Schemas in the history of a repository.
//!
//! In: a revision and the path of a file. Out: the file's bytes, from one `git
//! cat-file` that serves all files of the schema.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use qapi_gen::Loader;

/// A file at a revision, as `git show` takes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Revision<'a> {
    pub(super) name: &'a str,
    pub(super) path: &'a str,
}

impl<'a> Revision<'a> {
    /// Splits `GIT-REV:path`.
    pub(super) fn parse(argument: &'a str) -> Option<Self> {
        let (name, path) = argument.split_once(':')?;
        (!name.is_empty() && !name.starts_with('-') && !path.is_empty())
            .then_some(Self { name, path })
    }
}

/// A loader that reads the files of a revision.
#[derive(Debug)]
pub(super) struct GitLoader {
    revision: String,
    /// The path from the top of the repository to the current folder, with a `/`.
    prefix: String,
    git: Mutex<Git>,
}

#[derive(Debug)]
struct Git {
    process: Child,
    requests: Option<ChildStdin>,
    replies: BufReader<ChildStdout>,
}

impl GitLoader {
    /// Starts git for a revision, which must exist. The error is a message for
    /// people.
    pub(super) fn new(revision: &str) -> Result<Self, String> {
        let verified = Command::new("git")
            .args(["rev-parse", "--verify", "--quiet"])
            .arg(format!("{revision}^{{tree}}"))
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("cannot run git: {error}"))?;
        if !verified.status.success() {
            return Err(format!(
                "'{revision}' is neither a file nor a revision of the repository here"
            ));
        }
        let failed = |error: io::Error| format!("cannot run git: {error}");
        let prefix = Command::new("git")
            .args(["rev-parse", "--show-prefix"])
            .output()
            .map_err(failed)?;
        let prefix = String::from_utf8_lossy(&prefix.stdout)
            .trim_end()
            .to_owned();
        let mut process = Command::new("git")
            .args(["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let requests = process.stdin.take();
        let replies = process.stdout.take();
        let replies = replies.ok_or_else(|| "git has no output".to_owned())?;
        Ok(Self {
            revision: revision.to_owned(),
            prefix,
            git: Mutex::new(Git {
                process,
                requests,
                replies: BufReader::new(replies),
            }),
        })
    }
}

impl Loader for GitLoader {
    fn read(&self, path: &str, bytes_max: usize) -> io::Result<Vec<u8>> {
        let mut git = self.git.lock().unwrap_or_else(PoisonError::into_inner);
        // As for `git show`, a path is relative to the top unless it begins with a dot.
        let path = match path.starts_with("./") || path.starts_with("../") {
            true => normalized(&format!("{}{path}", self.prefix)),
            false => normalized(path),
        };
        git.read(&self.revision, &path, bytes_max)
    }

    fn current_folder(&self) -> String {
        // Paths in a revision begin at the top of the repository.
        "/".to_owned()
    }
}

impl Git {
    fn read(&mut self, revision: &str, path: &str, bytes_max: usize) -> io::Result<Vec<u8>> {
        if path.contains('\n') {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
        let requests = self.requests.as_mut();
        let requests = requests.ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(requests, "{revision}:{path}")?;
        requests.flush()?;
        let mut head = String::new();
        self.replies.read_line(&mut head)?;
        let mut words = head.split_ascii_whitespace().rev();
        let size = words.next().and_then(|size| size.parse::<usize>().ok());
        let Some(size) = size.filter(|_| words.next() == Some("blob")) else {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("No such file in revision {revision}"),
            ));
        };
        if size > bytes_max {
            self.requests = None;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut bytes = vec![0; size];
        self.replies.read_exact(&mut bytes)?;
        self.replies.read_exact(&mut [0])?;
        Ok(bytes)
    }
}

impl Drop for Git {
    fn drop(&mut self) {
        // Git may be writing a reply that was not read to its end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns a path without `.` and `..`, which git takes literally.
fn normalized(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

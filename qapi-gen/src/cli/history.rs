//! `qapi-gen history` and `qapi-gen since`.
//!
//! In: the interfaces of many releases. Out: what came and went, and when.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use qapi_gen::interface::{History, HistoryStep, Since as Age};

use super::input::Reading;
use super::output;

/// Lists what came and went over many releases, a line for each path and release.
///
/// A line is `+ RELEASE: PATH` or `- RELEASE: PATH`; paths are those of `paths`. What
/// the oldest release has is not listed.
#[derive(Debug, Args)]
pub(super) struct ListHistory {
    #[command(flatten)]
    releases: Releases,

    /// Write a file for each command and event to this folder
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// Says since which release a path exists: 0 if the newest release has it, 1 if not, 2
/// if the releases could not be read.
#[derive(Debug, Args)]
pub(super) struct Since {
    /// A path, as `paths` lists them
    path: String,

    #[command(flatten)]
    releases: Releases,
}

/// The options for a series of releases.
#[derive(Clone, Debug, Args)]
pub(super) struct Releases {
    /// The releases, the oldest first, each a name and where its interface is: a
    /// schema, GIT-REV:path of one, or a file with a reply to query-qmp-schema
    #[arg(required = true, num_args = 2.., value_name = "RELEASE=SOURCE", value_parser = release)]
    releases: Vec<(String, String)>,

    #[command(flatten)]
    reading: Reading,
}

/// Splits `RELEASE=SOURCE`.
pub(super) fn release(argument: &str) -> Result<(String, String), String> {
    match argument.split_once('=') {
        Some((name, source)) if !name.is_empty() && !source.is_empty() => {
            Ok((name.to_owned(), source.to_owned()))
        }
        _ => Err("a release and its source, with '=' between them, such as 9.0=v9.0.0:qapi/qapi-schema.json".to_owned()),
    }
}

impl Releases {
    fn history(&self) -> Result<History, String> {
        let mut history = History::default();
        for (name, source) in &self.releases {
            let interface = self.reading.interface(source)?;
            history
                .add(name, &interface)
                .map_err(|error| format!("{source}: {error}"))?;
        }
        Ok(history)
    }
}

impl ListHistory {
    /// Prints the history, or writes it to files.
    pub(super) fn run(&self) -> ExitCode {
        output::finish(self.list())
    }

    fn list(&self) -> Result<ExitCode, String> {
        let history = self.releases.history()?;
        let Some(folder) = &self.output else {
            let lines = history.steps().map(|step| line(&step));
            output::print(&lines.collect::<String>())?;
            return Ok(ExitCode::SUCCESS);
        };
        let mut files: BTreeMap<&str, String> = BTreeMap::new();
        for step in history.steps() {
            let name = step.path.split('/').next().unwrap_or(step.path);
            *files.entry(name).or_default() += &line(&step);
        }
        write(folder, &files).map_err(|error| format!("{}: {error}", folder.display()))?;
        eprintln!("qapi-gen: {} files in {}", files.len(), folder.display());
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes the files of a history, and removes those of earlier ones.
fn write(folder: &Path, files: &BTreeMap<&str, String>) -> io::Result<()> {
    const HEADING: &str = "# Written by `qapi-gen history`.\n";
    fs::create_dir_all(folder)?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.and_then(|name| name.strip_suffix(".txt"));
        let is_kept = name.is_some_and(|name| files.contains_key(name));
        if name.is_some()
            && !is_kept
            && fs::read_to_string(&path).is_ok_and(|text| text.starts_with(HEADING))
        {
            fs::remove_file(path)?;
        }
    }
    for (name, lines) in files {
        if name.starts_with('.') || name.contains(['/', '\0']) {
            let message = format!("'{name}' cannot be the name of a file");
            return Err(io::Error::new(io::ErrorKind::InvalidFilename, message));
        }
        let path = folder.join(format!("{name}.txt"));
        let is_foreign = fs::read_to_string(&path).is_ok_and(|text| !text.starts_with(HEADING));
        if is_foreign {
            let message = format!("{} is not of an earlier history", path.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
        }
        fs::write(path, format!("{HEADING}{lines}"))?;
    }
    Ok(())
}

impl Since {
    /// Prints the release.
    pub(super) fn run(&self) -> ExitCode {
        output::finish(self.since())
    }

    fn since(&self) -> Result<ExitCode, String> {
        let history = self.releases.history()?;
        let steps = history.steps_at(&self.path);
        let earlier: String = steps.iter().flatten().map(line).collect();
        match history.since(&self.path) {
            Some(Age::Exactly(release)) => output::print(&format!("{earlier}since {release}\n"))?,
            Some(Age::AtLeast(release)) => {
                output::print(&format!("{earlier}since {release} or earlier\n"))?;
            }
            None => {
                output::print(&earlier)?;
                eprintln!("qapi-gen: the newest release has no path {}", self.path);
                return Ok(ExitCode::FAILURE);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn line(step: &HistoryStep<'_>) -> String {
    let sign = if step.came { '+' } else { '-' };
    format!("{sign} {}: {}\n", step.release, step.path)
}

//! Safe corrections of schema files.
//!
//! In: a schema on disk. Out: its files with two spaces between sentences of
//! documentation, where the line has room for the second one.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use qapi_gen::Outcome;
use qapi_gen::diag::Problem;
use qapi_gen::source::SourceFile;

/// The characters of a line of documentation, its `# ` included.
const LINE_MAX: usize = 70;

/// Corrects what the diagnostics of a schema say. Returns the number of corrections,
/// after which other problems of the same lines may be found.
pub(super) fn correct(outcome: &Outcome) -> io::Result<usize> {
    let mut places: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
    for diagnostic in outcome.diagnostics.iter() {
        let Some(site) = &diagnostic.site else {
            continue;
        };
        let Some(file) = outcome.sources.get(site.span.file) else {
            continue;
        };
        if diagnostic.problem == Problem::DocSingleSpace && has_room(file, site.span.start) {
            let offset = file.file_offset(site.span.start);
            let offset = usize::try_from(offset).unwrap_or(usize::MAX);
            places.entry(file.name().into()).or_default().push(offset);
        }
    }
    let mut count = 0;
    for (path, offsets) in places {
        let mut text = fs::read(&path)?;
        let mut offsets = offsets;
        offsets.sort_unstable();
        offsets.dedup();
        for offset in offsets.into_iter().rev() {
            // The file may have changed since it was checked.
            if text.get(offset) == Some(&b' ') {
                text.insert(offset, b' ');
                count += 1;
            }
        }
        replace(&path, &text)?;
    }
    Ok(count)
}

fn has_room(file: &SourceFile, offset: u32) -> bool {
    let start = usize::try_from(file.line_start(offset)).unwrap_or(usize::MAX);
    let rest = file.text().get(start..).unwrap_or_default();
    rest.lines()
        .next()
        .is_some_and(|line| line.chars().count() < LINE_MAX)
}

/// Replaces a file, which is always the old or the new one.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = path.with_file_name(name);
    fs::write(&new, text)?;
    fs::set_permissions(&new, fs::metadata(path)?.permissions())?;
    fs::rename(&new, path)
}

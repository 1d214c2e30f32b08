//! The licences of the packages that a static program contains.
//!
//! In: cargo's dependency tree. Out: one text with each package, its licence and
//! the files of its sources that say so.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::tools::{Failure, Package, cargo_output, packages, text, workspace};

pub(super) fn of_linked_packages(
    program: &str,
    target: &str,
    features: &str,
) -> Result<String, Failure> {
    let tree = cargo_output(&[
        "tree",
        "--offline",
        "-p",
        program,
        "--no-default-features",
        "--features",
        features,
        "--edges",
        "normal,no-proc-macro",
        "--prefix",
        "none",
        "--format",
        "{p}",
        "--target",
        target,
    ])?;
    // A line is `NAME vVERSION`, and the folder of a package of this workspace.
    let linked: BTreeSet<String> = tree
        .lines()
        .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .collect();
    let mut all = packages(true)?;
    all.retain(|package| {
        let is_ours = package.manifest_path.starts_with(workspace());
        !is_ours && linked.contains(&format!("{} v{}", package.name, package.version))
    });
    all.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    let texts: Result<Vec<_>, _> = all.iter().map(section).collect();
    Ok(format!(
        "{program} contains these packages.\n\n{}",
        texts?.concat()
    ))
}

/// Returns the licence of a package, with its files that are called after licences.
fn section(package: &Package) -> Result<String, Failure> {
    let licence = package.license.as_deref().unwrap_or("see below");
    let mut section = format!(
        "{line}\n{} {}: {licence}\n",
        package.name,
        package.version,
        line = "=".repeat(72)
    );
    let folder = package.manifest_path.parent().unwrap_or(Path::new("."));
    let mut files: Vec<_> = fs::read_dir(folder)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| format!("{}: {error}", folder.display()))?;
    files.sort_by_key(fs::DirEntry::file_name);
    for file in files {
        let name = file.file_name().to_string_lossy().to_uppercase();
        let is_licence = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE"]
            .iter()
            .any(|start| name.starts_with(start));
        if is_licence && file.path().is_file() {
            let bytes = fs::read(file.path()).map_err(text)?;
            section.push_str(&format!("\n{}\n", String::from_utf8_lossy(&bytes).trim()));
        }
    }
    section.push('\n');
    Ok(section)
}

//! `cargo xtask doc`: the documentation of all crates, with a front page.
//!
//! In: the libraries of the workspace. Out: rustdoc's pages, and an `index.html`
//! that leads to them, which rustdoc itself writes on nightly only.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;

use clap::Args;

use crate::tools::{Failure, cargo, output, packages, target, text};

/// Build the documentation of all crates with a front page
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Open the front page in a browser
    #[arg(long)]
    open: bool,
}

/// The crates that a user of this project begins with, in the order of the page.
const FIRST: [&str; 5] = [
    "stats-runtime",
    "qapi-gen",
    "qapi-wire",
    "qapi-stats",
    "vmstats",
];

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    build(&[])?;
    let page = front_page()?;
    println!("{}", page.display());
    if arguments.open {
        output(Command::new("xdg-open").arg(page))?;
    }
    Ok(())
}

/// Runs rustdoc for the whole workspace.
pub(crate) fn build(variables: &[(&str, &str)]) -> Result<(), Failure> {
    let documentation = ["doc", "--workspace", "--no-deps", "--all-features"];
    cargo(&documentation, variables)
}

/// Writes the front page and returns its path.
fn front_page() -> Result<PathBuf, Failure> {
    let mut packages = packages(false)?;
    packages.sort_by_key(|package| {
        let first = FIRST.iter().position(|name| *name == package.name);
        (first.unwrap_or(FIRST.len()), package.name.clone())
    });
    let folder = target()?.join("doc");
    let mut rows = String::new();
    for package in &packages {
        let libraries = package.targets.iter();
        let library = libraries.filter(|target| target.kind.iter().any(|kind| kind == "lib"));
        for target in library {
            let name = target.name.replace('-', "_");
            if !folder.join(&name).join("index.html").exists() {
                return Err(format!("rustdoc has written no page of {name}"));
            }
            let about = escaped(package.description.as_deref().unwrap_or_default());
            let row = writeln!(
                rows,
                "<dt><a href=\"{name}/index.html\">{name}</a></dt><dd>{about}</dd>"
            );
            row.map_err(text)?;
        }
    }
    let path = folder.join("index.html");
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <title>vmstats: crates</title>\n\
         <style>body {{ font: 16px sans-serif; max-width: 45em; margin: 2em auto }} \
         dt {{ font-family: monospace; margin-top: 1em }}</style>\n\
         <h1>The crates of vmstats</h1>\n<dl>\n{rows}</dl>\n</html>\n"
    );
    std::fs::write(&path, page).map_err(text)?;
    Ok(path)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

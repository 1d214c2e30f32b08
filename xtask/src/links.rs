//! The crates that stats-runtime links, compared with the reviewed list.
//!
//! In: cargo's dependency tree. Out: the crates that are on one side only.

use std::collections::BTreeSet;

use crate::tools::{Failure, cargo_output, read};

const LIST: &str = "stats-runtime/links.txt";

pub(crate) fn check() -> Result<(), Failure> {
    let listed = listed()?;
    let linked = linked()?;
    let new: Vec<_> = linked.difference(&listed).cloned().collect();
    let gone: Vec<_> = listed.difference(&linked).cloned().collect();
    if new.is_empty() && gone.is_empty() {
        println!(
            "stats-runtime links {} crates, all of them reviewed",
            linked.len()
        );
        return Ok(());
    }
    Err(format!(
        "{LIST} is not what stats-runtime links: linked but not listed: [{}]; \
         listed but not linked: [{}]",
        new.join(", "),
        gone.join(", ")
    ))
}

/// Reads the list: the first word of each line is a crate, the rest is the
/// reason.
fn listed() -> Result<BTreeSet<String>, Failure> {
    let text = read(LIST)?;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    Ok(lines
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect())
}

fn linked() -> Result<BTreeSet<String>, Failure> {
    let tree = cargo_output(&[
        "tree",
        "-p",
        "stats-runtime",
        "--all-features",
        "-e",
        "normal,no-proc-macro",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ])?;
    Ok(tree
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect())
}

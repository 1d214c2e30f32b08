//! `cargo xtask bless`: rewrites the goldens. A failing test never does.

use crate::tools::{Failure, cargo};

pub(crate) fn run() -> Result<(), Failure> {
    let update = [("UPDATE_GOLDEN", "1")];
    cargo(&["test", "-p", "tests", "--test", "golden"], &update)?;
    println!("The goldens are rewritten: review them with `git diff tests/golden`.");
    Ok(())
}

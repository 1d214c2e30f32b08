//! `cargo xtask bless`: rewrites the goldens and the arrows of the map. A
//! failing test never does.

use crate::imports;
use crate::tools::{Failure, cargo};

pub(crate) fn run() -> Result<(), Failure> {
    imports::bless()?;
    let update = [("UPDATE_GOLDEN", "1")];
    cargo(
        &["test", "-p", "qapi-stats", "--test", "generated"],
        &update,
    )?;
    cargo(&["test", "-p", "tests", "--test", "golden"], &update)?;
    println!(
        "The goldens are rewritten: review them with \
         `git diff qapi/src/generated tests/golden ARCHITECTURE.md`."
    );
    Ok(())
}

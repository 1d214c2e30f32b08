//! A file for the textfile collector of node_exporter.
//!
//! In: a text. Out: a file that a reader sees whole or not at all.

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::encoder::Text;

/// The mode of the file, which node_exporter reads as another user.
const MODE: u32 = 0o644;

/// Replaces a file.
///
/// # Errors
///
/// Returns the kernel's error.
pub(super) fn write(path: &Path, text: &Text) -> io::Result<()> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    // The collector reads only files whose names end with `.prom`, so that it does not
    // see this one.
    let mut file = tempfile::Builder::new()
        .prefix(".vmstats-")
        .permissions(Permissions::from_mode(MODE))
        .tempfile_in(folder.unwrap_or(Path::new(".")))?;
    for part in &text.parts {
        file.write_all(part.as_bytes())?;
    }
    // The umask may have taken bits from the mode.
    file.as_file()
        .set_permissions(Permissions::from_mode(MODE))?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

//! The folder in which a `vmstats host` of this machine has a socket for each virtual
//! machine.
//!
//! In: an address `host:NAME`, and the environment. Out: paths, or the words why one cannot
//! be meant. This file opens nothing.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The folder of `vmstats host` without other arguments.
pub const HOST_FOLDER: &str = "/run/vmstats/host";

/// The variable with the folder of a `vmstats host` that has another one.
const VARIABLE: &str = "VMSTATS_HOST";

/// Returns the folder of the virtual machines' sockets within the folder of a
/// `vmstats host`.
#[must_use]
pub fn vms_in(host_folder: &Path) -> PathBuf {
    host_folder.join("vms")
}

/// Returns the name of the socket of a virtual machine within [`vms_in`].
#[must_use]
pub fn socket_name(vm: &OsStr) -> OsString {
    let mut name = vm.to_owned();
    name.push(".sock");
    name
}

/// Returns the folder that `host:` means: `$VMSTATS_HOST/vms`, or that of a `vmstats host`
/// without other arguments.
#[must_use]
pub fn vms_folder() -> PathBuf {
    vms_in(&host_folder(std::env::var_os(VARIABLE)))
}

fn host_folder(variable: Option<OsString>) -> PathBuf {
    let folder = variable.filter(|folder| !folder.is_empty());
    folder.unwrap_or_else(|| HOST_FOLDER.into()).into()
}

/// Returns the words for a `host:` whose folder does not exist.
#[must_use]
pub fn explain_missing(folder: &Path) -> String {
    format!(
        "no vmstats host runs here: there is no folder {}; start `vmstats host`, or set the \
         variable {VARIABLE} to the --folder of one",
        folder.display()
    )
}

/// Returns the socket of the virtual machine that `host:NAME` means, in a folder.
pub(super) fn socket(folder: &Path, name: &OsStr) -> Result<PathBuf, String> {
    if name.is_empty() {
        return Err(
            "host: is all virtual machines of a vmstats host; expected one, as host:NAME"
                .to_owned(),
        );
    }
    if name.as_bytes().contains(&b'/') || name == "." || name == ".." {
        return Err(format!(
            "'{}' is not the name of a virtual machine: expected host:NAME without '/'; the path \
             of a socket is written unix:PATH",
            name.display()
        ));
    }
    Ok(folder.join(socket_name(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_is_the_usual_one_unless_the_variable_has_another() {
        let folder = |variable: Option<&str>| host_folder(variable.map(Into::into));
        assert_eq!(folder(None), Path::new("/run/vmstats/host"));
        assert_eq!(folder(Some("")), Path::new("/run/vmstats/host"));
        assert_eq!(vms_in(&folder(Some("/x"))), Path::new("/x/vms"));
    }

    #[test]
    fn socket_lies_in_the_folder_whatever_the_name_is() {
        let of = |name: &[u8]| socket(Path::new("/x/vms"), OsStr::from_bytes(name));
        assert_eq!(of(b"web1"), Ok("/x/vms/web1.sock".into()));
        assert_eq!(of(b"a:b 1"), Ok("/x/vms/a:b 1.sock".into()));
        let raw = Path::new("/x/vms").join(OsStr::from_bytes(b"\xff.sock"));
        assert_eq!(of(b"\xff"), Ok(raw));
        assert!(of(b"").unwrap_err().contains("host:NAME"));
        for wrong in [&b".."[..], b".", b"a/b", b"/etc", b"../x"] {
            assert!(of(wrong).unwrap_err().contains("not the name"));
        }
    }
}

//! The answers that depend on the running kernel.
//!
//! In: the kernel's release. Out: an answer about statistics files.

/// Returns whether an open statistics file keeps its VM alive in the running kernel:
/// Linux 6.5 and later do.
///
/// On earlier kernels a file that outlives its VM makes the kernel read freed memory,
/// so such a file must not be passed to another process. Some of them have the fix
/// ("KVM: Grab a reference to KVM for VM and vCPU stats file descriptors") as a backport,
/// which their number does not show; the answer for these is `false` as well.
#[must_use]
pub fn keeps_vm_alive() -> bool {
    is_since_6_5(&rustix::system::uname().release().to_string_lossy())
}

/// Returns whether a release such as `6.1.0-44-amd64` is 6.5 or later.
fn is_since_6_5(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut number = || numbers.next().and_then(|number| number.parse::<u32>().ok());
    match (number(), number()) {
        (Some(major), Some(minor)) => (major, minor) >= (6, 5),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_by_their_numbers() {
        for release in ["6.5", "6.5.0-rc1", "6.18.44", "7.0.1-custom", "10.0"] {
            assert!(is_since_6_5(release), "{release}");
        }
        for release in [
            "5.15.0-100-generic",
            "6.4.16",
            "6.1.0-44-amd64",
            "",
            "unknown",
        ] {
            assert!(!is_since_6_5(release), "{release}");
        }
    }
}

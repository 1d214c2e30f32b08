//! The installed files, below a folder in the place of `/`.
//!
//! In: the program. Out: a tree of files. This file knows no format of packages.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::licences;
use super::release::Release;
use crate::progress::step;
use crate::tools::{Failure, cargo, output, text, workspace};

/// The documents of the workspace that all packages have.
const DOCUMENTS: [&str; 3] = ["CHANGELOG.md", "LICENSE-APACHE", "LICENSE-BSD-3-Clause"];

pub(super) fn stage(
    root: &Path,
    program: &Path,
    release: &Release,
    features: &str,
) -> Result<(), Failure> {
    let programs = root.join("usr/bin");
    let share = root.join("usr/share");
    let name = release.program.name;
    let documents = share.join("doc").join(name);
    for folder in [&programs, &documents] {
        fs::create_dir_all(folder).map_err(text)?;
    }
    fs::copy(program, programs.join(name))
        .map_err(|error| format!("{}: {error}", program.display()))?;
    cargo(
        &[
            "run",
            "--quiet",
            "-p",
            "manual",
            "--",
            &share.display().to_string(),
            name,
        ],
        &[],
    )?;
    let own = release.program.documents.iter().copied();
    for document in own.chain(DOCUMENTS) {
        let name = Path::new(document).file_name().unwrap_or_default();
        fs::copy(workspace().join(document), documents.join(name))
            .map_err(|error| format!("{document}: {error}"))?;
    }
    if let Some(deploy) = release.program.deploy {
        stage_deploy(&root.join("usr"), name, &workspace().join(deploy))?;
    }
    step("licences of linked packages");
    let linked = licences::of_linked_packages(name, &release.target, features)?;
    fs::write(documents.join("THIRD-PARTY-LICENSES"), linked).map_err(text)?;
    // Debian's rules ask for compressed man pages and changelogs.
    let pages = fs::read_dir(share.join("man/man1")).map_err(text)?;
    let mut gzip = Command::new("gzip");
    gzip.arg("-9n").arg(documents.join("CHANGELOG.md"));
    for page in pages {
        gzip.arg(page.map_err(text)?.path());
    }
    output(&mut gzip)?;
    set_modes(root)
}

/// Copies the files for those who deploy a program, the units to where systemd looks for
/// them. Nothing enables the units.
fn stage_deploy(usr: &Path, name: &str, deploy: &Path) -> Result<(), Failure> {
    let copy = |from: &Path, to: &Path| {
        fs::create_dir_all(to.parent().unwrap_or(to))
            .and_then(|()| fs::copy(from, to))
            .map_err(|error| format!("{}: {error}", from.display()))
    };
    let files = |folder: &Path| -> Result<Vec<PathBuf>, Failure> {
        let entries =
            fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        entries
            .map(|entry| Ok(entry.map_err(text)?.path()))
            .collect()
    };
    let share = usr.join("share").join(name).join("deploy");
    for path in files(deploy)? {
        let inner = if path.is_dir() {
            files(&path)?
        } else {
            vec![path]
        };
        for file in inner {
            let relative = file.strip_prefix(deploy).map_err(text)?;
            let unit = file.file_name().unwrap_or_default();
            let to = match relative.to_str() {
                Some("systemd/sysusers.conf") => usr.join(format!("lib/sysusers.d/{name}.conf")),
                Some("systemd/tmpfiles.conf") => usr.join(format!("lib/tmpfiles.d/{name}.conf")),
                Some(one) if one.starts_with("systemd/") => {
                    usr.join("lib/systemd/system").join(unit)
                }
                _ => share.join(relative),
            };
            copy(&file, &to)?;
        }
    }
    Ok(())
}

/// Makes files readable for everybody, whatever the umask of this process is.
fn set_modes(folder: &Path) -> Result<(), Failure> {
    set_mode(folder, 0o755)?;
    for entry in fs::read_dir(folder).map_err(text)? {
        let path = entry.map_err(text)?.path();
        if path.is_dir() {
            set_modes(&path)?;
        } else if path.parent().is_some_and(|parent| parent.ends_with("bin")) {
            set_mode(&path, 0o755)?;
        } else {
            set_mode(&path, 0o644)?;
        }
    }
    Ok(())
}

fn set_mode(path: &Path, mode: u32) -> Result<(), Failure> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(text)
}

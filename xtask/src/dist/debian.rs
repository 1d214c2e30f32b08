//! The Debian package.
//!
//! In: a tree of installed files. Out: a package, which dpkg-deb writes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::release::Release;
use crate::progress::step;
use crate::tools::{Failure, output, read, text};

/// Returns Debian's name for the processor of a musl target.
pub(super) fn architecture(target: &str) -> Result<&'static str, Failure> {
    match target {
        "x86_64-unknown-linux-musl" => Ok("amd64"),
        "aarch64-unknown-linux-musl" => Ok("arm64"),
        _ => Err(format!(
            "packages are made for x86_64-unknown-linux-musl and aarch64-unknown-linux-musl, \
             whose programs are static, not for {target}"
        )),
    }
}

pub(super) fn package(
    root: &Path,
    dist: &Path,
    release: &Release,
    architecture: &str,
) -> Result<PathBuf, Failure> {
    let name = format!(
        "{}_{}_{architecture}.deb",
        release.program.name, release.version
    );
    let path = dist.join(&name);
    step(format_args!("Debian package {name}"));
    let program = release.program;
    let documents = root.join("usr/share/doc").join(program.name);
    fs::write(documents.join("copyright"), copyright()?).map_err(text)?;
    let control = root.join("DEBIAN");
    fs::create_dir_all(&control).map_err(text)?;
    let size = size(&root.join("usr"))?.div_ceil(1024);
    // Nothing is listed as a dependency, because the program is static.
    let fields = format!(
        "Package: {}\n\
         Version: {}\n\
         Architecture: {architecture}\n\
         Maintainer: The vmstats authors\n\
         Installed-Size: {size}\n\
         Section: {}\n\
         Priority: optional\n\
         Description: {}\n \
         {}.\n",
        program.name, release.version, program.section, program.summary, release.description
    );
    fs::write(control.join("control"), fields).map_err(text)?;
    let mut build = Command::new("dpkg-deb");
    build.env("SOURCE_DATE_EPOCH", &release.time_s);
    build.args(["--root-owner-group", "-Zxz", "--build"]);
    output(build.arg(root).arg(&path))
        .map_err(|why| format!("{why} (dpkg-deb is in Debian's and Fedora's package dpkg)"))?;
    Ok(path)
}

/// Returns the file `copyright` in Debian's form.
fn copyright() -> Result<String, Failure> {
    let licence = read("LICENSE-BSD-3-Clause")?;
    let mut indented = String::new();
    for line in licence.lines() {
        let line = if line.is_empty() { "." } else { line };
        indented.push_str(&format!(" {line}\n"));
    }
    Ok(format!(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\
         Upstream-Name: vmstats\n\
         Comment: THIRD-PARTY-LICENSES has the licences of the packages that the\n \
         program contains.\n\
         \n\
         Files: *\n\
         Copyright: 2026 The vmstats authors\n\
         License: Apache-2.0 or BSD-3-Clause\n\
         \n\
         License: Apache-2.0\n \
         The text is in /usr/share/common-licenses/Apache-2.0.\n\
         \n\
         License: BSD-3-Clause\n\
         {indented}"
    ))
}

/// Returns the number of bytes of all files in a folder.
fn size(folder: &Path) -> Result<u64, Failure> {
    let mut size = 0;
    for entry in fs::read_dir(folder).map_err(text)? {
        let path = entry.map_err(text)?.path();
        size += if path.is_dir() {
            self::size(&path)?
        } else {
            fs::metadata(&path).map_err(text)?.len()
        };
    }
    Ok(size)
}

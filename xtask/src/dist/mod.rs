//! `cargo xtask dist`: packages of the programs for machines without Rust.
//!
//! In: the workspace, and a musl target of rustup. Out: for each program an archive
//! and a Debian package with the static program, its man pages, completions,
//! licences and documents. One commit always gives the same content.

mod debian;
mod licences;
mod release;
mod tree;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use self::release::{PROGRAMS, Program, Release};
use crate::progress::step;
use crate::tools::{Failure, cargo, output, target, text};

/// Build an archive and a Debian package of each program, linked statically
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The musl target to build for
    #[arg(
        long,
        value_name = "TARGET",
        default_value = "x86_64-unknown-linux-musl"
    )]
    target: String,
    /// Leave out TLS, so that no C compiler for the target is needed
    #[arg(long)]
    no_tls: bool,
    /// The profile to build with; dev is fast, to try the packaging
    #[arg(long, default_value = "release")]
    profile: String,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    PROGRAMS
        .into_iter()
        .try_for_each(|program| packages(program, arguments))
}

/// Makes the packages of one program.
fn packages(program: Program, arguments: &Arguments) -> Result<(), Failure> {
    let target_name = arguments.target.as_str();
    let architecture = debian::architecture(target_name)?;
    let release = Release::of_workspace(program, target_name)?;
    let features = match program.has_tls {
        true if arguments.no_tls => "export,host,record,top",
        true => "export,host,record,tls,top",
        false => "default",
    };
    build(program, features, arguments)?;
    let profile = match arguments.profile.as_str() {
        "dev" => "debug",
        other => other,
    };
    let target = target()?;
    let built = target.join(target_name).join(profile).join(program.name);
    let dist = target.join("dist");
    fs::create_dir_all(&dist).map_err(text)?;

    let stage = tempfile::tempdir().map_err(text)?;
    let root = stage.path().join("root");
    tree::stage(&root, &built, &release, features)?;
    let archive = archive(&root, &dist, &release)?;
    let package = debian::package(&root, &dist, &release, architecture)?;
    check(program, &package, target_name)?;
    println!("{}\n{}", archive.display(), package.display());
    Ok(())
}

fn build(program: Program, features: &str, arguments: &Arguments) -> Result<(), Failure> {
    let target = arguments.target.as_str();
    let libraries =
        output(Command::new("rustc").args(["--print", "target-libdir", "--target", target]))?;
    if !Path::new(libraries.trim()).exists() {
        return Err(format!(
            "Rust's library for {target} is missing: run `rustup target add {target}`"
        ));
    }
    let profile = arguments.profile.as_str();
    let mut line = vec!["build", "-p", program.name, "--profile", profile];
    line.extend(["--no-default-features", "--features", features]);
    line.extend(["--target", target]);
    // Line tables are three quarters of the program.
    let mut variables = vec![("CARGO_PROFILE_RELEASE_STRIP", "debuginfo")];
    let linker = format!(
        "CARGO_TARGET_{}_LINKER",
        target.replace('-', "_").to_uppercase()
    );
    let needs_c = program.has_tls && !arguments.no_tls;
    if !needs_c && std::env::var_os(&linker).is_none() {
        variables.push((&linker, "rust-lld"));
    }
    cargo(&line, &variables).map_err(|why| match needs_c {
        true => {
            format!("{why}; ring needs a C compiler for {target} (Debian: musl-tools), or --no-tls")
        }
        false => why,
    })
}

/// Packs the tree below `/usr` as an archive that is unpacked anywhere.
fn archive(root: &Path, dist: &Path, release: &Release) -> Result<PathBuf, Failure> {
    let name = format!(
        "{}-{}-{}",
        release.program.name, release.version, release.target
    );
    let path = dist.join(format!("{name}.tar.gz"));
    step(format_args!("archive {name}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.arg("--create").arg("--file").arg(&path);
    tar.args(["--use-compress-program", "gzip -9n", "--sort=name"]);
    tar.args(["--owner=0", "--group=0", "--numeric-owner"]);
    tar.arg(format!("--mtime=@{}", release.time_s));
    tar.arg(format!("--transform=s,^usr,{name},"));
    tar.arg("--directory").arg(root).arg("usr");
    output(&mut tar)?;
    Ok(path)
}

/// Unpacks the Debian package and runs its program, if this machine can.
fn check(program: Program, package: &Path, target: &str) -> Result<(), Failure> {
    step("check of the Debian package");
    let folder = tempfile::tempdir().map_err(text)?;
    output(
        Command::new("dpkg-deb")
            .arg("--extract")
            .arg(package)
            .arg(folder.path()),
    )?;
    if target.starts_with(std::env::consts::ARCH) {
        let program = folder.path().join("usr/bin").join(program.name);
        let version = output(Command::new(program).arg("--version"))?;
        step(format_args!("its program: {}", version.trim_end()));
    }
    Ok(())
}

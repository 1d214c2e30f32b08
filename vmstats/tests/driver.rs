//! `vmstats demo` against a black-box driver and what it recorded of QEMU.
//!
//! The driver and its cases stand beside the repository, or where `QMP_CASES`
//! says; our own cases for it are in `tests/cases/qmp`, with a list of those in
//! which we differ. It wants Python 3, and the guest KVM.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod program;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

fn own_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cases/qmp")
}

/// The folder with the driver, if all that it needs is there.
fn folder() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/qmp");
    let folder = env::var_os("QMP_CASES").map_or_else(beside, PathBuf::from);
    if !folder.join("diff_qmp.py").exists() {
        skip::because(format_args!("no QMP driver in {}", folder.display()));
        return None;
    }
    if !program::kvm_opens() {
        return None;
    }
    let python = Command::new("python3")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    if !python.is_ok_and(|status| status.success()) {
        skip::because("Python 3 is not installed");
        return None;
    }
    Some(folder)
}

/// Runs the driver with the cases of a folder; returns how many answers were
/// QEMU's, and the cases in which they were not.
fn drive(driver: &Path, cases: &Path) -> (usize, Vec<String>) {
    let vmstats = env!("CARGO_BIN_EXE_vmstats");
    let spawn = format!("{vmstats} demo --hold --control --vcpus 2 --name qmpspec --qmp {{sock}}");
    let output = Command::new("python3")
        .arg(driver.join("diff_qmp.py"))
        .args([
            "--parse-desc",
            "any",
            "--extra-norm",
            "statnames",
            "--quiet",
        ])
        .args(["--skip-tags", "qemu,slow,blob", "--cand-spawn", &spawn])
        .arg("--cases")
        .arg(cases.join("cases.json"))
        .arg("--answers")
        .arg(cases.join("reference-7.2.json"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let different = text
        .lines()
        .filter_map(|line| line.strip_prefix("DIFFERENT "));
    let ids = different.filter_map(|line| line.split(' ').next());
    let ids = ids.map(str::to_owned).collect();
    let last = text.lines().next_back().unwrap_or_default();
    let passed = last
        .split_once(" passed, ")
        .map(|(count, _)| count.parse().unwrap());
    println!("{last}");
    (passed.unwrap_or_default(), ids)
}

/// The cases in which we differ on purpose, or the machine does: the first word
/// of each line says which.
fn known() -> Vec<String> {
    let text = fs::read_to_string(own_folder().join("differences.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let ids = lines.filter_map(|line| line.split_whitespace().next());
    ids.map(str::to_owned).collect()
}

#[test]
fn answers_are_qemus_in_the_recorded_cases() {
    let Some(folder) = folder() else { return };
    let (passed, different) = drive(&folder, &folder);
    let known = known();
    let new: Vec<_> = different.iter().filter(|id| !known.contains(id)).collect();
    assert!(new.is_empty(), "{new:?}");
    assert!(passed > 250, "{passed}");
}

#[test]
fn answers_are_qemus_in_our_own_cases() {
    let Some(folder) = folder() else { return };
    let (passed, different) = drive(&folder, &own_folder());
    assert!(different.is_empty(), "{different:?}");
    assert!(passed >= 20, "{passed}");
}

//! The line of a skipped test is shown by a test program without options.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::Command;

#[test]
#[ignore = "run by the test below"]
fn skipped_test() {
    skip::because("no reason");
}

#[test]
fn reason_is_printed_when_the_test_passes() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "skipped_test"])
        .output()
        .unwrap();
    assert!(output.status.success());
    let printed = String::from_utf8(output.stderr).unwrap();
    assert_eq!(printed, "skipped: skipped_test: no reason\n");
}

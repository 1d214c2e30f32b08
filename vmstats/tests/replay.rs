//! Made-up statistics files, served by `vmstats serve --replay`: what a client
//! is told is what QEMU 7.2.22 told of the same files.
//!
//! `tests/cases/replay` has a folder for each set of files, with the requests
//! and QEMU's answers (whose second vCPU is elsewhere in its tree of objects,
//! so there is but one).

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod program;

use std::fs;
use std::path::{Path, PathBuf};

use kvm_stats::{ImageBuilder, ImageStat};
use program::{RawClient, Server};
use serde_json::Value;

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cases/replay")
}

/// A line is a statistic: NAME FLAGS EXPONENT BUCKET-SIZE [VALUE,...].
fn stat(line: &str) -> ImageStat {
    let mut fields = line.split_whitespace();
    let mut field = || fields.next().unwrap_or_else(|| panic!("{line}"));
    let name = field();
    let flags = u32::from_str_radix(field(), 16).unwrap();
    let (exponent, bucket_size) = (field().parse().unwrap(), field().parse().unwrap());
    let values = fields.next().into_iter().flat_map(|list| list.split(','));
    let values: Vec<u64> = values.map(|value| value.parse().unwrap()).collect();
    ImageStat::new(name, flags, exponent, values).bucket_size(bucket_size)
}

fn image(path: &Path, id: &str) -> Vec<u8> {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(stat)
        .fold(ImageBuilder::new(id), ImageBuilder::stat)
        .build()
}

fn serve(case: &Path, folder: &Path) -> (Server, RawClient) {
    for (name, id) in [("vm", "kvm-1"), ("vcpu0", "kvm-1/vcpu-0")] {
        let bytes = image(&case.join(name).with_extension("stats"), id);
        fs::write(folder.join(name).with_extension("bin"), bytes).unwrap();
    }
    let server = Server::start(&["serve", "--replay", folder.to_str().unwrap()]);
    let client = RawClient::connect(&server.socket);
    (server, client)
}

/// Members in any order: QEMU's is that of a hash table.
fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Each statistic on a line of its own, so that a failure shows the one.
fn lines(answer: &Value) -> String {
    serde_json::to_string_pretty(answer)
        .unwrap()
        .replace("\\r\\n", "\\r\\n\n")
}

fn check(case: &str) {
    let case = cases().join(case);
    let folder = tempfile::tempdir().unwrap();
    let (_server, mut client) = serve(&case, folder.path());
    let text = fs::read_to_string(case.join("answers.txt")).unwrap();
    let mut lines_of_text = text.lines().filter(|line| !line.is_empty());
    let mut count = 0;
    while let Some(request) = lines_of_text.next() {
        let expected = lines(&parse(lines_of_text.next().unwrap()));
        let found = lines(&client.ask(request));
        let difference = expected
            .lines()
            .zip(found.lines())
            .find(|(one, other)| one != other);
        assert_eq!(difference, None, "{request}");
        assert_eq!(expected.len(), found.len(), "{request}");
        count += 1;
    }
    assert!(count > 5);
}

#[test]
fn answers_are_qemus_for_every_type_unit_base_exponent_and_size() {
    check("shapes");
}

#[test]
fn statistic_is_left_out_when_its_type_or_unit_is_unknown() {
    check("unknown");
}

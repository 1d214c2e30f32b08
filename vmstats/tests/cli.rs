//! The program, run as a person would.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod program;

use std::io::Write;
use std::os::unix::net::UnixListener;
use std::process::{Command, Output};

use clap::CommandFactory;
use kvm_stats::{ImageBuilder, ImageStat};
use program::{Server, kvm_opens, stderr, stdout};
use serde_json::Value;

fn vmstats(arguments: &[&str]) -> Output {
    program::vmstats(arguments, "")
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A folder with a made-up VM of two vCPUs.
fn recording() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    program::write_recording(folder.path());
    folder
}

#[test]
fn recording_is_served_and_queried() {
    let folder = recording();
    let replay = folder.path().to_str().unwrap();
    let server = Server::start(&["serve", "--replay", replay, "--name", "recorded"]);
    let endpoint = server.socket.as_str();

    let results = json(&vmstats(&[
        "query", endpoint, "--target", "vm", "--format", "json",
    ]));
    let expected = r#"[{"provider": "kvm", "stats": [{"name": "pages", "value": 7}]}]"#;
    assert_eq!(results, serde_json::from_str::<Value>(expected).unwrap());

    let unix = format!("unix:{endpoint}");
    let one = json(&vmstats(&[
        "query",
        &unix,
        "--target",
        "vcpu",
        "--provider",
        "kvm",
        "--names",
        "exits",
        "--vcpu",
        "/machine/unattached/device[1]",
        "--format",
        "json",
    ]));
    assert_eq!(one[0]["stats"][0]["value"], 41);
    assert_eq!(one.as_array().unwrap().len(), 1);

    // Names without a provider are asked of all.
    let names = [
        "query", endpoint, "--target", "vcpu", "--names", "exits", "--format", "json",
    ];
    let both = json(&vmstats(&names));
    assert_eq!(
        (&both[0]["stats"][0]["value"], &both[1]["stats"][0]["value"]),
        (&41.into(), &40.into())
    );

    let table = stdout(&vmstats(&["query", endpoint, "--target", "vcpu"]));
    assert!(!table.contains('\u{1b}'), "colour without a terminal");

    let schemas = json(&vmstats(&["schemas", endpoint, "--format", "json"]));
    assert_eq!(schemas[0]["target"], "vcpu");
    assert_eq!(schemas[0]["stats"][0]["name"], "halt");
    let table = stdout(&vmstats(&["schemas", endpoint, "--provider", "kvm"]));
    assert!(table.contains("log2-histogram"), "{table}");

    let refused = vmstats(&["schemas", endpoint, "--provider", "xyz"]);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(
        stderr(&refused),
        "vmstats: no provider 'xyz' (there is only 'kvm')\n"
    );
    server.interrupt();
}

#[test]
fn monitor_listens_at_every_address_it_is_given() {
    let folder = recording();
    let replay = folder.path().to_str().unwrap();
    let second = folder.path().join("second.sock");
    let listen = format!("unix:{}", second.display());
    let server = Server::start(&["serve", "--replay", replay, "--listen", &listen]);
    for endpoint in [server.socket.as_str(), second.to_str().unwrap()] {
        let asked = vmstats(&["query", endpoint, "--target", "vm", "--format", "json"]);
        assert_eq!(json(&asked).as_array().map(Vec::len), Some(1));
    }
    server.interrupt();
    assert!(!second.exists());
    let refused = vmstats(&["serve", "--replay", replay, "--listen", "tcp:192.0.2.1:0"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("TLS"), "{}", stderr(&refused));
}

#[test]
fn image_is_decoded() {
    let folder = recording();
    let image = folder.path().join("vcpu1.bin");
    let image = image.to_str().unwrap();
    let decoded = json(&vmstats(&[
        "decode",
        image,
        "--target",
        "vcpu",
        "--qom-path",
        "/x",
    ]));
    let expected = r#"{
        "results": [{"provider": "kvm", "qom-path": "/x", "stats": [
            {"name": "halt", "value": [3, 2, 1]}, {"name": "exits", "value": 41}]}],
        "schemas": [{"provider": "kvm", "target": "vcpu", "stats": [
            {"name": "halt", "type": "log2-histogram", "unit": "seconds", "base": 10,
             "exponent": -9},
            {"name": "exits", "type": "cumulative", "exponent": 0}]}]
    }"#;
    assert_eq!(decoded, serde_json::from_str::<Value>(expected).unwrap());

    let damaged = folder.path().join("damaged.bin");
    std::fs::write(&damaged, [0; 10]).unwrap();
    let refused = vmstats(&["decode", damaged.to_str().unwrap(), "--target", "vm"]);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(stderr(&refused).lines().count(), 1);
    assert!(stderr(&refused).contains("header"), "{}", stderr(&refused));
}

#[test]
fn image_is_not_decoded_as_another_object_when_its_id_says_which() {
    let folder = recording();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for (name, target, other) in [("vm.bin", "vm", "vcpu"), ("vcpu0.bin", "vcpu", "vm")] {
        let decoded = json(&vmstats(&["decode", &path(name)]));
        assert_eq!(decoded["schemas"][0]["target"], target);
        let refused = vmstats(&["decode", &path(name), "--target", other]);
        assert_eq!(refused.status.code(), Some(1));
        for part in ["id 'kvm-1", &format!("--target {target}")] {
            assert!(stderr(&refused).contains(part), "{}", stderr(&refused));
        }
    }
    let refused = vmstats(&["decode", &path("vm.bin"), "--qom-path", "/x"]);
    assert_eq!(refused.status.code(), Some(1), "{}", stderr(&refused));

    // An id of no known form leaves the choice to the caller.
    let image = ImageBuilder::new("other").stat(ImageStat::new("exits", 0, 0, [1]));
    std::fs::write(folder.path().join("other.bin"), image.build()).unwrap();
    let refused = vmstats(&["decode", &path("other.bin")]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("--target vm"));
    json(&vmstats(&[
        "decode",
        &path("other.bin"),
        "--target",
        "vcpu",
    ]));

    std::fs::copy(path("vm.bin"), path("vcpu1.bin")).unwrap();
    let refused = vmstats(&["serve", "--replay", folder.path().to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        stderr(&refused).contains("vcpu1.bin: the statistics of a vm"),
        "{}",
        stderr(&refused)
    );
}

#[test]
fn image_is_decoded_from_a_pipe_within_the_limit() {
    let folder = recording();
    let image = folder.path().join("vcpu1.bin");
    let from = |command: &str| {
        let program = env!("CARGO_BIN_EXE_vmstats");
        let line = format!("{command} | '{program}' decode -");
        Command::new("sh").args(["-c", &line]).output().unwrap()
    };
    let expected = vmstats(&["decode", image.to_str().unwrap()]);
    let decoded = from(&format!("cat '{}'", image.display()));
    assert_eq!(json(&decoded), json(&expected));
    let refused = from("head -c 16m /dev/zero");
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(
        stderr(&refused),
        "vmstats: standard input: longer than 8388608 bytes\n"
    );
}

/// The bytes of a vCPU's file with one counter `exits`, which is 258, in one byte
/// order.
fn file_with_exits(u16_bytes: fn(u16) -> [u8; 2], u32_bytes: fn(u32) -> [u8; 4]) -> Vec<u8> {
    let mut bytes = Vec::new();
    // The fields of the header, with names of 16 bytes: after the header come the
    // id, one descriptor and the data.
    for field in [0, 16, 1, 24, 40, 72] {
        bytes.extend(u32_bytes(field));
    }
    bytes.extend(b"kvm-1/vcpu-0\0\0\0\0");
    bytes.extend(u32_bytes(0));
    bytes.extend(u16_bytes(0));
    bytes.extend(u16_bytes(1));
    bytes.extend(u32_bytes(0));
    bytes.extend(u32_bytes(0));
    bytes.extend(b"exits\0\0\0\0\0\0\0\0\0\0\0");
    let halves = [u32_bytes(0), u32_bytes(258)];
    let is_big = u32_bytes(1)[3] == 1;
    bytes.extend(
        if is_big {
            halves
        } else {
            [halves[1], halves[0]]
        }
        .concat(),
    );
    bytes
}

#[test]
fn image_of_either_byte_order_is_decoded() {
    let big = file_with_exits(u16::to_be_bytes, u32::to_be_bytes);
    let little = file_with_exits(u16::to_le_bytes, u32::to_le_bytes);
    assert_ne!(big, little);
    let folder = recording();
    let copy = folder.path().join("vcpu1.bin");
    for bytes in [big, little] {
        std::fs::write(&copy, bytes).unwrap();
        let decoded = json(&vmstats(&["decode", copy.to_str().unwrap()]));
        assert_eq!(decoded["results"][0]["stats"][0]["value"], 258);
    }
    let foreign = if cfg!(target_endian = "little") {
        file_with_exits(u16::to_be_bytes, u32::to_be_bytes)
    } else {
        file_with_exits(u16::to_le_bytes, u32::to_le_bytes)
    };
    std::fs::write(&copy, foreign).unwrap();
    let refused = vmstats(&["serve", "--replay", folder.path().to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        stderr(&refused).contains("-endian copy, which only `vmstats decode` reads"),
        "{}",
        stderr(&refused)
    );
}

#[test]
fn text_of_a_file_is_escaped_when_it_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image.bin");
    let name = "a\nb\u{1b}[31m";
    let mut bytes = ImageBuilder::new("kvm-1")
        .stat(ImageStat::new(name, 0, 0, [1]))
        .build();
    // The field `offset` stands 8 bytes before the name (linux/kvm.h).
    let at = bytes
        .windows(name.len())
        .position(|part| part == name.as_bytes())
        .unwrap();
    bytes[at - 8..at - 4].copy_from_slice(&(u32::MAX - 7).to_ne_bytes());
    std::fs::write(&image, bytes).unwrap();
    let refused = vmstats(&["decode", image.to_str().unwrap(), "--target", "vm"]);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(stderr(&refused).lines().count(), 1, "{}", stderr(&refused));
    assert!(!stderr(&refused).contains('\u{1b}'));
}

#[test]
fn recording_is_refused_when_a_file_is_missing_or_a_pipe() {
    let folder = recording();
    let gap = folder.path().join("vcpu0.bin");
    std::fs::remove_file(&gap).unwrap();
    let refused = vmstats(&["serve", "--replay", folder.path().to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        stderr(&refused).contains("vcpu0.bin"),
        "{}",
        stderr(&refused)
    );

    // A pipe would wait for its other end.
    assert!(Command::new("mkfifo").arg(&gap).status().unwrap().success());
    let refused = vmstats(&["decode", gap.to_str().unwrap(), "--target", "vcpu"]);
    assert!(
        stderr(&refused).contains("not a regular file"),
        "{}",
        stderr(&refused)
    );
}

/// Neither a server that accepts nobody nor one that says everything but the
/// answer keeps a client longer than it wants to wait.
#[test]
fn query_ends_when_the_timeout_passes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("busy.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let chatter = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // It ends when the client is gone.
        while stream.write_all(b" ").is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    });
    let query = [
        "query",
        path.to_str().unwrap(),
        "--target",
        "vm",
        "--timeout",
        "0.5",
    ];
    let begin = std::time::Instant::now();
    let output = vmstats(&query);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("no answer in time"),
        "{}",
        stderr(&output)
    );
    assert!(begin.elapsed() < std::time::Duration::from_secs(5));
    chatter.join().unwrap();
}

#[test]
fn failure_has_its_exit_status_when_nobody_reads_the_error() {
    let folder = recording();
    let odd = ImageBuilder::new("kvm-1").stat(ImageStat::new("none", 0, 0, []));
    let odd = odd.stat(ImageStat::new("pages", 1, 0, [7])).build();
    let copy = folder.path().join("odd.bin");
    std::fs::write(&copy, odd).unwrap();
    for (arguments, expected) in [
        (["decode", "/nosuch/image"], 1),
        (["decode", copy.to_str().unwrap()], 0),
    ] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_vmstats"))
            .args(arguments)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stderr.take());
        assert_eq!(
            child.wait().unwrap().code(),
            Some(expected),
            "{arguments:?}"
        );
    }
}

#[test]
fn exit_status_is_2_when_the_arguments_are_wrong() {
    let rows: &[&[&str]] = &[
        &[],
        &["nosuch"],
        &["query", "x", "--target", "nosuch"],
        &["query", "tcp:nowhere", "--target", "vm"],
        &["query", "x", "--target", "vm", "--vcpu", "/a"],
        &["query", "x", "--vcpu", "first"],
        &["query", "x", "--names", ""],
        &["query", "x", "--names", "a,", "b"],
        &["query", "x", "--names", "/(/"],
        &["query", "x", "--target", "vm", "--timeout", "0"],
        &["query", "x", "--target", "vm", "--timeout", "-1"],
        &["query", "x", "--target", "vm", "--timeout", "NaN"],
        &["query", "x", "--target", "vm", "--timeout", "1e19"],
        &["shell", "x", "--timeout", "1e19"],
        &["demo", "--connections-max", "0"],
        &["demo", "--threads", "1"],
        &["demo", "--held-bytes-max", "1K"],
        &["serve", "--replay", "x", "--message-bytes-max", "1G"],
        &["decode", "x", "--target", "vm", "--qom-path", "/x"],
        &["demo", "--vcpus", "0"],
        &["demo", "--vcpus", "1", "--running", "2"],
    ];
    for arguments in rows {
        let output = vmstats(arguments);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments:?}: {}",
            stderr(&output)
        );
        assert!(!stderr(&output).is_empty());
    }
    let help = vmstats(&["--help"]);
    assert!(help.status.success() && stdout(&help).contains("demo"));
}

#[test]
fn message_names_what_cannot_be_reached() {
    let rows: &[(&[&str], &str)] = &[
        (
            &["query", "/nosuch/socket", "--target", "vm"],
            "cannot connect to /nosuch/socket: ",
        ),
        (
            &["decode", "/nosuch/image", "--target", "vm"],
            "/nosuch/image: ",
        ),
        (
            &["serve", "--replay", "/nosuch/folder"],
            "/nosuch/folder/vm.bin: ",
        ),
    ];
    for (arguments, expected) in rows {
        let output = vmstats(arguments);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
        assert_eq!(stderr(&output).lines().count(), 1);
    }
}

#[test]
fn demo_shows_statistics_that_change() {
    if !kvm_opens() {
        return;
    }
    let output = vmstats(&["demo", "--seconds", "2", "--vcpus", "2"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    for expected in [
        "2 vCPU(s), 2 running, on KVM",
        "Monitor version",
        "after 2 s",
        "halt_exits",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn held_demo_answers_with_the_kernels_statistics() {
    if !kvm_opens() {
        return;
    }
    let server = Server::start(&["demo", "--hold", "--vcpus", "3", "--running", "1"]);
    let query = |target: &str| {
        json(&vmstats(&[
            "query",
            &server.socket,
            "--target",
            target,
            "--format",
            "json",
        ]))
    };
    assert_eq!(query("vm").as_array().unwrap().len(), 1);
    let number = |vcpu: &Value, name: &str| {
        let stats = vcpu["stats"].as_array().unwrap();
        let stat = stats.iter().find(|stat| stat["name"] == name);
        let value = &stat.unwrap_or_else(|| panic!("{name}"))["value"];
        match value.as_array() {
            Some(buckets) => buckets.iter().map(|bucket| bucket.as_u64().unwrap()).sum(),
            None => value.as_u64().unwrap(),
        }
    };
    let before = query("vcpu");
    std::thread::sleep(std::time::Duration::from_millis(500));
    let after = query("vcpu");
    // The vCPU added last comes first; the first one is the one that runs.
    assert_eq!(after[0]["qom-path"], "/machine/unattached/device[2]");
    assert!(number(&after[2], "exits") > number(&before[2], "exits"));
    let waits = [
        "halt_wait_hist",
        "halt_poll_success_hist",
        "halt_poll_fail_hist",
    ];
    let filled = |vcpu: &Value| waits.map(|name| number(vcpu, name)).iter().sum::<u64>();
    assert!(filled(&after[2]) > filled(&before[2]));
    assert_eq!(number(&after[0], "exits"), 0);
    server.interrupt();
}

#[test]
fn help_of_every_command_says_more_at_length() {
    let cli = vmstats::cli::Cli::command();
    let mut count = 0;
    for command in cli.get_subcommands() {
        let name = command.get_name();
        let text = |about: Option<&clap::builder::StyledStr>| about.unwrap().to_string();
        let short = text(command.get_about());
        let long = text(command.get_long_about());
        assert!(
            long.starts_with(short.trim_end_matches('.')),
            "{name}: {long}"
        );
        assert!(long.len() > short.len() + 40, "{name}: {long}");
        count += 1;
    }
    assert!(count >= 9, "{count}");
}

#[test]
fn version_names_the_commit_when_git_knows_the_sources() {
    let git = |arguments: &[&str]| {
        let folder = env!("CARGO_MANIFEST_DIR");
        let output = Command::new("git")
            .args(arguments)
            .current_dir(folder)
            .output();
        output.ok().filter(|output| output.status.success())
    };
    // The sources can lie untracked in the checkout of another project.
    let commit = git(&["ls-files", "--error-unmatch", "build.rs"])
        .and_then(|_| git(&["rev-parse", "--short=12", "HEAD"]));
    let version = env!("CARGO_PKG_VERSION");
    let expected = match commit {
        Some(commit) => format!("vmstats {version} ({})", stdout(&commit).trim_end()),
        None => format!("vmstats {version}"),
    };
    assert_eq!(stdout(&vmstats(&["--version"])).trim_end(), expected);
}

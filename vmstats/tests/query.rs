//! `vmstats query` and `vmstats schemas` on made-up monitors and on a real QEMU.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod program;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Output;
use std::thread;

use kvm_stats::{ImageBuilder, ImageStat};
use program::{Qemu, Server, stderr, stdout};
use serde_json::{Value, json};

fn vmstats(arguments: &[&str]) -> Output {
    program::vmstats(arguments, "")
}

/// Runs a query that has to succeed, and returns its output.
fn query(arguments: &[&str]) -> String {
    let output = vmstats(&[&["query"], arguments].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

/// Runs a query that has to fail, and returns its output and its error.
fn failing_query(arguments: &[&str]) -> (String, String) {
    let output = vmstats(&[&["query"], arguments].concat());
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    (stdout(&output), stderr(&output))
}

/// Serves a monitor that answers each command with a fixed value, and any other
/// command with CommandNotFound.
fn monitor(folder: &Path, name: &str, replies: &[(&str, Value)]) -> String {
    let path = folder.join(name);
    let listener = UnixListener::bind(&path).unwrap();
    let replies: HashMap<String, Value> = replies
        .iter()
        .map(|(command, reply)| ((*command).to_owned(), reply.clone()))
        .collect();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let greeting = json!({"QMP": {"version": {
                "qemu": {"major": 9, "minor": 0, "micro": 0}, "package": ""},
                "capabilities": []}});
            let _ = writeln!(stream.get_mut(), "{greeting}");
            let mut line = String::new();
            while stream.read_line(&mut line).is_ok_and(|len| len > 0) {
                let request: Value = serde_json::from_str(&line).unwrap();
                line.clear();
                let command = request["execute"].as_str().unwrap();
                let mut reply = match replies.get(command) {
                    Some(reply) => json!({"return": reply}),
                    None if command == "qmp_capabilities" => json!({"return": {}}),
                    None => json!({"error": {"class": "CommandNotFound", "desc": "?"}}),
                };
                if let Some(id) = request.get("id") {
                    reply["id"] = id.clone();
                }
                let _ = writeln!(stream.get_mut(), "{reply}");
            }
        }
    });
    path.to_str().unwrap().to_owned()
}

/// Writes the files of a VM with `vcpus` vCPUs. The numbers grow with the number
/// of the vCPU.
fn write_vm(folder: &Path, vcpus: u64) {
    let write = |name: &str, image: ImageBuilder| {
        std::fs::write(folder.join(name), image.build()).unwrap();
    };
    let vm = ImageBuilder::new("kvm-1")
        .stat(ImageStat::new("pages_4k", 1, 0, [1_234_567]))
        .stat(ImageStat::new("largest", 2, 0, [7]));
    write("vm.bin", vm);
    // Flags of linux/kvm.h: a log2 histogram in seconds, seconds, a boolean, and a
    // linear histogram in bytes.
    let (log2, seconds, boolean, linear) = (4 | 2 << 4, 2 << 4, 1 | 4 << 4, 3 | 1 << 4);
    for index in 0..vcpus {
        let mut waits = [0; 32];
        waits[17] = 90 + index;
        waits[30] = 9;
        waits[31] = 1;
        let image = ImageBuilder::new(format!("kvm-1/vcpu-{index}"))
            .stat(ImageStat::new("exits", 0, 0, [1_000_000 * (index + 1)]))
            .stat(ImageStat::new("never", 0, 0, [0]))
            .stat(ImageStat::new("wait_ns", seconds, -9, [912_186_443]))
            .stat(ImageStat::new("blocking", boolean, 0, [index % 2]))
            .stat(ImageStat::new("wait_hist", log2, -9, waits))
            .stat(ImageStat::new("sizes", linear, 0, [5, 0, 6]).bucket_size(512));
        write(&format!("vcpu{index}.bin"), image);
    }
}

/// Serves a VM of `vcpus` vCPUs.
fn vm(folder: &Path, vcpus: u64) -> Server {
    write_vm(folder, vcpus);
    Server::start(&["serve", "--replay", folder.to_str().unwrap()])
}

#[test]
fn table_has_a_column_for_each_vcpu_when_they_fit() {
    let folder = tempfile::tempdir().unwrap();
    let server = vm(folder.path(), 2);
    let expected = "\
kvm vm        VALUE
largest           7
pages_4k  1,234,567

kvm vcpu             vCPU 0        vCPU 1           SUM
blocking                 no           yes         1 yes
exits             1,000,000     2,000,000     3,000,000
";
    let text = query(&[&server.socket]);
    let lines: Vec<&str> = text.lines().collect();
    assert!(text.starts_with(expected), "{text}");
    for (name, value) in [
        ("wait_hist p50", "65.5–131 µs"),
        ("wait_hist p99", "0.537–1.07 s"),
        ("wait_ns", "912.2 ms"),
        ("sizes p50", "≥ 1 KiB"),
    ] {
        let line = lines.iter().find(|line| line.starts_with(name));
        assert!(line.is_some_and(|line| line.contains(value)), "{text}");
    }
    assert!(!text.contains("never"), "{text}");
    assert!(text.ends_with("1 statistic that is 0 is left out; --zeros shows it\n"));

    assert!(query(&[&server.socket, "--zeros"]).contains("never"));
    // A name without wildcards asks for its value, whatever the value is.
    assert!(query(&[&server.socket, "--names", "never"]).contains("never"));
    server.interrupt();
}

#[test]
fn table_lists_buckets_lowest_first_when_a_histogram_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let server = vm(folder.path(), 1);
    let text = query(&[&server.socket, "--names", "*hist, sizes", "--vcpu", "0"]);
    let expected = "\
kvm vcpu                      vCPU 0
sizes samples                     11
sizes p50                    ≥ 1 KiB
sizes p99                    ≥ 1 KiB
sizes 0–512 B                      5
sizes ≥ 1 KiB                      6
wait_hist samples                100
wait_hist p50            65.5–131 µs
wait_hist p99           0.537–1.07 s
wait_hist 65.5–131 µs             90
wait_hist 0.537–1.07 s             9
wait_hist ≥ 1.07 s                 1
";
    assert_eq!(text, expected);
    server.interrupt();
}

#[test]
fn table_of_16_vcpus_fits_two_screens_and_sums() {
    let folder = tempfile::tempdir().unwrap();
    let server = vm(folder.path(), 16);
    let text = query(&[&server.socket]);
    assert!(text.lines().count() <= 48, "{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let line = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("kvm vcpu"), "kvm vcpu (16) SUM MIN OF MAX OF");
    assert_eq!(
        line("exits"),
        "exits 136,000,000 1,000,000 #0 16,000,000 #15"
    );
    assert_eq!(line("blocking"), "blocking 8 yes no #0 yes #1");
    server.interrupt();
}

#[test]
fn lines_for_programs_have_units_and_the_lowest_bucket_first() {
    let folder = tempfile::tempdir().unwrap();
    let server = vm(folder.path(), 2);
    let endpoint = server.socket.as_str();
    let text = query(&[endpoint, "--format", "jsonl"]);
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    // Two of the VM, six of each vCPU.
    assert_eq!(lines.len(), 14);
    let of = |vcpu: Value, name: &str| {
        let is = |line: &&Value| line["vcpu"] == vcpu && line["name"] == name;
        lines.iter().find(is).unwrap_or_else(|| panic!("{text}"))
    };
    assert_eq!(
        *of(1.into(), "wait_ns"),
        json!({"endpoint": endpoint, "provider": "kvm", "target": "vcpu", "vcpu": 1,
            "qom-path": "/machine/unattached/device[1]", "name": "wait_ns",
            "type": "cumulative", "unit": "ns", "value": 912_186_443})
    );
    assert_eq!(of(Value::Null, "pages_4k")["value"], 1_234_567);
    assert_eq!(of(0.into(), "blocking")["value"], false);
    let sizes = of(0.into(), "sizes");
    assert_eq!(sizes["unit"], "B");
    assert_eq!(
        sizes["buckets"],
        json!([{"lower": 0, "upper": 512, "count": 5},
            {"lower": 512, "upper": 1024, "count": 0}, {"lower": 1024, "count": 6}])
    );

    let text = query(&[endpoint, "--format", "csv", "--names", "exits,sizes"]);
    let rows: Vec<&str> = text.lines().collect();
    assert_eq!(
        rows[0],
        "endpoint,provider,target,qom-path,vcpu,name,type,unit,value,buckets"
    );
    let path = "/machine/unattached/device[0]";
    assert_eq!(
        rows[1],
        format!("{endpoint},kvm,vcpu,{path},0,exits,cumulative,,1000000,")
    );
    assert!(
        rows[2].ends_with(
            r#",0,sizes,linear-histogram,B,,"[{""lower"": 0, ""upper"": 512, ""count"": 5}, {""lower"": 512, ""upper"": 1024, ""count"": 0}, {""lower"": 1024, ""count"": 6}]""#
        ),
        "{}",
        rows[2]
    );
    server.interrupt();
}

#[test]
fn selection_by_pattern_and_number_selects_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let server = vm(folder.path(), 4);
    let names = |arguments: &[&str]| -> Vec<String> {
        let text = query(&[&[server.socket.as_str(), "--format", "jsonl"], arguments].concat());
        let names = text.lines().map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            let vcpu = line["vcpu"].as_i64();
            let vcpu = vcpu.map(|number| format!("{number}:")).unwrap_or_default();
            format!("{vcpu}{}", line["name"].as_str().unwrap())
        });
        names.collect()
    };
    assert_eq!(names(&["--names", "/x/, e*", "--vcpu", "2"]), ["2:exits"]);
    assert_eq!(
        names(&["--names", " pages_4k ,largest"]),
        ["largest", "pages_4k"]
    );
    assert_eq!(
        names(&["--names", "wait_*", "--vcpu", "1"]),
        ["1:wait_hist", "1:wait_ns"]
    );
    assert_eq!(
        names(&["--names", "/^(exits|never)$/", "--vcpu", "0,2-3"]),
        [
            "0:exits", "0:never", "2:exits", "2:never", "3:exits", "3:never"
        ]
    );
    assert_eq!(
        names(&[
            "--names",
            "exits",
            "--vcpu",
            "/machine/unattached/device[3]"
        ]),
        ["3:exits"]
    );
    assert_eq!(names(&["--target", "vm"]), ["largest", "pages_4k"]);
    server.interrupt();
}

#[test]
fn selection_is_an_error_when_a_part_of_it_selects_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = vm(folder.path(), 2);
    let endpoint = server.socket.as_str();
    let rows: &[(&[&str], &str)] = &[
        (
            &["--names", "exit"],
            "no statistic 'exit' (did you mean 'exits'?)",
        ),
        (
            &["--names", "x*y"],
            "no statistic matches 'x*y' (`vmstats schemas` lists the 8 that there are)",
        ),
        (
            &["--names", "pages_4k", "--target", "vcpu"],
            "'pages_4k' is a statistic of provider 'kvm' and target 'vm'",
        ),
        (
            &["--provider", "kvn"],
            "no provider 'kvn' (did you mean 'kvm'?)",
        ),
        (
            &["--target", "cryptodev"],
            "no statistics of target 'cryptodev' (there are those of 'vm' and 'vcpu')",
        ),
        (&["--vcpu", "7"], "no vCPU 7 (there are 0 to 1)"),
        (
            &["--vcpu", "/machine/unattached/device[9]"],
            "no vCPU '/machine/unattached/device[9]' (did you mean \
             '/machine/unattached/device[0]' or '/machine/unattached/device[1]'?)",
        ),
    ];
    for (arguments, expected) in rows {
        for format in ["table", "json", "jsonl", "csv"] {
            let all = [&[endpoint, "--format", format], *arguments].concat();
            let (out, error) = failing_query(&all);
            assert_eq!(out, "", "{arguments:?}");
            assert_eq!(error, format!("vmstats: {expected}\n"));
        }
    }
    // The part that selects something is printed.
    let arguments = [endpoint, "--names", "exits,nosuch", "--vcpu", "0,5"];
    let (out, error) = failing_query(&arguments);
    assert!(out.contains("exits"), "{out}");
    assert!(
        error.contains("no statistic 'nosuch'") && error.contains("no vCPU 5"),
        "{error}"
    );
    server.interrupt();
}

#[test]
fn several_monitors_answer_under_their_names_when_one_fails() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let servers = folders.each_ref().map(|folder| vm(folder.path(), 1));
    let [first, second] = servers.each_ref().map(|server| server.socket.as_str());
    let all = [first, "/nosuch/socket", second, "--timeout", "0.3"];

    let (out, error) = failing_query(&[&all[..], &["--target", "vm"]].concat());
    let heads: Vec<&str> = out.lines().filter(|line| line.starts_with("==")).collect();
    assert_eq!(heads, [format!("== {first}"), format!("== {second}")]);
    assert_eq!(out.matches("pages_4k").count(), 2);
    assert!(error.starts_with("vmstats: /nosuch/socket: "), "{error}");
    assert!(
        error.ends_with("vmstats: 1 of 3 monitors failed\n"),
        "{error}"
    );

    for format in ["jsonl", "csv", "json"] {
        let (out, _) = failing_query(&[&all[..], &["--format", format]].concat());
        assert!(out.contains(first) && out.contains(second), "{out}");
        assert_eq!(
            out.matches("qom-path,vcpu").count(),
            usize::from(format == "csv")
        );
    }
    let (out, _) = failing_query(&[&all[..], &["--format", "json", "--target", "vm"]].concat());
    let line: Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    assert_eq!(line["endpoint"], first);
    assert_eq!(
        (&line["target"], &line["return"][0]["provider"]),
        (&"vm".into(), &"kvm".into())
    );

    let schemas = vmstats(&["schemas", first, second]);
    assert!(schemas.status.success(), "{}", stderr(&schemas));
    let text = stdout(&schemas);
    assert!(text.contains(&format!("== {second}\n")), "{text}");
    for server in servers {
        server.interrupt();
    }
}

/// The schemas and the results of a monitor with values of kinds that
/// `query-stats` does not have.
fn strange_replies() -> [(&'static str, Value); 2] {
    let stats: Vec<Value> = ["exits", "newer", "older"]
        .iter()
        .map(|name| json!({"name": name, "type": "instant", "exponent": 0}))
        .collect();
    let schemas = json!([{"provider": "kvm", "target": "vm", "stats": stats}]);
    let results = json!([{"provider": "kvm", "stats": [
        {"name": "exits", "value": 5},
        {"name": "newer", "value": {"text": "\u{1b}[31m"}},
        {"name": "older", "value": null}]}]);
    [("query-stats-schemas", schemas), ("query-stats", results)]
}

#[test]
fn value_of_an_unknown_kind_leaves_the_others_readable() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = monitor(folder.path(), "strange.sock", &strange_replies());
    let text = query(&[&endpoint]);
    for line in ["exits  5", "older  null"] {
        let found = text
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join("  "));
        assert!(
            found.collect::<Vec<_>>().contains(&line.to_owned()),
            "{text}"
        );
    }
    assert!(text.contains("newer") && !text.contains('\u{1b}'), "{text}");
    let lines = query(&[&endpoint, "--format", "jsonl"]);
    assert!(
        lines.contains(r#""value": {"text": "\u001B[31m"}"#),
        "{lines}"
    );
}

#[test]
fn vcpus_are_numbered_in_the_order_of_creation_when_the_monitor_lists_none() {
    let folder = tempfile::tempdir().unwrap();
    let schemas = json!([{"provider": "kvm", "target": "vcpu",
        "stats": [{"name": "exits", "type": "cumulative", "exponent": 0}]}]);
    let of = |path: &str, value: u64| {
        json!({"provider": "kvm", "qom-path": path,
            "stats": [{"name": "exits", "value": value}]})
    };
    let results = json!([of("/b", 2), of("/a", 1)]);
    let replies = [("query-stats-schemas", schemas), ("query-stats", results)];
    let endpoint = monitor(folder.path(), "bare.sock", &replies);
    let text = query(&[&endpoint]);
    assert!(text.contains("vCPU 0  vCPU 1  SUM"), "{text}");
    assert!(text.contains("exits          1       2    3"), "{text}");
}

#[test]
fn guest_without_kvm_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let kvm = |enabled: bool| json!({"enabled": enabled, "present": true});
    for (name, enabled, expected) in [
        ("tcg.sock", false, "the guest runs without KVM"),
        ("old.sock", true, "the host's kernel has no statistics"),
    ] {
        let replies = [
            ("query-stats-schemas", json!([])),
            ("query-stats", json!([])),
            ("query-kvm", kvm(enabled)),
        ];
        let endpoint = monitor(folder.path(), name, &replies);
        for command in ["query", "schemas"] {
            let output = vmstats(&[command, &endpoint]);
            assert!(output.status.success(), "{}", stderr(&output));
            let text = stdout(&output);
            let is_told = text.starts_with("nothing: ") && text.contains(expected);
            assert!(is_told, "{text}");
            let output = vmstats(&[command, &endpoint, "--format", "jsonl"]);
            assert_eq!(stdout(&output), "");
            assert!(stderr(&output).contains(expected), "{}", stderr(&output));
        }
    }
}

/// Returns the number of statistics of a monitor, and the names of those that this build
/// does not explain.
fn unexplained(endpoint: &str) -> (usize, Vec<String>) {
    let output = vmstats(&["schemas", endpoint, "--format", "jsonl"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<Value> = lines.collect();
    assert!(!lines.is_empty());
    let unknown = lines.iter().filter(|line| line["meaning"].is_null());
    let unknown = unknown.map(|line| line["name"].to_string());
    (lines.len(), unknown.collect())
}

#[test]
fn statistics_of_linux_are_explained_when_a_kernel_has_more() {
    let recorded = concat!(env!("CARGO_MANIFEST_DIR"), "/recorded");
    let server = Server::start(&["serve", "--replay", recorded]);
    assert_eq!(unexplained(&server.socket).1, Vec::<String>::new());
    server.interrupt();
    if let Some(server) = Server::demo(&[]) {
        // A kernel may be newer than this build, or have statistics of its distributor.
        let (all, unknown) = unexplained(&server.socket);
        println!("not explained, of {all}: {unknown:?}");
        assert!(unknown.len() * 10 < all, "{unknown:?} of {all}");
        server.interrupt();
    }
}

#[test]
fn schemas_tell_meanings_and_what_is_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let server = vm(folder.path(), 1);
    let output = vmstats(&["schemas", &server.socket]);
    let text = stdout(&output);
    let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap();
    assert!(line("exits ").contains("Exits from the guest"), "{text}");
    assert!(line("never ").ends_with("unknown to this build"), "{text}");
    assert!(
        line("sizes ").contains("linear-histogram of 512  B"),
        "{text}"
    );
    server.interrupt();
}

#[test]
fn explain_needs_no_monitor_and_names_the_nearest() {
    let output = vmstats(&["explain", "halt_wait_*", "pages_4k"]);
    let text = stdout(&output);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(
        text.contains("halt_wait_ns (vcpu): Time during") && text.contains("[Linux: virt/kvm/"),
        "{text}"
    );
    let output = vmstats(&["explain", "halt_waits_ns"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("(did you mean 'halt_wait_ns'"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn real_qemu_without_kvm_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let Some(qemu) = Qemu::on("tcg", folder.path(), &[]) else {
        return;
    };
    let socket = qemu.socket.as_str();
    let (out, error) = failing_query(&[socket, "--provider", "kvm"]);
    assert_eq!(out, "");
    assert!(error.contains("the guest runs without KVM"), "{error}");
    let text = query(&[socket]);
    assert!(text.contains("the guest runs without KVM"), "{text}");
    let reply = query(&[socket, "--target", "vm", "--format", "json"]);
    assert_eq!(reply, "[]\n");
}

#[test]
fn real_qemu_is_queried_by_number_and_pattern() {
    let folder = tempfile::tempdir().unwrap();
    let Some(qemu) = Qemu::start(folder.path(), &["-smp", "4"]) else {
        return;
    };
    let text = query(&[&qemu.socket]);
    for part in ["kvm vm", "kvm vcpu", "exits"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    let text = query(&[&qemu.socket, "--vcpu", "3", "--names", "exit*", "--zeros"]);
    assert!(text.starts_with("kvm vcpu  vCPU 3\nexits "), "{text}");
    let (_, error) = failing_query(&[&qemu.socket, "--names", "halt_exit"]);
    assert!(error.contains("did you mean 'halt_exits'"), "{error}");
}

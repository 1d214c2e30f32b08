//! What `qapi-gen rust` leaves in its output folder when it is killed, when the
//! disk is full, when others write there too, and when others' files are there.

#![cfg(all(feature = "cli", unix))]
#![expect(clippy::unwrap_used, reason = "tests may stop at the first surprise")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How many modules the schema has: enough that writing them takes a good part
/// of a run.
const MODULES: usize = 60;

/// A folder with a schema, and its output folder.
struct Bench {
    folder: PathBuf,
}

type Files = BTreeMap<String, Vec<u8>>;

impl Bench {
    fn new(test: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("output-dir")
            .join(test);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let mut main = String::new();
        for module in 0..MODULES {
            writeln!(main, "{{ 'include': 'm{module}.json' }}").unwrap();
            let mut text = String::new();
            for ty in 0..10 {
                writeln!(
                    text,
                    "##\n# @T{module}x{ty}:\n#\n# A type.\n#\n# @a: A member.\n##\n\
                     {{ 'struct': 'T{module}x{ty}', 'data': {{ 'a': 'int' }} }}"
                )
                .unwrap();
            }
            fs::write(folder.join(format!("m{module}.json")), text).unwrap();
        }
        fs::write(folder.join("main.json"), main).unwrap();
        Self { folder }
    }

    fn out(&self) -> PathBuf {
        self.folder.join("out")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_qapi-gen"));
        command
            .current_dir(&self.folder)
            .args(["rust", "main.json", "-o", "out"])
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        finish(self.command(arguments).spawn().unwrap())
    }

    /// Runs the program with files limited to `blocks` of 512 bytes, as a disk
    /// without room would limit them. The shell decides whether the signal that
    /// comes with it kills the program.
    fn run_limited(&self, blocks: usize, is_killed: bool) -> Output {
        let trap = if is_killed { "" } else { "trap '' XFSZ; " };
        let script = format!("{trap}ulimit -f {blocks}; exec \"$0\" rust main.json -o out");
        let mut command = Command::new("sh");
        command
            .current_dir(&self.folder)
            .args(["-c", &script, env!("CARGO_BIN_EXE_qapi-gen")])
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        finish(command.spawn().unwrap())
    }

    /// Everything that is in the output folder.
    fn files(&self) -> Files {
        let entries = fs::read_dir(self.out()).into_iter().flatten();
        entries
            .map(|entry| {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                (name, fs::read(path).unwrap())
            })
            .collect()
    }

    /// The files that a run into an empty folder writes.
    fn expected(&self, arguments: &[&str]) -> Files {
        let _ = fs::remove_dir_all(self.out());
        assert_success(&self.run(arguments));
        self.files()
    }

    fn write(&self, name: &str, text: &[u8]) {
        fs::create_dir_all(self.out()).unwrap();
        fs::write(self.out().join(name), text).unwrap();
    }
}

/// Waits for a program, but not for ever.
fn finish(mut child: Child) -> Output {
    let deadline = Instant::now() + Duration::from_secs(60);
    while child.try_wait().unwrap().is_none() {
        let is_late = Instant::now() > deadline;
        if is_late {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert!(!is_late, "qapi-gen does not end");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.wait_with_output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn assert_success(output: &Output) {
    assert!(output.status.success(), "{}", stderr(output));
}

#[track_caller]
fn assert_failure(output: &Output, message: &str) {
    assert_eq!(output.status.code(), Some(1), "{}", stderr(output));
    assert!(stderr(output).contains(message), "{}", stderr(output));
}

/// Asserts that each file has the content of one of two generations, whole.
fn assert_whole(files: &Files, generations: [&Files; 2]) {
    let generated = files.iter().filter(|(name, _)| name.ends_with(".rs"));
    for (name, content) in generated {
        let is_whole = generations
            .iter()
            .any(|generation| generation.get(name) == Some(content));
        assert!(is_whole, "{name} is half written");
    }
}

/// A sequence of numbers that look random.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[test]
fn later_run_succeeds_when_runs_were_killed_at_random_moments() {
    let bench = Bench::new("killed");
    // Each run has every file to write, because the options alternate.
    let choices: [&[&str]; 2] = [&["--no-format"], &["--no-format", "--no-docs"]];
    let generations = choices.map(|choice| bench.expected(choice));
    let mut random = Random(18);
    let mut duration = 1_000_000;
    let mut killed = 0;
    for round in 0..1000 {
        let mut child = bench.command(choices[round % 2]).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(random.below(duration)));
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        match output.status.success() {
            // The machine is faster than was thought: kill sooner.
            true => duration -= duration / 10,
            false => killed += 1,
        }
        assert_whole(&bench.files(), [&generations[0], &generations[1]]);
        if killed == 100 {
            break;
        }
    }
    assert_eq!(killed, 100);
    for (choice, generation) in choices.iter().zip(&generations) {
        assert_success(&bench.run(choice));
        assert_eq!(bench.files(), *generation);
    }
}

#[test]
fn concurrent_runs_into_one_folder_all_succeed() {
    let bench = Bench::new("concurrent");
    let choices: [&[&str]; 2] = [&["--no-format"], &["--no-format", "--no-docs"]];
    let generations = choices.map(|choice| bench.expected(choice));
    let run_all = |choices: &[&[&str]]| {
        let spawn = |number| {
            let choice = choices[number % choices.len()];
            bench.command(choice).spawn().unwrap()
        };
        let children: Vec<Child> = (0..24).map(spawn).collect();
        for child in children {
            assert_success(&finish(child));
        }
    };
    for _ in 0..3 {
        fs::remove_dir_all(bench.out()).unwrap();
        // Runs that disagree keep replacing each other's files.
        run_all(&choices);
        let files = bench.files();
        assert_whole(&files, [&generations[0], &generations[1]]);
        assert!(files.keys().eq(generations[0].keys()));
        run_all(&choices[..1]);
        assert_eq!(bench.files(), generations[0]);
    }
}

#[test]
fn full_disk_leaves_the_old_files_whole() {
    let bench = Bench::new("full");
    let new = bench.expected(&[]);
    let largest = new.values().map(Vec::len).max().unwrap();
    for is_killed in [false, true] {
        let old = bench.expected(&["--no-docs"]);
        // From no room at all to nearly enough.
        for blocks in [0, 1, 8, largest / 512] {
            let output = bench.run_limited(blocks, is_killed);
            if is_killed {
                assert!(!output.status.success());
            } else {
                assert_failure(&output, "cannot write to out: ");
                assert_failure(&output, "File too large");
                assert_eq!(bench.files(), old);
            }
            assert_whole(&bench.files(), [&old, &old]);
        }
        assert_success(&bench.run(&[]));
        assert_eq!(bench.files(), new);
    }
}

#[test]
fn what_an_interrupted_write_in_place_left_is_replaced() {
    let bench = Bench::new("left");
    let expected = bench.expected(&[]);
    let whole = &expected["mod.rs"];
    for content in [&[], &whole[..1], &whole[..20], &whole[..200], &[0; 4096]] {
        bench.write("mod.rs", content);
        bench.write("m7.rs", content);
        assert_success(&bench.run(&[]));
        assert_eq!(bench.files(), expected);
    }
}

#[test]
fn foreign_file_is_refused_and_kept() {
    let bench = Bench::new("foreign");
    for content in ["//", "// By hand.\n", "// Generated by hand.\n", "\n"] {
        let content = if content == "//" { "//!" } else { content };
        let _ = fs::remove_dir_all(bench.out());
        bench.write("m7.rs", content.as_bytes());
        let output = bench.run(&[]);
        assert_failure(&output, "m7.rs exists and was not generated by qapi-gen");
        let kept = Files::from([("m7.rs".to_owned(), content.as_bytes().to_vec())]);
        assert_eq!(bench.files(), kept);
    }
    // Files of other names are none of a run's business, be they empty or look
    // like temporary files of others.
    let _ = fs::remove_dir_all(bench.out());
    let names = [
        "own.rs",
        "m7.rs.orig",
        ".qapi-gen-x-1.tmp",
        ".qapi-gen-1.tmp",
    ];
    for name in names {
        bench.write(name, b"");
    }
    assert_success(&bench.run(&[]));
    assert_success(&bench.run(&["--one-file"]));
    let files = bench.files();
    assert!(names.iter().all(|name| files.contains_key(*name)));
    assert_eq!(files.len(), names.len() + 1);
}

#[test]
fn special_files_are_neither_opened_nor_replaced() {
    let bench = Bench::new("special");
    let out = bench.out();
    fs::create_dir_all(&out).unwrap();
    let make_fifo = |name: &str| {
        let status = Command::new("mkfifo").arg(out.join(name)).status();
        assert!(status.unwrap().success());
    };
    make_fifo("other.rs");
    assert_success(&bench.run(&[]));
    assert_success(&bench.run(&["--check"]));
    for name in ["m7.rs", "mod.rs"] {
        fs::remove_file(out.join(name)).unwrap();
        make_fifo(name);
        for arguments in [[].as_slice(), &["--check"]] {
            let message = format!("{name}: exists and is not a regular file");
            assert_failure(&bench.run(arguments), &message);
        }
        fs::remove_file(out.join(name)).unwrap();
        fs::create_dir(out.join(name)).unwrap();
        let message = format!("{name}: exists and is not a regular file");
        assert_failure(&bench.run(&[]), &message);
        fs::remove_dir(out.join(name)).unwrap();
        std::os::unix::fs::symlink("nowhere", out.join(name)).unwrap();
        assert_failure(&bench.run(&[]), &format!("{name}: "));
        assert!(out.join(name).is_symlink());
        fs::remove_file(out.join(name)).unwrap();
        assert_success(&bench.run(&[]));
    }
}

#[test]
fn temporary_files_are_removed_when_their_process_has_ended() {
    let bench = Bench::new("temporary");
    let expected = bench.expected(&[]);
    let mut child = Command::new("true").spawn().unwrap();
    let ended = format!(".qapi-gen-{}-0.tmp", child.id());
    child.wait().unwrap();
    let living = format!(".qapi-gen-{}-0.tmp", std::process::id());
    for name in [&ended, &living] {
        bench.write(name, b"// Gen");
    }
    // Checking writes nothing, and removes nothing.
    assert_success(&bench.run(&["--check"]));
    assert_eq!(bench.files().len(), expected.len() + 2);
    assert_success(&bench.run(&[]));
    let left: Vec<String> = bench.files().into_keys().collect();
    assert!(left.contains(&living) && !left.contains(&ended), "{left:?}");
    fs::remove_file(bench.out().join(living)).unwrap();
    assert_eq!(bench.files(), expected);
}

/// As git does with `core.autocrlf`.
#[test]
fn checkout_with_crlf_is_neither_stale_nor_written_again() {
    let bench = Bench::new("crlf");
    assert_success(&bench.command(&[]).output().unwrap());
    for file in fs::read_dir(bench.out()).unwrap() {
        let path = file.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace('\n', "\r\n")).unwrap();
    }
    assert_success(&bench.command(&["--check"]).output().unwrap());
    assert_success(&bench.command(&[]).output().unwrap());
    let path = bench.out().join("mod.rs");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("\r\n"));
    fs::write(&path, text.replacen("mod m1", "mod n1", 1)).unwrap();
    assert!(
        !bench
            .command(&["--check"])
            .output()
            .unwrap()
            .status
            .success()
    );
}

#[test]
fn check_writes_nothing_when_the_folder_is_stale() {
    let bench = Bench::new("check");
    let files = bench.expected(&["--no-docs"]);
    let time = |name: &str| fs::metadata(bench.out().join(name)).unwrap().modified();
    let modified = time("mod.rs").unwrap();
    assert_eq!(bench.run(&["--check"]).status.code(), Some(1));
    assert_eq!(bench.files(), files);
    assert_eq!(time("mod.rs").unwrap(), modified);
    // Nor does a run that finds everything up to date.
    assert_success(&bench.run(&["--no-docs"]));
    assert_eq!(time("mod.rs").unwrap(), modified);
}

#[test]
fn heading_is_one_line_when_the_schema_has_an_odd_name() {
    let bench = Bench::new("odd");
    let name = std::ffi::OsStr::from_bytes("a\ncompile_error!();\u{202e}.json".as_bytes());
    fs::write(bench.folder.join(name), "{ 'event': 'STOP' }").unwrap();
    for layout in [[].as_slice(), &["--one-file"], &["--no-format"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_qapi-gen"));
        command.current_dir(&bench.folder).arg("rust").arg(name);
        let output = command.args(["-o", "out"]).args(layout).output().unwrap();
        assert_success(&output);
        for (file, content) in bench.files() {
            let text = String::from_utf8(content).unwrap();
            assert!(!text.contains("\ncompile_error"), "{file}: {text}");
            assert!(!text.contains('\u{202e}'), "{file}: {text}");
        }
    }
}

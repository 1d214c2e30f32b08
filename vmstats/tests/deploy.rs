//! The files in `vmstats/deploy`, judged by the programs that read them.

#![cfg(all(feature = "export", feature = "record"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod engine;
mod program;
mod scraper;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use engine::{Release, run_installed};
use program::{Running, Server, stderr, stdout};
use scraper::{Exporter, signal};
use serde_json::Value;

const EXPORT: &str = "vmstats-export.service";
const ADOPT: &str = "vmstats-adopt.service";
const RECORD: &str = "vmstats-record@.service";
const HOST: &str = "vmstats-host.service";
const HOST_SOCKET: &str = "vmstats-host.socket";

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

fn read(path: &str) -> String {
    fs::read_to_string(deploy().join(path)).unwrap()
}

/// Asserts that the promtool of each release accepts something.
fn promtool_accepts<'a>(releases: impl IntoIterator<Item = &'a Release>, arguments: &[&str]) {
    for release in releases {
        let output = release.promtool(&deploy().join("prometheus"), arguments, "");
        let said = [stdout(&output), stderr(&output)].concat();
        assert!(output.status.success(), "{arguments:?}: {said}");
    }
}

// The units.

#[test]
fn unit_is_confined_when_systemd_judges_it() {
    // Tenths of systemd's level of exposure, which is 96 without any confinement. What is
    // left of the exporter's is the loopback and a complete /proc, of the adopter's the one
    // capability and its system call, and of the host's the loopback and the users that it
    // tells from each other.
    let units = [(ADOPT, "9"), (EXPORT, "11"), (HOST, "11"), (RECORD, "4")];
    for (unit, exposure_max) in units {
        let output = run_installed(
            Command::new("systemd-analyze")
                .args(["security", "--offline=true", "--threshold", exposure_max])
                .arg(deploy().join("systemd").join(unit)),
        );
        let Some(output) = output else { return };
        assert!(output.status.success(), "{}", stdout(&output));
    }
}

#[test]
fn unit_is_valid_when_systemd_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let units = [
        (ADOPT, ADOPT),
        (EXPORT, EXPORT),
        (RECORD, "vmstats-record@host.service"),
        (HOST, HOST),
        (HOST_SOCKET, HOST_SOCKET),
    ];
    // Write all of them first, because some need others.
    let paths = units.map(|(unit, name)| {
        let text = read(&format!("systemd/{unit}"));
        let text = text.replace("/usr/bin/vmstats", env!("CARGO_BIN_EXE_vmstats"));
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    });
    for path in paths {
        let mut verify = Command::new("systemd-analyze");
        let output = run_installed(verify.args(["verify", "--man=no"]).arg(&path));
        let Some(output) = output else { return };
        // Other units of this machine may have faults of their own.
        let said = stderr(&output);
        let faults: Vec<_> = said
            .lines()
            .filter(|line| line.contains("vmstats"))
            .collect();
        assert!(faults.is_empty(), "{faults:?}");
    }
}

/// Returns the settings of a unit, in their order.
fn settings(unit: &str) -> Vec<(String, String)> {
    let text = read(&format!("systemd/{unit}"));
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn host_is_found_where_clients_look_when_it_runs_as_the_unit_says() {
    let has = |unit: &str, name: &str, value: &str| {
        let settings = settings(unit);
        let setting = (name.to_owned(), value.to_owned());
        assert!(settings.contains(&setting), "{unit}: no {name}={value}");
    };
    let folder = vmstats::endpoint::HOST_FOLDER;
    let socket = format!("{folder}/handover.sock");
    has(HOST_SOCKET, "ListenSequentialPacket", &socket);
    has(HOST_SOCKET, "FileDescriptorName", "handover");
    let vms = vmstats::endpoint::vms_in(Path::new(folder));
    let vms = vms.strip_prefix("/run").unwrap();
    has(HOST, "RuntimeDirectory", vms.to_str().unwrap());
    has(HOST, "RuntimeDirectoryPreserve", "restart");
    // All files that systemd keeps must fit into the service's limit, beside its own.
    has(HOST, "FileDescriptorStoreMax", "65536");
    has(HOST, "LimitNOFILE", "262144");
}

#[test]
fn user_of_the_host_is_made_from_the_packaged_file() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("etc")).unwrap();
    let mut sysusers = Command::new("systemd-sysusers");
    let sysusers = sysusers
        .arg(format!("--root={}", root.path().display()))
        .arg(deploy().join("systemd/sysusers.conf"));
    let Some(output) = run_installed(sysusers) else {
        return;
    };
    assert!(output.status.success(), "{}", stderr(&output));
    let users = fs::read_to_string(root.path().join("etc/passwd")).unwrap();
    let groups = fs::read_to_string(root.path().join("etc/group")).unwrap();
    for (name, value) in settings(HOST) {
        let file = match name.as_str() {
            "User" => &users,
            "Group" => &groups,
            _ => continue,
        };
        let begin = format!("{value}:");
        assert!(file.lines().any(|line| line.starts_with(&begin)), "{file}");
    }
}

/// Returns the command of a unit, with variables and specifiers replaced as systemd does.
fn command(unit: &str, variables: &[(&str, &str)], specifiers: &[(&str, &str)]) -> Vec<String> {
    let text = read(&format!("systemd/{unit}"));
    let line = |start: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(start))
            .unwrap()
    };
    // Environment="NAME=WORDS" "NAME=WORDS"
    let mut values: BTreeMap<&str, &str> = { line("Environment=").split('"') }
        .filter_map(|setting| setting.split_once('='))
        .collect();
    for (name, value) in variables {
        assert!(
            values.insert(name, value).is_some(),
            "{unit} has no variable {name}"
        );
    }
    let mut words = Vec::new();
    for word in line("ExecStart=").split(' ') {
        match word.strip_prefix('$') {
            Some(name) => {
                let name = name.trim_matches(['{', '}']);
                words.extend(values[name].split_whitespace().map(str::to_owned));
            }
            None => words.push(
                specifiers
                    .iter()
                    .fold(word.to_owned(), |word, (from, to)| word.replace(from, to)),
            ),
        }
    }
    assert_eq!(words.remove(0), "/usr/bin/vmstats");
    words
}

#[test]
fn exporter_serves_metrics_when_started_as_the_unit_does() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::recording(folder.path(), &[]);
    let defaults = command(EXPORT, &[], &[]);
    assert_eq!(defaults[1..3], ["--listen", "127.0.0.1:9747"]);
    let variables = [
        ("OPTIONS", "--listen 127.0.0.1:0"),
        ("MONITORS", &*server.socket),
    ];
    let exporter = exporter(&command(EXPORT, &variables, &[]));
    assert!(
        exporter.metrics("").contains("vmstats_vm_up{"),
        "{}",
        exporter.metrics("")
    );
}

#[test]
fn recorder_writes_into_its_state_directory_when_started_as_the_unit_does() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::recording(folder.path(), &[]);
    let state = folder.path().join("state");
    let specifiers = [("%S", state.to_str().unwrap()), ("%i", "host")];
    // systemd makes this folder: StateDirectory=vmstats/%i.
    let own = state.join("vmstats/host");
    fs::create_dir_all(&own).unwrap();
    let variables = [("MONITORS", &*server.socket), ("OPTIONS", "--provider kvm")];
    let words = command(RECORD, &variables, &specifiers);
    let has = |option: &str| words.iter().any(|word| word == option);
    assert!(has("--keep") && has("--size") && has("kvm"), "{words:?}");
    let mut recorder = Command::new(env!("CARGO_BIN_EXE_vmstats"));
    let recorder = Running(recorder.args(words).spawn().unwrap());
    let tail = own.join("ring/tail.jsonl");
    let has_rows = || fs::read_to_string(&tail).is_ok_and(|rows| rows.contains("exits"));
    wait_until("the recorder writes a row", has_rows);
    // Nothing else of the host is writable for the unit, a snapshot neither.
    signal(&recorder, "USR1");
    let is_snapshot = |name: &str| name.starts_with("ring-snapshot-");
    let has_snapshot = || {
        { fs::read_dir(&own).unwrap() }
            .any(|entry| is_snapshot(entry.unwrap().file_name().to_str().unwrap()))
    };
    wait_until("the recorder copies the ring", has_snapshot);
}

#[test]
fn adopter_has_one_capability_when_started_as_the_unit_does() {
    let words = command(ADOPT, &[("OPTIONS", "--list")], &[]);
    assert_eq!(words, ["adopt", "--list"]);
    let unit = read(&format!("systemd/{ADOPT}"));
    let values = |name: &str| {
        let lines = unit.lines().filter_map(|line| line.strip_prefix(name));
        lines.collect::<Vec<_>>()
    };
    assert_eq!(values("AmbientCapabilities="), ["CAP_SYS_PTRACE"]);
    assert_eq!(values("CapabilityBoundingSet="), ["CAP_SYS_PTRACE"]);
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(30), "{what}: not yet");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Starts an exporter with all of its words.
fn exporter<S: AsRef<str>>(words: &[S]) -> Exporter {
    let words: Vec<_> = words.iter().map(AsRef::as_ref).collect();
    let server = Server::start(&words);
    let address = server.socket.strip_prefix("http://");
    let address = address.and_then(|url| url.strip_suffix("/metrics"));
    Exporter {
        address: address.unwrap().to_owned(),
        server,
    }
}

// The configurations and rules of Prometheus.

#[test]
fn configuration_is_valid_when_prometheus_reads_it() {
    let releases = Release::all();
    promtool_accepts(&releases, &["check", "config", "prometheus.yml"]);
    promtool_accepts(&releases, &["check", "config", "--agent", "agent.yml"]);
    // Its certificates are not there.
    let syntax = ["check", "config", "--syntax-only", "prometheus-tls.yml"];
    promtool_accepts(&releases, &syntax);
    let with_nhcb = releases.iter().filter(|release| release.has_nhcb());
    promtool_accepts(with_nhcb, &["check", "config", "prometheus-nhcb.yml"]);
}

#[test]
fn rules_pass_their_tests() {
    let releases = Release::all();
    promtool_accepts(&releases, &["check", "rules", "vmstats.rules.yml"]);
    promtool_accepts(&releases, &[&["test", "rules"], &RULE_TESTS[..]].concat());
    let with_nhcb = releases.iter().filter(|release| release.has_nhcb());
    promtool_accepts(with_nhcb, &["test", "rules", "vmstats.rules.nhcb.test.yml"]);
}

/// The tests that every promtool reads.
const RULE_TESTS: [&str; 2] = ["vmstats.rules.test.yml", "vmstats.rules.day.test.yml"];

/// The name of a rule in a line of the rules.
fn rule(line: &str) -> Option<&str> {
    let line = line.trim_start();
    { line.strip_prefix("- alert: ") }.or_else(|| line.strip_prefix("- record: "))
}

#[test]
fn tests_of_rules_fail_when_any_rule_is_missing() {
    let Some(release) = Release::installed() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let rules = read("prometheus/vmstats.rules.yml");
    for test in RULE_TESTS {
        fs::write(path(test), read(&format!("prometheus/{test}"))).unwrap();
    }
    let names: Vec<_> = rules.lines().filter_map(rule).collect();
    assert!(names.len() > 15);
    for name in names {
        let changed = rules.lines().map(|line| match rule(line) {
            Some(found) if found == name => format!("{line}_renamed\n"),
            _ => format!("{line}\n"),
        });
        fs::write(path("vmstats.rules.yml"), changed.collect::<String>()).unwrap();
        let has_name = |test: &&&str| fs::read_to_string(path(test)).unwrap().contains(name);
        let mut arguments = vec!["test", "rules"];
        arguments.extend(RULE_TESTS.iter().filter(has_name).copied());
        assert!(arguments.len() > 2, "no test has {name}");
        let output = release.promtool(folder.path(), &arguments, "");
        assert!(!output.status.success(), "no test needs {name}");
    }
}

#[test]
fn alert_has_texts_and_a_section_of_the_handbook() {
    let rules = read("prometheus/vmstats.rules.yml");
    let handbook = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/fleet.md");
    let handbook = fs::read_to_string(handbook).unwrap();
    let alerts: Vec<_> = rules.split("- alert: ").skip(1).collect();
    assert!(alerts.len() > 10);
    for alert in alerts {
        let (name, rest) = alert.split_once('\n').unwrap();
        for key in ["severity:", "summary:", "description:"] {
            assert!(rest.contains(key), "{name} has no {key}");
        }
        let anchor = name.to_ascii_lowercase();
        let runbook = format!("runbook_url: file:///usr/share/doc/vmstats/fleet.md#{anchor}\n");
        assert!(rest.contains(&runbook), "{name}");
        assert!(
            handbook.contains(&format!("\n### {name}\n")),
            "no section {name}"
        );
    }
}

/// The counters of other processors have other numbers.
#[cfg(target_arch = "x86_64")]
#[test]
fn documents_name_the_series_that_a_machine_has() {
    let sockets = tempfile::tempdir().unwrap();
    if !program::kvm_opens() {
        return;
    }
    let socket = sockets.path().join("one.sock");
    let guest = guest(socket.to_str().unwrap(), "one");
    let costs = stdout(&program::vmstats(
        &["export", "--dry-run", &guest.socket],
        "",
    ));
    let words: Vec<&str> = costs.split_whitespace().collect();
    // "As asked, a virtual machine has 118 series, or 19 as NHCB"
    let sentence = words
        .windows(6)
        .find(|words| words[1] == "series," && words[4] == "as");
    let sentence = sentence.unwrap_or_else(|| panic!("{costs}"));
    let [series, folded] = [sentence[0], sentence[3]];
    let help = stdout(&program::vmstats(&["export", "--help"], ""));
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let page = |name: &str| fs::read_to_string(docs.join(name)).unwrap();
    for (text, sentence) in [
        (help, format!("{series} series, or {folded} if")),
        (
            page("export.md"),
            format!("{series} series for each virtual machine, or {folded} if"),
        ),
        (
            page("fleet.md"),
            format!("| (default) | {series} | {folded} |"),
        ),
    ] {
        let words: Vec<&str> = text.split_whitespace().collect();
        assert!(words.join(" ").contains(&sentence), "{sentence}");
    }
}

// The dashboard.

/// A question that the dashboard asks.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Question {
    title: String,
    expression: String,
}

fn dashboard() -> Value {
    serde_json::from_str(&read("grafana/vmstats.json")).unwrap()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a Vec<Value> {
    value[name].as_array().unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name}: {value}"))
}

/// Returns the panels that show something, also those of closed rows.
fn panels(dashboard: &Value) -> Vec<&Value> {
    let (rows, mut panels): (Vec<_>, Vec<_>) =
        { list(dashboard, "panels").iter() }.partition(|panel| text(panel, "type") == "row");
    panels.extend(rows.iter().flat_map(|row| list(row, "panels")));
    panels
}

/// Returns all questions in PromQL, with the dashboard's variables.
fn questions(dashboard: &Value) -> Vec<Question> {
    let of = |owner: &Value, name, expression: &Value| Question {
        title: text(owner, name).to_owned(),
        expression: text(expression, "expr").to_owned(),
    };
    let targets = panels(dashboard).into_iter().flat_map(|panel| {
        let targets = list(panel, "targets").iter();
        targets.map(move |target| of(panel, "title", target))
    });
    let annotations = list(&dashboard["annotations"], "list").iter();
    targets
        .chain(annotations.map(|annotation| of(annotation, "name", annotation)))
        .collect()
}

#[test]
fn dashboard_uses_its_own_variables_and_explains_its_panels() {
    let dashboard = dashboard();
    let variables: BTreeSet<_> = { list(&dashboard["templating"], "list").iter() }
        .map(|variable| text(variable, "name"))
        .collect();
    for Question { title, expression } in questions(&dashboard) {
        for rest in expression.split('$').skip(1) {
            let end = rest.find(|letter: char| letter != '_' && !letter.is_alphanumeric());
            let name = &rest[..end.unwrap_or(rest.len())];
            assert!(
                variables.contains(name) || name == "__rate_interval",
                "{title}: {name}"
            );
        }
        // A selector without the variables would mix hosts and jobs.
        let selectors = expression.matches('{').count();
        assert!(selectors > 0, "{title}");
        assert_eq!(
            selectors,
            expression.matches(r#"job=~"$job""#).count(),
            "{title}"
        );
    }
    let mut ids = BTreeSet::new();
    for panel in panels(&dashboard) {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        assert!(text(panel, "description").ends_with('.'), "{panel}");
        let sources = list(panel, "targets").iter().chain([panel]);
        for source in sources.map(|owner| &owner["datasource"]) {
            assert_eq!(text(source, "uid"), "${datasource}", "{panel}");
        }
    }
}

/// Which histograms a Prometheus keeps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Histograms {
    Classic,
    Nhcb,
}

/// Returns whether the expression has data only with the other kind of histograms.
fn is_for_other_histograms(expression: &str, histograms: Histograms) -> bool {
    let is_classic =
        expression.contains("_seconds_bucket{") || expression.contains("_seconds_sum{");
    let is_nhcb = expression.contains("_hist_seconds{");
    match histograms {
        Histograms::Classic => is_nhcb,
        Histograms::Nhcb => is_classic,
    }
}

/// Expressions that have data only under a condition which this test does not make, with
/// the condition.
const CONDITIONS: [(&str, &str); 1] = [(
    "vmstats_omitted_statistics",
    "a provider with two statistics of one name or of a wrong type",
)];

/// Virtual machines: two of the same name, one that is started again, and one that was
/// killed after it had answered.
struct Scene {
    _twins: [Server; 2],
    again: Server,
    exporters: [Exporter; 2],
}

impl Scene {
    /// Starts the scene; returns `None`, with the reason printed, without KVM.
    fn start(folder: &Path) -> Option<Self> {
        if !program::kvm_opens() {
            return None;
        }
        let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        let web = guest(&path("web.sock"), "web");
        let twin = guest(&path("twin.sock"), "web");
        let again = guest(&path("again.sock"), "again");
        let doomed = guest(&path("doomed.sock"), "doomed");
        let pattern = path("*.sock");
        let all = exporter(&["export", "--listen", "127.0.0.1:0", "--per-vcpu", &pattern]);
        // The limit is below what a virtual machine has, and the place has no sockets.
        let nothing = path("nothing/*.sock");
        let words = ["export", "--listen", "127.0.0.1:0", "--series-max", "9"];
        let limited = exporter(&[&words[..], &[&web.socket, &nothing]].concat());
        assert!(all.metrics("").contains(r#"vm="doomed""#));
        drop(doomed);
        Some(Self {
            _twins: [web, twin],
            again,
            exporters: [all, limited],
        })
    }

    /// Starts one of the virtual machines again.
    fn restart(self) -> Self {
        let socket = self.again.socket.clone();
        self.again.interrupt();
        Self {
            again: guest(&socket, "again"),
            ..self
        }
    }

    /// Writes a shipped configuration for these exporters, with short intervals.
    fn configure(&self, folder: &Path, name: &str) {
        let targets = self
            .exporters
            .iter()
            .map(|one| format!("'{}'", one.address));
        let targets = targets.collect::<Vec<_>>().join(", ");
        let mut text = read(&format!("prometheus/{name}"));
        for (from, to) in [
            ("scrape_interval: 15s", "scrape_interval: 1s"),
            ("scrape_timeout: 10s", "scrape_timeout: 1s"),
            ("evaluation_interval: 30s", "evaluation_interval: 1s"),
            ("'127.0.0.1:9747'", &targets),
        ] {
            assert_eq!(text.matches(from).count(), 1, "{name}: {from}");
            text = text.replace(from, to);
        }
        fs::write(folder.join(name), text).unwrap();
        let rules = "vmstats.rules.yml";
        fs::copy(deploy().join("prometheus").join(rules), folder.join(rules)).unwrap();
    }
}

fn guest(socket: &str, name: &str) -> Server {
    let words = [
        "demo", "--hold", "--vcpus", "2", "--name", name, "--qmp", socket,
    ];
    Server::start(&words)
}

/// Asks a Prometheus that scrapes a scene everything that dashboard and rules ask.
fn ask_everything(
    release: &Release,
    configuration: &str,
    options: &[&str],
    histograms: Histograms,
) {
    let folder = tempfile::tempdir().unwrap();
    let sockets = tempfile::tempdir().unwrap();
    let Some(scene) = Scene::start(sockets.path()) else {
        return;
    };
    scene.configure(folder.path(), configuration);
    let prometheus = release.start(folder.path(), configuration, options);
    let started = r#"vmstats_vm_start_time_seconds{vm=~".*/again.sock"}"#;
    let has_samples = || !prometheus.query(started).unwrap().is_empty();
    wait_until("Prometheus scrapes", has_samples);
    let scene = scene.restart();

    let dashboard = dashboard();
    let questions = questions(&dashboard);
    let has_data = |expression: &str| {
        // As Grafana does for a choice of all and an interval of the graph.
        let mut expression = expression.replace("$__rate_interval", "15s");
        for name in ["$job", "$instance", "$vm"] {
            expression = expression.replace(name, ".+");
        }
        let answer = prometheus.query(&expression);
        let series = answer.unwrap_or_else(|error| panic!("{expression}: {error}"));
        let is_number = |series: &Value| match series.get("histogram") {
            Some(histogram) => histogram[1]["count"].as_str() != Some("0"),
            None => series["value"][1].as_str() != Some("NaN"),
        };
        series.iter().any(is_number)
    };
    let is_expected = |question: &&Question| {
        let starts = |(start, _): &(&str, &str)| question.expression.starts_with(start);
        !is_for_other_histograms(&question.expression, histograms) && !CONDITIONS.iter().any(starts)
    };
    // The restart is seen for a few seconds only, the rates after a few.
    let mut missing: Vec<_> = questions.iter().filter(is_expected).collect();
    let begin = Instant::now();
    while !missing.is_empty() {
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "without data: {missing:#?}"
        );
        thread::sleep(Duration::from_millis(500));
        missing.retain(|question| !has_data(&question.expression));
    }
    for question in &questions {
        if is_for_other_histograms(&question.expression, histograms) {
            assert!(!has_data(&question.expression), "{question:?}");
        }
    }

    // The variables of the dashboard.
    for variable in list(&dashboard["templating"], "list") {
        let Some(query) = variable["query"]["query"].as_str() else {
            continue;
        };
        let inner = query
            .strip_prefix("label_values(")
            .unwrap()
            .strip_suffix(')')
            .unwrap();
        let (series, label) = inner.rsplit_once(", ").unwrap();
        let series = series.replace("$job", ".+").replace("$instance", ".+");
        let path = format!("label/{label}/values");
        let values = prometheus.api(&path, &[("match[]", &series)]).unwrap();
        assert!(!values.as_array().unwrap().is_empty(), "{query}");
    }

    // The rules, and every metric in their expressions.
    let names = || -> BTreeSet<String> {
        let names = prometheus.api("label/__name__/values", &[]).unwrap();
        let names = names.as_array().unwrap().iter();
        names
            .map(|name| name.as_str().unwrap().to_owned())
            .collect()
    };
    let groups = prometheus.api("rules", &[]).unwrap();
    let rules = { list(&groups, "groups").iter() }.flat_map(|group| list(group, "rules"));
    let mut count = 0;
    for rule in rules {
        count += 1;
        assert_eq!(text(rule, "health"), "ok", "{rule}");
        if text(rule, "type") == "recording" {
            wait_until(text(rule, "name"), || names().contains(text(rule, "name")));
        }
        let is_letter = |letter: char| letter == '_' || letter == ':' || letter.is_alphanumeric();
        let words = text(rule, "query").split(|letter| !is_letter(letter));
        let metrics = words.filter(|word| word.contains("vmstats_") && !word.ends_with('_'));
        for metric in metrics {
            let is_other = is_for_other_histograms(&format!("{metric}{{"), histograms);
            assert!(is_other != names().contains(metric), "{metric} in {rule}");
        }
    }
    assert!(count > 15);
    drop(scene);
}

#[test]
fn dashboard_and_rules_have_data_when_prometheus_scrapes_guests() {
    if let Some(release) = Release::installed() {
        ask_everything(&release, "prometheus.yml", &[], Histograms::Classic);
    }
}

#[test]
fn dashboard_and_rules_have_data_when_prometheus_keeps_nhcb() {
    if let Some(release) = Release::with_nhcb() {
        let flag = "--enable-feature=native-histograms";
        ask_everything(&release, "prometheus-nhcb.yml", &[flag], Histograms::Nhcb);
    }
}

// The container.

#[test]
fn container_has_the_program_and_no_rights_when_it_is_built() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    // An archive as `cargo xtask dist` makes it.
    let root = "vmstats-1.2.3-x86_64-unknown-linux-musl";
    fs::create_dir_all(path(&format!("{root}/bin"))).unwrap();
    fs::create_dir_all(path(&format!("{root}/share/doc/vmstats"))).unwrap();
    fs::write(path(&format!("{root}/bin/vmstats")), "a program").unwrap();
    fs::write(
        path(&format!("{root}/share/doc/vmstats/copyright")),
        "a licence",
    )
    .unwrap();
    fs::create_dir(path("dist")).unwrap();
    let archive = format!("dist/{root}.tar.gz");
    let tar = Command::new("tar")
        .args(["-czf", &archive, root])
        .current_dir(folder.path())
        .status();
    assert!(tar.unwrap().success());

    let buildah = |arguments: &[&str]| {
        let mut buildah = Command::new("buildah");
        buildah
            .arg("--root")
            .arg(path("storage"))
            .arg("--runroot")
            .arg(path("run"));
        buildah
            .args(["--storage-driver", "vfs"])
            .args(arguments)
            .current_dir(folder.path());
        run_installed(&mut buildah)
    };
    let file = deploy().join("Containerfile");
    let build = [
        "bud",
        "--isolation",
        "chroot",
        "-t",
        "vmstats",
        "-f",
        file.to_str().unwrap(),
        "dist",
    ];
    let Some(output) = buildah(&build) else {
        return;
    };
    assert!(output.status.success(), "{}", stderr(&output));
    let output = buildah(&["inspect", "--type", "image", "vmstats"]).unwrap();
    let image: Value = serde_json::from_slice(&output.stdout).unwrap();
    let config = &image["OCIv1"]["config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(
        config["Entrypoint"],
        serde_json::json!(["/usr/bin/vmstats"])
    );
    let from = stdout(&buildah(&["from", "vmstats"]).unwrap());
    let mounted = stdout(&buildah(&["mount", from.trim()]).unwrap());
    let program = Path::new(mounted.trim()).join("usr/bin/vmstats");
    assert_eq!(fs::read_to_string(program).unwrap(), "a program");
    assert!(buildah(&["umount", "--all"]).unwrap().status.success());
}

//! How many syscalls the server's threads make, counted by strace.
//!
//! In: what is to be done meanwhile. Out: their number.

use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use super::text;
use crate::tools::Failure;

/// What the kernel calls the server's threads.
const THREAD: &str = "qmp-server";

/// How long strace takes to begin, which it does not tell.
const BEGIN_TIME: Duration = Duration::from_millis(300);

/// Counts while `work` runs; `None` without strace.
pub(super) fn count_syscalls(
    work: impl FnOnce() -> Result<(), Failure>,
) -> Result<Option<u64>, Failure> {
    let file = tempfile::NamedTempFile::new().map_err(text)?;
    let mut command = Command::new("strace");
    command.args(["-q", "-o"]).arg(file.path());
    for task in std::fs::read_dir("/proc/self/task")
        .map_err(text)?
        .flatten()
    {
        let name = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        if name.trim() == THREAD {
            command.arg("-p").arg(task.file_name());
        }
    }
    let started = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn();
    let Ok(mut tracer) = started else {
        return Ok(None);
    };
    thread::sleep(BEGIN_TIME);
    let outcome = work();
    let pid = i32::try_from(tracer.id()).ok();
    if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
        rustix::process::kill_process(pid, rustix::process::Signal::INT).map_err(text)?;
    }
    tracer.wait().map_err(text)?;
    outcome?;
    let trace = std::fs::read_to_string(file.path()).map_err(text)?;
    // What only ends here was begun in a line of its own.
    let calls = trace.lines().filter(|line| line.contains('('));
    let calls = calls.filter(|line| !line.contains("resumed>"));
    let count = u64::try_from(calls.count()).map_err(text)?;
    Ok((count > 0).then_some(count))
}

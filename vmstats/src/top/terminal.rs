//! The terminal while the screen is shown.
//!
//! In: nothing. Out: a terminal to draw on, which is restored when it is dropped, when
//! the program stops, and on a panic of any thread.

use std::env;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use crossterm::cursor::{Hide, Show};
use crossterm::execute;
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::backend::CrosstermBackend;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use super::state::Look;
use crate::failure::Failure;

/// True while the terminal is changed, so that it must be restored.
static IS_CHANGED: AtomicBool = AtomicBool::new(false);

/// True after a thread panicked while the screen was shown.
static HAS_PANICKED: AtomicBool = AtomicBool::new(false);

/// The terminal that is drawn on. Output does not go through `io::stdout`, because its
/// lock is held for the whole program; a panic of another thread would wait for it.
pub(super) type Terminal = ratatui::Terminal<CrosstermBackend<BufWriter<File>>>;

/// A terminal with the screen on it.
#[derive(Debug)]
pub(super) struct Screen {
    /// The terminal to draw on.
    pub(super) terminal: Terminal,
}

impl Screen {
    /// Opens the screen on the terminal of the process. `instead` says what to do without
    /// a terminal.
    ///
    /// # Errors
    ///
    /// Returns an error if standard input or output is something else than a terminal.
    pub(super) fn open(instead: &str) -> Result<Self, Failure> {
        let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
        let is_dumb = env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
        if !is_terminal || is_dumb {
            let reason = if is_terminal {
                "TERM names no terminal that a screen can be drawn on"
            } else {
                "standard input and output are no terminal"
            };
            return Err(Failure::usage(format!("{reason}; {instead}")));
        }
        restore_on_panic();
        let output = output().map_err(cannot_use)?;
        change().map_err(cannot_use)?;
        let backend = CrosstermBackend::new(BufWriter::new(output));
        match ratatui::Terminal::new(backend) {
            Ok(terminal) => Ok(Self { terminal }),
            Err(error) => {
                restore();
                Err(cannot_use(error))
            }
        }
    }

    /// Waits for a key, but no longer than `timeout`. Returns `false` if the terminal was
    /// closed: crossterm would then read for ever without a result.
    pub(super) fn wait(timeout: Duration) -> io::Result<bool> {
        let stdin = io::stdin();
        let mut files = [PollFd::new(&stdin, PollFlags::IN)];
        let timeout = Timespec::try_from(timeout).map_err(io::Error::other)?;
        match rustix::event::poll(&mut files, Some(&timeout)) {
            // The size of the terminal changed.
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let is_closed = |file: &PollFd<'_>| {
            let closed = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
            file.revents().intersects(closed)
        };
        Ok(!files.iter().any(is_closed))
    }

    /// Stops the program until the shell continues it.
    pub(super) fn suspend(&mut self) -> Result<(), Failure> {
        restore();
        // The default action of SIGTSTP stops all programs of the job.
        let _ = rustix::process::kill_current_process_group(rustix::process::Signal::TSTP);
        change().map_err(cannot_use)?;
        self.terminal.clear().map_err(cannot_use)
    }

    /// Returns whether a thread panicked, so that the terminal was restored.
    pub(super) fn has_panicked() -> bool {
        HAS_PANICKED.load(Ordering::Relaxed)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Returns the failure of drawing.
pub(super) fn cannot_use(error: io::Error) -> Failure {
    Failure::other(format!("cannot use the terminal: {error}"))
}

fn output() -> io::Result<File> {
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

fn change() -> io::Result<()> {
    IS_CHANGED.store(true, Ordering::Relaxed);
    let changed = enable_raw_mode().and_then(|()| execute!(output()?, EnterAlternateScreen, Hide));
    if changed.is_err() {
        restore();
    }
    changed
}

fn restore() {
    if IS_CHANGED.swap(false, Ordering::Relaxed) {
        // Ignore errors: a second one would hide why the program ends.
        let _ = disable_raw_mode();
        if let Ok(mut output) = output() {
            let _ = execute!(output, LeaveAlternateScreen, Show);
            let _ = output.flush();
        }
    }
}

fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let report = Arc::new(std::panic::take_hook());
        std::panic::set_hook(Box::new(move |information| {
            HAS_PANICKED.store(true, Ordering::Relaxed);
            restore();
            report(information);
        }));
    });
}

/// Returns what the terminal has, as the environment tells it.
pub(super) fn look(no_color: bool, ascii: bool) -> Look {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()));
    Look {
        has_color: !no_color && !is_set("NO_COLOR"),
        is_ascii: ascii || !locale.is_some_and(|locale| is_utf8(&locale)),
    }
}

fn is_utf8(locale: &str) -> bool {
    let locale = locale.to_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::{Command, Stdio};
    use std::thread;

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::{LocalModes, tcgetattr};

    use super::*;

    /// The variable that makes the test the program whose thread panics.
    const ROLE: &str = "VMSTATS_TEST_THAT_PANICS";

    #[test]
    fn terminal_is_restored_before_the_message_when_a_thread_panics() {
        if env::var_os(ROLE).is_some() {
            let screen = Screen::open("").unwrap();
            thread::spawn(|| panic!("on purpose")).join().unwrap_err();
            assert!(Screen::has_panicked());
            // Without the drop, which restores the terminal too.
            std::mem::forget(screen);
            return;
        }
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let mut ours: File = openpt(flags).unwrap().into();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
        let open = || File::options().read(true).write(true).open(&name).unwrap();
        let theirs = open();
        let this = thread::current();
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", this.name().unwrap(), "--nocapture"])
            .env(ROLE, "1")
            .env("RUST_BACKTRACE", "0")
            .env("TERM", "xterm")
            .stdin(Stdio::from(open()))
            .stdout(Stdio::from(open()))
            .stderr(Stdio::from(open()))
            .spawn()
            .unwrap();
        assert!(child.wait().unwrap().success());
        let mut bytes = [0; 1 << 16];
        let count = ours.read(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes[..count]);
        let place = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part}: {text}"));
        assert!(place("\u{1b}[?1049h") < place("\u{1b}[?1049l"));
        assert!(place("\u{1b}[?1049l") < place("on purpose"));
        let modes = tcgetattr(&theirs).unwrap().local_modes;
        assert!(modes.contains(LocalModes::ICANON | LocalModes::ECHO));
    }
}

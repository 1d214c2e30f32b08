//! `vmstats shell`: a conversation with a monitor.
//!
//! In: lines, from a terminal or from a pipe. Out: replies as they come, and
//! events. What lines mean is `dialog.rs`'s affair.

mod completion;
mod dialog;
mod editor;
mod index;
mod link;
mod pretty;
mod request;

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style as Colour};
use qapi_stats::wire::message::Message;

use crate::cli::Shell;
use crate::client::{Client, ClientError};
use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::host::Ending;
use crate::printable::printable;
use dialog::{Dialog, Outcome, Style};
use editor::{LineEditor, Typed, Words};
use link::{Link, Notice, Notify};

const FAILED: Colour = AnsiColor::Red.on_default();
const QUIET: Colour = Colour::new().dimmed();

/// Runs `vmstats shell`.
///
/// # Errors
///
/// What the connection says; and, where the input is no terminal, the first
/// line that fails.
pub fn run(arguments: &Shell, out: &mut dyn Write) -> Result<(), Failure> {
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        return interactive(arguments, out);
    }
    let style = if arguments.pretty {
        Style::Pretty { is_coloured: false }
    } else {
        Style::Compact
    };
    let client = connect(&endpoint(arguments), arguments.timeout)?;
    let link = Link::start(client, arguments.timeout, Box::new(tell_apart))?;
    script(
        Dialog::new(link, style, arguments.hmp),
        arguments.keep_going,
        io::stdin().lock(),
        out,
    )
}

fn endpoint(arguments: &Shell) -> Endpoint {
    let endpoint = arguments.endpoint.clone();
    endpoint.with_credentials(arguments.tls.as_deref())
}

fn connect(endpoint: &Endpoint, timeout: Duration) -> Result<Client, ClientError> {
    Client::connect_out_of_band(endpoint, timeout)
}

/// Events stay apart from the replies, which something may be reading.
fn tell_apart(notice: Notice) {
    if let Notice::Event(Message::Event(event)) = notice {
        let event = dialog::event(&event);
        // Who closes the error stream wants to hear nothing.
        let _ = writeln!(io::stderr(), "{}", Style::Compact.show(&event));
    }
}

/// Does what the lines say, until one fails.
fn script(
    mut dialog: Dialog,
    keeps_going: bool,
    input: impl BufRead,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let mut failures = 0_usize;
    for (line, number) in input.lines().zip(1_usize..) {
        let wrong = |what: &str| Failure::other(format!("line {number}: {what}"));
        let line = line.map_err(|error| wrong(&format!("cannot read: {error}")))?;
        match dialog.enter(&line) {
            Ok(Outcome::Text(text)) => {
                if !text.is_empty() {
                    writeln!(out, "{text}")?;
                    out.flush()?;
                }
            }
            Ok(Outcome::Wrong(what)) if keeps_going => {
                failures += 1;
                // As above.
                let _ = writeln!(io::stderr(), "vmstats: {}", wrong(&what));
            }
            Ok(Outcome::Wrong(what)) => return Err(wrong(&what)),
            Ok(Outcome::Exit) => break,
            Err(error) => return Err(wrong(&error.to_string())),
        }
    }
    match failures {
        0 => Ok(()),
        1 => Err(Failure::other("1 line failed")),
        many => Err(Failure::other(format!("{many} lines failed"))),
    }
}

fn interactive(arguments: &Shell, out: &mut dyn Write) -> Result<(), Failure> {
    let name = if arguments.hmp {
        "hmp-history"
    } else {
        "qmp-history"
    };
    let history = (!arguments.no_history).then(|| editor::history_path(name));
    let (mut dialog, mut editor) = begin(
        &endpoint(arguments),
        arguments.timeout,
        arguments.hmp,
        history.flatten(),
        out,
    )?;
    converse(&mut dialog, || editor.read(), out)
}

/// How long a monitor in the same program may take to answer.
const OWN_TIMEOUT: Duration = Duration::from_secs(10);

/// How often it is looked whether the program is to end.
const ENDING_INTERVAL: Duration = Duration::from_millis(100);

/// The human monitor at the terminal of the program that serves it, until
/// Ctrl-D or until the program is to end.
///
/// # Errors
///
/// That there is no terminal; what the monitor's socket says.
pub fn human(socket: &Path, ending: &Ending, out: &mut dyn Write) -> Result<(), Failure> {
    if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
        return Err(Failure::usage(
            "--hmp - wants a terminal; --hmp unix:PATH does not",
        ));
    }
    let endpoint = Endpoint::Unix(socket.to_owned());
    let history = editor::history_path("hmp-history");
    let modes = rustix::termios::tcgetattr(io::stdin());
    let (mut dialog, mut editor) = begin(&endpoint, OWN_TIMEOUT, true, history, out)?;
    // Keys are waited for on a thread that nothing wakes: it is left behind
    // when the program ends.
    let (ask, asked) = mpsc::channel();
    let (give, given) = mpsc::channel();
    thread::Builder::new()
        .name("terminal".to_owned())
        .spawn(
            move || {
                while asked.recv().is_ok() && give.send(editor.read()).is_ok() {}
            },
        )
        .map_err(|error| Failure::other(format!("cannot start a thread: {error}")))?;
    let next = || {
        // The thread is there as long as it is asked.
        let _ = ask.send(());
        loop {
            match given.recv_timeout(ENDING_INTERVAL) {
                Ok(typed) => return typed,
                Err(RecvTimeoutError::Timeout) if !ending.wait_timeout(Duration::ZERO) => {}
                Err(_) => return Ok(Typed::End),
            }
        }
    };
    let outcome = converse(&mut dialog, next, out);
    if let Ok(modes) = modes {
        use rustix::termios::OptionalActions;
        let _ = rustix::termios::tcsetattr(io::stdin(), OptionalActions::Now, &modes);
    }
    outcome
}

/// Connects, and says so at the terminal.
fn begin(
    endpoint: &Endpoint,
    timeout: Duration,
    is_human: bool,
    history: Option<PathBuf>,
    out: &mut dyn Write,
) -> Result<(Dialog, LineEditor), Failure> {
    let is_coloured = AutoStream::choice(&io::stdout()) != ColorChoice::Never;
    let style = Style::Pretty { is_coloured };
    let client = connect(endpoint, timeout)?;
    let version = client.version().clone();
    let mut editor = LineEditor::new(if is_human { "(qemu) " } else { "(qmp) " }, history)?;
    let link = Link::start(client, timeout, tell_above(editor.printer()?, style))?;
    let mut dialog = Dialog::new(link, style, is_human);
    let triple = &version.qemu;
    let package = match printable(version.package.trim()) {
        none if none.is_empty() => String::new(),
        package => format!(" ({package})"),
    };
    let (major, minor, micro) = (triple.major, triple.minor, triple.micro);
    let help = if is_human {
        "help lists commands"
    } else {
        "help explains"
    };
    writeln!(
        out,
        "Monitor version {major}.{minor}.{micro}{package}; Tab completes, {help}, Ctrl-D leaves."
    )?;
    match words(&mut dialog) {
        Ok(words) => editor.complete_with(words),
        Err(ClientError::Refused(error)) => writeln!(
            out,
            "Without completion: the server does not say what commands it has ({}).",
            printable(error.desc())
        )?,
        Err(error) => return Err(error.into()),
    }
    out.flush()?;
    Ok((dialog, editor))
}

fn words(dialog: &mut Dialog) -> Result<Words, ClientError> {
    if dialog.is_human() {
        dialog.human_words().map(Words::Human)
    } else {
        dialog.index().map(Words::Qmp)
    }
}

/// Prints what the server says of itself above the line being edited.
fn tell_above(mut print: impl FnMut(String) + Send + 'static, style: Style) -> Notify {
    Box::new(move |notice| match notice {
        Notice::Event(Message::Event(event)) => print(style.show(&dialog::event(&event))),
        Notice::Event(_) => {}
        Notice::Closed => print("The server closed the connection.".to_owned()),
    })
}

/// Does what the lines say until there are no more, or no server.
fn converse(
    dialog: &mut Dialog,
    mut next: impl FnMut() -> Result<Typed, Failure>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    while !dialog.has_ended() {
        let line = match next()? {
            Typed::Line(line) => line,
            Typed::Interrupt => {
                writeln!(out, "{QUIET}Ctrl-D leaves{QUIET:#}")?;
                out.flush()?;
                continue;
            }
            Typed::End => return Ok(()),
        };
        if dialog.has_ended() {
            break;
        }
        match dialog.enter(&line)? {
            Outcome::Text(text) if text.is_empty() => {}
            Outcome::Text(text) => writeln!(out, "{text}")?,
            Outcome::Wrong(what) => writeln!(out, "{FAILED}{what}{FAILED:#}")?,
            Outcome::Exit => return Ok(()),
        }
        out.flush()?;
    }
    Ok(())
}

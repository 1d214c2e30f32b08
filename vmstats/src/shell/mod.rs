//! `vmstats shell`: a conversation with a monitor.
//!
//! In: lines, from a terminal or from a pipe. Out: replies as they come, and
//! events. What a line means is the business of `dialog.rs`.

mod completion;
mod dialog;
mod editor;
mod human;
mod impact;
mod index;
mod pretty;
mod request;

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style as Colour};

use crate::cli::ShellArgs;
use crate::client::{Client, ClientError, Notice, Notify, TIMEOUT};
use crate::connection;
use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::printable::printable;
use crate::shutdown::ShutdownSignal;
use crate::threads::spawn;
use dialog::{Dialog, Outcome, Server, Style};
use editor::{LineEditor, Typed};
use human::{HumanMonitor, HumanSocket};

const FAILED: Colour = AnsiColor::Red.on_default();
const QUIET: Colour = Colour::new().dimmed();

/// The length of a script's line in bytes: that of the longest message that a
/// server takes.
const LINE_BYTES_MAX: usize = 64 << 20;

const UNEXPECTED_REPLY: &str =
    "The server sent a reply that nobody asked for; such replies are dropped.";
const CLOSED: &str = "The server closed the connection.";

/// Runs `vmstats shell`.
///
/// # Errors
///
/// Returns an error if the connection fails; and, where the input is not a
/// terminal, for the first line that fails.
pub fn run(arguments: &ShellArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let endpoint = arguments.connection.endpoint();
    let reach = &arguments.connection.reach;
    let server = match connection::connect_out_of_band(&endpoint, reach) {
        Ok(client) if arguments.hmp => Server::Human(HumanMonitor::over_qmp(client)),
        Ok(client) => Server::Qmp(Box::new(client)),
        Err(ClientError::HumanMonitor) if arguments.hmp => Server::Human(HumanMonitor::OnSocket(
            HumanSocket::connect(&endpoint, reach.timeout.unwrap_or(TIMEOUT))?,
        )),
        Err(error) => return Err(error.into()),
    };
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        let history = (!arguments.no_history).then(|| history_path(&server));
        let (mut dialog, mut editor) = begin(server, history.flatten(), out)?;
        return converse(&mut dialog, arguments.yes, || editor.read(), out);
    }
    let style = if arguments.pretty {
        Style::Pretty { is_coloured: false }
    } else {
        Style::Compact
    };
    let mut server = server;
    if let Server::Qmp(client) | Server::Human(HumanMonitor::OverQmp { client, .. }) = &mut server {
        client.read_in_background(Box::new(print_to_stderr))?;
    }
    run_script(
        Dialog::new(server, style),
        arguments,
        io::stdin().lock(),
        out,
    )
}

/// Prints a notice of a script's server to the error stream, because a program
/// may be reading the replies from the output.
fn print_to_stderr(notice: Notice) {
    // Printing fails if nobody reads the error stream.
    let _ = match notice {
        Notice::Event(event) => writeln!(io::stderr(), "{}", Style::Compact.show_event(&event)),
        Notice::UnexpectedReply => writeln!(io::stderr(), "vmstats: {UNEXPECTED_REPLY}"),
        Notice::Closed => Ok(()),
    };
}

/// The bytes that some editors put in front of a text (U+FEFF in UTF-8).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Executes the lines of a script until one fails.
fn run_script(
    mut dialog: Dialog,
    arguments: &ShellArgs,
    mut input: impl BufRead,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let mut failures = 0_usize;
    for number in 1_usize.. {
        let wrong = |what: &str| Failure::other(format!("line {number}: {what}"));
        let line =
            read_line(&mut input).map_err(|error| wrong(&format!("cannot read: {error}")))?;
        let Some(line) = line else { break };
        let line = match line.strip_prefix(BYTE_ORDER_MARK) {
            Some(text) if number == 1 => text,
            _ => &line,
        };
        let outcome = match str::from_utf8(line) {
            Ok(line) => match dialog.impact(line).filter(|_| !arguments.yes) {
                Some(impact) => Ok(Outcome::Wrong(format!(
                    "'{}' {impact}, and --yes was not given",
                    printable(line.trim())
                ))),
                None => dialog.enter(line),
            },
            Err(error) => {
                let at = error.valid_up_to() + 1;
                Ok(Outcome::Wrong(format!(
                    "byte {at} of the line is not UTF-8"
                )))
            }
        };
        match outcome {
            Ok(Outcome::Text(text)) => {
                if !text.is_empty() {
                    writeln!(out, "{text}")?;
                    out.flush()?;
                }
            }
            Ok(Outcome::Wrong(what)) if arguments.keep_going => {
                failures += 1;
                // Printing fails if nobody reads the error stream.
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

/// Reads a line without its end, at most [`LINE_BYTES_MAX`]; `None` at the end
/// of the input.
fn read_line(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let limit = LINE_BYTES_MAX as u64 + 1;
    if input.take(limit).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.len() > LINE_BYTES_MAX {
        let what = format!("the line is longer than {LINE_BYTES_MAX} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    if line.ends_with(b"\n") {
        line.pop();
    }
    Ok(Some(line))
}

fn history_path(server: &Server) -> Option<PathBuf> {
    editor::history_path(match server {
        Server::Qmp(_) => "qmp-history",
        Server::Human(_) => "hmp-history",
    })
}

/// How long the monitor of this program may take to answer.
const OWN_TIMEOUT: Duration = Duration::from_secs(10);

/// How often the shell looks whether the program has to end.
const SHUTDOWN_INTERVAL: Duration = Duration::from_millis(100);

/// Runs the human monitor at the terminal of the program that serves it, until
/// Ctrl-D or until the program has to end.
///
/// # Errors
///
/// Returns an error if the program has no terminal, or if the connection to the
/// program's own monitor fails.
pub fn run_own_hmp(
    socket: &Path,
    shutdown: &ShutdownSignal,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
        return Err(Failure::usage(
            "--hmp - needs a terminal; --hmp unix:PATH does not",
        ));
    }
    let endpoint = Endpoint::Unix(socket.to_owned());
    let modes = rustix::termios::tcgetattr(io::stdin());
    let client = Client::connect_out_of_band(&endpoint, OWN_TIMEOUT)?;
    let server = Server::Human(HumanMonitor::over_qmp(client));
    let history = history_path(&server);
    let (mut dialog, mut editor) = begin(server, history, out)?;
    // Wait for keys on another thread, because nothing can wake a thread that
    // waits for keys. That thread ends with the program.
    let (want_sender, want_receiver) = mpsc::channel();
    let (typed_sender, typed_receiver) = mpsc::channel();
    spawn("terminal", move || {
        while want_receiver.recv().is_ok() && typed_sender.send(editor.read()).is_ok() {}
    })?;
    let next = || {
        // Cannot fail: the thread runs for as long as this closure exists.
        let _ = want_sender.send(());
        loop {
            match typed_receiver.recv_timeout(SHUTDOWN_INTERVAL) {
                Ok(typed) => return typed,
                Err(RecvTimeoutError::Timeout) if !shutdown.wait_timeout(Duration::ZERO) => {}
                Err(_) => return Ok(Typed::End),
            }
        }
    };
    let outcome = converse(&mut dialog, false, next, out);
    if let Ok(modes) = modes {
        use rustix::termios::OptionalActions;
        let _ = rustix::termios::tcsetattr(io::stdin(), OptionalActions::Now, &modes);
    }
    outcome
}

/// Introduces the server at the terminal.
fn begin(
    mut server: Server,
    history: Option<PathBuf>,
    out: &mut dyn Write,
) -> Result<(Dialog, LineEditor), Failure> {
    let is_coloured = AutoStream::choice(&io::stdout()) != ColorChoice::Never;
    let style = Style::Pretty { is_coloured };
    let (prompt, help) = match &server {
        Server::Qmp(_) => ("(qmp) ", "help explains"),
        Server::Human(_) => ("(qemu) ", "help lists commands"),
    };
    let mut editor = LineEditor::new(prompt, history)?;
    let introduction = match &mut server {
        Server::Qmp(client) | Server::Human(HumanMonitor::OverQmp { client, .. }) => {
            client.read_in_background(print_above(editor.printer()?, style))?;
            version(client)
        }
        Server::Human(HumanMonitor::OnSocket(socket)) => {
            printable(socket.greeting().trim()).into_owned()
        }
    };
    writeln!(out, "{introduction}; Tab completes, {help}, Ctrl-D leaves.")?;
    let mut dialog = Dialog::new(server, style);
    match dialog.words() {
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

/// Returns the server's version, for people.
fn version(client: &Client) -> String {
    let version = client.version();
    match printable(version.package.trim()) {
        package if package.is_empty() => format!("Monitor version {version}"),
        package => format!("Monitor version {version} ({package})"),
    }
}

/// Returns a function that prints notices above the line that is being edited.
fn print_above(mut print: impl FnMut(String) + Send + 'static, style: Style) -> Notify {
    Box::new(move |notice| match notice {
        Notice::Event(event) => print(style.show_event(&event)),
        Notice::UnexpectedReply => print(UNEXPECTED_REPLY.to_owned()),
        Notice::Closed => print(CLOSED.to_owned()),
    })
}

/// Executes lines until the user or the server ends the conversation. Asks before
/// a command that ends, stops or resets the machine, unless `is_confirmed`.
fn converse(
    dialog: &mut Dialog,
    is_confirmed: bool,
    mut next: impl FnMut() -> Result<Typed, Failure>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    // The line that waits for the user's consent.
    let mut asked: Option<String> = None;
    while !dialog.has_ended() {
        let typed = next()?;
        if dialog.has_ended() {
            break;
        }
        let outcome = match (asked.take(), typed) {
            (_, Typed::End) => return Ok(()),
            (Some(_), Typed::Interrupt | Typed::NotUtf8) => Outcome::Text("Not done.".to_owned()),
            (None, Typed::Interrupt) => Outcome::Text(format!("{QUIET}Ctrl-D leaves{QUIET:#}")),
            (None, Typed::NotUtf8) => Outcome::Wrong(
                "a key is not UTF-8, so the line was discarded (the terminal's encoding is \
                 another one)"
                    .to_owned(),
            ),
            (Some(line), Typed::Line(answer)) => {
                if is_yes(&answer) {
                    dialog.enter(&line)?
                } else {
                    Outcome::Text("Not done.".to_owned())
                }
            }
            (None, Typed::Line(line)) => match dialog.impact(&line).filter(|_| !is_confirmed) {
                Some(impact) => {
                    let question = format!("'{}' {impact}. Really? (y/n)", printable(line.trim()));
                    asked = Some(line);
                    Outcome::Text(question)
                }
                None => dialog.enter(&line)?,
            },
        };
        match outcome {
            Outcome::Text(text) if text.is_empty() => {}
            Outcome::Text(text) => writeln!(out, "{text}")?,
            Outcome::Wrong(what) => writeln!(out, "{FAILED}{what}{FAILED:#}")?,
            Outcome::Exit => return Ok(()),
        }
        out.flush()?;
    }
    Ok(())
}

/// Returns whether an answer is consent.
fn is_yes(answer: &str) -> bool {
    ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str())
}

//! Lines typed at a terminal: editing, history, completion.
//!
//! In: keys. Out: lines; and a function with which other threads print above the
//! line that is being edited. This file does not know what lines mean.

use std::collections::VecDeque;
use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use super::completion::{self, Candidate, HmpWords};
use super::index::Index;
use super::request::is_unfinished;
use crate::failure::Failure;
use crate::lock::Lock;
use crate::printable::printable;

/// The number of lines that the history keeps.
const HISTORY_LINES_MAX: usize = 1000;

/// The words that can be completed.
#[derive(Debug)]
pub(super) enum Words {
    /// The words are not known.
    Unknown,
    /// The commands and arguments of QMP.
    Qmp(Index),
    /// The commands of the human monitor.
    Hmp(HmpWords),
}

/// The input of a user.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// A line.
    Line(String),
    /// A key that is not UTF-8. The line so far is discarded.
    NotUtf8,
    /// Ctrl-C, which discards the line.
    Interrupt,
    /// Ctrl-D on an empty line.
    End,
}

/// A line editor on the terminal.
pub(super) struct LineEditor {
    editor: Editor<ShellHelper, FileHistory>,
    prompt: &'static str,
    history: Option<PathBuf>,
    edited: EditedLine,
    /// The other lines of a text that was pasted.
    pasted: VecDeque<String>,
}

/// The line that is being edited; `None` while no line is.
type EditedLine = Arc<Lock<Option<String>>>;

impl LineEditor {
    /// Makes an editor. Its history is in a file if `history` names one, and only
    /// in memory otherwise.
    ///
    /// # Errors
    ///
    /// Returns an error if the terminal cannot be used.
    pub(super) fn new(prompt: &'static str, history: Option<PathBuf>) -> Result<Self, Failure> {
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .history_ignore_space(true)
            .max_history_size(HISTORY_LINES_MAX)
            .map_err(cannot_edit)?
            .build();
        let mut editor: Editor<ShellHelper, FileHistory> =
            Editor::with_config(config).map_err(cannot_edit)?;
        let edited = EditedLine::default();
        editor.set_helper(Some(ShellHelper::new(Words::Unknown, &edited)));
        if let Some(path) = &history {
            if let Some(folder) = path.parent() {
                let _ = DirBuilder::new().recursive(true).mode(0o700).create(folder);
            }
            // Ignore an error: the first time the file does not exist, and the shell
            // is useful without a history.
            let _ = editor.load_history(path);
        }
        Ok(Self {
            editor,
            prompt,
            history,
            edited,
            pasted: VecDeque::new(),
        })
    }

    /// Completes these words from now on.
    pub(super) fn complete_with(&mut self, words: Words) {
        let helper = ShellHelper::new(words, &self.edited);
        self.editor.set_helper(Some(helper));
    }

    /// Returns a function that any thread can call to print above the line that
    /// is being edited.
    ///
    /// rustyline has such a printer too. With that printer, version 17 waits for
    /// one more key if several keys come at once, as they do when text is
    /// pasted.
    ///
    /// # Errors
    ///
    /// Returns an error if the terminal's descriptor cannot be duplicated.
    pub(super) fn printer(&self) -> Result<impl FnMut(String) + Send + 'static, Failure> {
        let terminal = io::stdout().as_fd().try_clone_to_owned();
        let mut terminal = File::from(terminal.map_err(|error| cannot_edit(error.into()))?);
        let (edited, prompt) = (Arc::clone(&self.edited), self.prompt);
        Ok(move |text: String| {
            let edited = edited.lock();
            let text = match &*edited {
                // The terminal is in raw mode, in which a line feed does not
                // return the carriage. Draw the prompt and the line again below
                // the text.
                Some(line) => {
                    let text = text.replace('\n', "\r\n");
                    format!("\r\u{1b}[J{text}\r\n{prompt}{line}")
                }
                None => text + "\n",
            };
            // Fails if the terminal has gone.
            let _ = terminal.write_all(text.as_bytes());
        })
    }

    /// Waits for the next line.
    ///
    /// # Errors
    ///
    /// Returns an error if the terminal cannot be used.
    pub(super) fn read(&mut self) -> Result<Typed, Failure> {
        if let Some(line) = self.pasted.pop_front() {
            return Ok(Typed::Line(line));
        }
        *self.edited.lock() = Some(String::new());
        let read = self.editor.readline(self.prompt);
        *self.edited.lock() = None;
        match read {
            Ok(text) => {
                self.pasted.extend(lines(&text));
                for line in self.pasted.clone() {
                    self.remember(&line);
                }
                Ok(Typed::Line(self.pasted.pop_front().unwrap_or_default()))
            }
            Err(ReadlineError::Interrupted) => Ok(Typed::Interrupt),
            Err(ReadlineError::Eof) => Ok(Typed::End),
            Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                Ok(Typed::NotUtf8)
            }
            Err(error) => Err(cannot_edit(error)),
        }
    }

    /// Adds a line to the history. Writes the file at once, because the program
    /// may be killed later. A file that cannot be written is not worth a failure.
    fn remember(&mut self, line: &str) {
        let is_new = self.editor.add_history_entry(line);
        if let (Ok(true), Some(path)) = (is_new, &self.history) {
            // rustyline creates the file with mode 0600.
            let _ = self.editor.append_history(path);
        }
    }
}

/// Splits a text into lines. Lines that are parts of one request in JSON stay
/// together.
fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        match lines.last_mut() {
            Some(last) if last.trim_start().starts_with('{') && is_unfinished(last.trim()) => {
                last.push('\n');
                last.push_str(line);
            }
            _ => lines.push(line.to_owned()),
        }
    }
    lines
}

fn cannot_edit(error: ReadlineError) -> Failure {
    Failure::other(format!("cannot use the terminal: {error}"))
}

/// Returns the path of a history: in `$XDG_STATE_HOME/vmstats`, or in
/// `~/.local/state/vmstats` (the XDG base directory specification). Returns
/// `None` if the environment names neither folder.
pub(super) fn history_path(name: &str) -> Option<PathBuf> {
    let absolute = |variable: &str| {
        let path = PathBuf::from(std::env::var_os(variable)?);
        path.is_absolute().then_some(path)
    };
    let state = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(Path::new(".local/state"))))?;
    Some(state.join("vmstats").join(name))
}

/// The functions that the editor calls while a line is being typed.
struct ShellHelper {
    words: Words,
    edited: EditedLine,
}

impl ShellHelper {
    fn new(words: Words, edited: &EditedLine) -> Self {
        let edited = Arc::clone(edited);
        Self { words, edited }
    }
}

impl Helper for ShellHelper {}
impl Highlighter for ShellHelper {}

/// Copies the edited line, which the editor passes only to its hinter. Shows no
/// hint.
impl Hinter for ShellHelper {
    type Hint = String;

    fn hint(&self, line: &str, _: usize, _: &Context<'_>) -> Option<String> {
        if let Some(edited) = &mut *self.edited.lock() {
            line.clone_into(edited);
        }
        None
    }
}

impl Completer for ShellHelper {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let line = line.get(..at).unwrap_or(line);
        let (start, candidates) = match &self.words {
            Words::Unknown => (at, Vec::new()),
            Words::Qmp(index) => completion::qmp(index, line),
            Words::Hmp(words) => words.complete(line),
        };
        let pair = |Candidate { shown, text }| Pair {
            display: printable(&shown).into_owned(),
            replacement: printable(&text).into_owned(),
        };
        Ok((start, candidates.into_iter().map(pair).collect()))
    }
}

/// Lets a request that is JSON take several lines.
impl Validator for ShellHelper {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let is_hmp = matches!(self.words, Words::Hmp(_));
        let input = context.input().trim();
        if is_hmp || !input.starts_with('{') {
            return Ok(ValidationResult::Valid(None));
        }
        Ok(if is_unfinished(input) {
            ValidationResult::Incomplete
        } else {
            ValidationResult::Valid(None)
        })
    }
}

//! Lines typed at a terminal: editing, history, completion.
//!
//! In: keys. Out: lines; and a way for other threads to print above the line
//! that is being edited. What the lines mean it does not know.

use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use super::completion::{self, Candidate, HumanWords};
use super::index::Index;
use super::request::is_unfinished;
use crate::failure::Failure;
use crate::printable::printable;

/// Lines that the history keeps.
const HISTORY_LINES_MAX: usize = 1000;

/// What is known of the words that can be typed.
#[derive(Debug)]
pub(super) enum Words {
    /// Nothing.
    Unknown,
    /// QMP's.
    Qmp(Index),
    /// The human monitor's.
    Human(HumanWords),
}

/// What was typed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// A line.
    Line(String),
    /// Ctrl-C: the line is thrown away.
    Interrupt,
    /// Ctrl-D on an empty line.
    End,
}

/// A line editor on the terminal.
pub(super) struct LineEditor {
    editor: Editor<Helping, FileHistory>,
    prompt: &'static str,
    history: Option<PathBuf>,
    typing: Typing,
}

/// The line that is being edited, while one is.
type Typing = Arc<Mutex<Option<String>>>;

fn lock(typing: &Typing) -> MutexGuard<'_, Option<String>> {
    typing.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LineEditor {
    /// An editor whose history is in a file, or only in memory.
    ///
    /// # Errors
    ///
    /// What the terminal says.
    pub(super) fn new(prompt: &'static str, history: Option<PathBuf>) -> Result<Self, Failure> {
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .history_ignore_space(true)
            .max_history_size(HISTORY_LINES_MAX)
            .map_err(cannot_edit)?
            .build();
        let mut editor: Editor<Helping, FileHistory> =
            Editor::with_config(config).map_err(cannot_edit)?;
        let typing = Typing::default();
        editor.set_helper(Some(Helping::new(Words::Unknown, &typing)));
        if let Some(path) = &history {
            if let Some(folder) = path.parent() {
                let _ = DirBuilder::new().recursive(true).mode(0o700).create(folder);
            }
            // The first time there is none; one that cannot be read is not
            // worth a failure.
            let _ = editor.load_history(path);
        }
        Ok(Self {
            editor,
            prompt,
            history,
            typing,
        })
    }

    /// What is to be completed.
    pub(super) fn complete_with(&mut self, words: Words) {
        let helping = Helping::new(words, &self.typing);
        self.editor.set_helper(Some(helping));
    }

    /// A function that prints, from any thread, above the line being edited.
    ///
    /// rustyline has such a printer too. With it, version 17 waits for a
    /// further key where several come at once, as they do when text is pasted.
    ///
    /// # Errors
    ///
    /// That the terminal has no other handle.
    pub(super) fn printer(&self) -> Result<impl FnMut(String) + Send + 'static, Failure> {
        let terminal = io::stdout().as_fd().try_clone_to_owned();
        let mut terminal = File::from(terminal.map_err(|error| cannot_edit(error.into()))?);
        let (typing, prompt) = (Arc::clone(&self.typing), self.prompt);
        Ok(move |text: String| {
            let typing = lock(&typing);
            let text = match &*typing {
                // Raw: a line feed does not return. The line is drawn again.
                Some(line) => {
                    let text = text.replace('\n', "\r\n");
                    format!("\r\u{1b}[J{text}\r\n{prompt}{line}")
                }
                None => text + "\n",
            };
            // Whose terminal has gone reads nothing.
            let _ = terminal.write_all(text.as_bytes());
        })
    }

    /// The next line.
    ///
    /// # Errors
    ///
    /// What the terminal says.
    pub(super) fn read(&mut self) -> Result<Typed, Failure> {
        *lock(&self.typing) = Some(String::new());
        let read = self.editor.readline(self.prompt);
        *lock(&self.typing) = None;
        match read {
            Ok(line) => {
                self.remember(&line);
                Ok(Typed::Line(line))
            }
            Err(ReadlineError::Interrupted) => Ok(Typed::Interrupt),
            Err(ReadlineError::Eof) => Ok(Typed::End),
            Err(error) => Err(cannot_edit(error)),
        }
    }

    /// Keeps a line, at once: the program may be killed. A history that cannot
    /// be written is not worth a failure.
    fn remember(&mut self, line: &str) {
        let is_new = self.editor.add_history_entry(line);
        if let (Ok(true), Some(path)) = (is_new, &self.history) {
            // rustyline makes the file with mode 0600.
            let _ = self.editor.append_history(path);
        }
    }
}

fn cannot_edit(error: ReadlineError) -> Failure {
    Failure::other(format!("cannot use the terminal: {error}"))
}

/// Where histories are kept: `$XDG_STATE_HOME/vmstats`, or
/// `~/.local/state/vmstats` (the XDG base directory specification).
pub(super) fn history_path(name: &str) -> Option<PathBuf> {
    let absolute = |variable: &str| {
        let path = PathBuf::from(std::env::var_os(variable)?);
        path.is_absolute().then_some(path)
    };
    let state = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(Path::new(".local/state"))))?;
    Some(state.join("vmstats").join(name))
}

/// What the editor asks while a line is being typed.
struct Helping {
    words: Words,
    typing: Typing,
}

impl Helping {
    fn new(words: Words, typing: &Typing) -> Self {
        let typing = Arc::clone(typing);
        Self { words, typing }
    }
}

impl Helper for Helping {}
impl Highlighter for Helping {}

/// There are no hints: it is how one learns what the line is.
impl Hinter for Helping {
    type Hint = String;

    fn hint(&self, line: &str, _: usize, _: &Context<'_>) -> Option<String> {
        if let Some(typing) = &mut *lock(&self.typing) {
            line.clone_into(typing);
        }
        None
    }
}

impl Completer for Helping {
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
            Words::Human(words) => words.complete(line),
        };
        let pair = |Candidate { shown, text }| Pair {
            display: printable(&shown).into_owned(),
            replacement: printable(&text).into_owned(),
        };
        Ok((start, candidates.into_iter().map(pair).collect()))
    }
}

/// A request as JSON may take several lines.
impl Validator for Helping {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let is_human = matches!(self.words, Words::Human(_));
        let input = context.input().trim();
        if is_human || !input.starts_with('{') {
            return Ok(ValidationResult::Valid(None));
        }
        Ok(if is_unfinished(input) {
            ValidationResult::Incomplete
        } else {
            ValidationResult::Valid(None)
        })
    }
}

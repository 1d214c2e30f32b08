//! From a path to the expressions of a whole schema.
//!
//! In: the main file's path and a [`Loader`]. Out: all expressions in the
//! order in which QEMU's generator sees them, with the documentation that
//! belongs to each. Of the schema language it knows `include` and `pragma`;
//! the loader is the only thing that does I/O.

use std::path::PathBuf;
use std::string::FromUtf8Error;

use rustc_hash::FxHashMap as HashMap;

use crate::diag::{Diagnostics, Problem, Site};
use crate::pragmas::Pragmas;
use crate::rules::Rules;
use crate::source::{SourceFile, SourceMap, Span};
use crate::syntax::{DocBlock, Next, Object, Parser, Value, ValueKind};

mod include_dirs;
mod loader;
mod path;
mod pragma;

pub use include_dirs::IncludeFolders;
pub use loader::{FolderLoader, FsLoader, Loader, MemoryLoader};

/// How many bytes a schema may have, all files together; more is no schema
/// but a mistake, such as a device file.
const SCHEMA_BYTES_MAX: usize = 256 << 20;

/// The bytes of a path, as in Linux (`PATH_MAX`): a loader that is not the file
/// system has to be kept from includes that make it longer without end.
const PATH_BYTES_MAX: usize = 4096;

/// How many files a schema may have. Where folders link to themselves, a file
/// that includes itself twice has a new name each time, and there is no end.
const FILES_MAX: usize = 1 << 14;

/// A schema's expressions.
#[derive(Debug, Default)]
pub(crate) struct Program<'s> {
    /// The modules' names: the main file first, the others in the order of
    /// the directives that name them.
    pub(crate) modules: Vec<String>,
    /// What the files say, in order.
    pub(crate) items: Vec<Item<'s>>,
    pub(crate) pragmas: Pragmas,
}

/// An index into [`Program::modules`].
pub(crate) type ModuleIndex = usize;

/// Something that stands in a schema.
#[derive(Debug)]
pub(crate) enum Item<'s> {
    /// An expression that is no directive.
    Expression {
        module: ModuleIndex,
        span: Span,
        object: Object<'s>,
        doc: Option<DocBlock>,
    },
    /// A documentation block that belongs to no expression.
    FreeForm { module: ModuleIndex, doc: DocBlock },
    /// An `include` directive in one module that names another.
    Include {
        module: ModuleIndex,
        included: ModuleIndex,
        span: Span,
    },
}

/// Reads a schema with everything that it includes. The second part is the
/// path of every file that was read.
pub(crate) fn load<'s>(
    path: &str,
    loader: &dyn Loader,
    rules: Rules,
    sources: &'s SourceMap,
    diagnostics: &mut Diagnostics,
) -> (Program<'s>, Vec<PathBuf>) {
    let mut load = Load {
        loader,
        rules,
        sources,
        diagnostics,
        program: Program::default(),
        paths: path::Paths::new(loader.current_folder(), path),
        modules: HashMap::default(),
        files_read: Vec::new(),
        bytes_left: SCHEMA_BYTES_MAX,
    };
    let main = load.module(path);
    match load.open(path, main, None) {
        Ok(file) => load.run(file),
        Err(reason) => {
            let path = path.to_owned();
            load.diagnostics
                .report(Problem::SchemaUnreadable { path, reason }, None);
        }
    }
    (load.program, load.files_read)
}

/// A module as far as it is known by its path.
struct Known {
    index: ModuleIndex,
    state: State,
}

/// How far a file is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Open,
    Done,
}

/// A file that is being parsed.
struct OpenFile<'s> {
    parser: Parser<'s>,
    name: &'s str,
    module: ModuleIndex,
    /// The last documentation block, if nothing has followed it yet.
    doc: Option<DocBlock>,
}

struct Load<'s, 'a> {
    loader: &'a dyn Loader,
    rules: Rules,
    sources: &'s SourceMap,
    diagnostics: &'a mut Diagnostics,
    program: Program<'s>,
    paths: path::Paths,
    /// The modules by absolute path.
    modules: HashMap<String, Known>,
    files_read: Vec<PathBuf>,
    bytes_left: usize,
}

impl<'s> Load<'s, '_> {
    /// The module of a path, a new one if the path is new.
    fn module(&mut self, path: &str) -> ModuleIndex {
        let index = self.program.modules.len();
        let absolute = self.paths.absolute(path);
        let name = self.paths.module_name(&absolute);
        let known = self.modules.entry(absolute).or_insert_with(|| {
            self.program.modules.push(name);
            Known {
                index,
                state: State::New,
            }
        });
        known.index
    }

    fn set_state(&mut self, path: &str, state: State) {
        if let Some(known) = self.modules.get_mut(&self.paths.absolute(path)) {
            known.state = state;
        }
    }

    /// Reads a file.
    fn open(
        &mut self,
        path: &str,
        module: ModuleIndex,
        included_at: Option<Span>,
    ) -> Result<OpenFile<'s>, String> {
        if path.len() > PATH_BYTES_MAX {
            return Err("File name too long".to_owned());
        }
        if self.files_read.len() >= FILES_MAX {
            return Err("too many files".to_owned());
        }
        let bytes = self.loader.read(path, self.bytes_left).map_err(reason)?;
        self.files_read.push(self.loader.location(path));
        self.bytes_left = self.bytes_left.saturating_sub(bytes.len());
        let (text, whole) = match String::from_utf8(bytes) {
            Ok(text) => (text, true),
            Err(error) => (valid_part(&error), false),
        };
        let source = SourceFile::new(path.to_owned(), text, included_at);
        let Some((file, source)) = self.sources.add(source) else {
            return Err(reason(std::io::ErrorKind::OutOfMemory.into()));
        };
        self.set_state(path, State::Open);
        let parser = if whole {
            Parser::new(file, source, source.text(), self.rules, self.diagnostics)
        } else {
            let end = source.end();
            let start = end.saturating_sub(REPLACEMENT_BYTES);
            let span = Span { file, start, end };
            self.diagnostics
                .report_at(Problem::NotUtf8, Some(Site::exact(span)));
            // What stands before is not parsed: the rest may belong to it.
            Parser::new(file, source, "", self.rules, self.diagnostics)
        };
        Ok(OpenFile {
            parser,
            name: source.name(),
            module,
            doc: None,
        })
    }

    /// Parses files, the included ones where they are included, until the
    /// main one ends. An explicit stack: how deep files include each other is
    /// not ours to limit.
    fn run(&mut self, main: OpenFile<'s>) {
        let mut stack = vec![main];
        while let Some(file) = stack.last_mut() {
            match file.parser.peek() {
                Next::End => {
                    self.reject_doc(file);
                    self.set_state(file.name, State::Done);
                    stack.pop();
                }
                Next::Doc => {
                    self.reject_doc(file);
                    if let Some(doc) = file.parser.doc(self.diagnostics) {
                        file.doc = Some(doc);
                    }
                }
                Next::Expression => {
                    if let Some(included) = self.expression(file) {
                        stack.push(included);
                    }
                }
            }
        }
    }

    /// Takes the next expression; if it includes a file, this is returned.
    fn expression(&mut self, file: &mut OpenFile<'s>) -> Option<OpenFile<'s>> {
        let Some(value) = file.parser.expression(self.diagnostics) else {
            // The block before a wrong expression most likely belongs to it.
            file.doc = None;
            return None;
        };
        let span = value.span;
        let site = Site::line(span);
        let ValueKind::Object(object) = value.kind else {
            self.diagnostics
                .report_at(Problem::TopLevelNotObject, Some(site));
            file.doc = None;
            return None;
        };
        if let Some(include) = object.get("include") {
            self.reject_doc(file);
            return self.include(&object, include, file, &site);
        }
        if let Some(pragma) = object.get("pragma") {
            self.reject_doc(file);
            self.pragma(&object, pragma, &site);
            return None;
        }
        let doc = file.doc.take();
        if let Some(doc) = doc.as_ref().filter(|doc| doc.symbol().is_none()) {
            let site = Site::line(doc.span);
            self.diagnostics
                .report_at(Problem::DocWithoutSymbol, Some(site));
        }
        self.program.items.push(Item::Expression {
            module: file.module,
            span,
            object,
            doc,
        });
        None
    }

    /// Takes leave of a documentation block that no definition follows, which
    /// is right for one that names none.
    fn reject_doc(&mut self, file: &mut OpenFile<'s>) {
        let Some(doc) = file.doc.take() else {
            return;
        };
        if let Some(symbol) = doc.symbol() {
            let problem = Problem::DocWithoutDefinition(symbol.to_owned());
            self.diagnostics
                .report_at(problem, Some(Site::line(doc.span)));
        }
        self.program.items.push(Item::FreeForm {
            module: file.module,
            doc,
        });
    }

    fn include(
        &mut self,
        object: &Object<'s>,
        include: &Value<'s>,
        file: &OpenFile<'s>,
        site: &Site,
    ) -> Option<OpenFile<'s>> {
        if object.members.len() != 1 {
            let problem = Problem::InvalidDirective("include");
            self.diagnostics.report_at(problem, Some(site.clone()));
            return None;
        }
        let shown = site.clone().showing(Some(include.span));
        let ValueKind::Str(include) = &include.kind else {
            let problem = Problem::DirectiveValue {
                directive: "include",
                expected: "a string",
            };
            self.diagnostics.report_at(problem, Some(shown));
            return None;
        };
        let path = path::join(file.name, include);
        let included = self.module(&path);
        self.program.items.push(Item::Include {
            module: file.module,
            included,
            span: site.span,
        });
        let state = self
            .modules
            .get(&self.paths.absolute(&path))
            .map(|known| known.state);
        match state {
            Some(State::Done) => None,
            Some(State::Open) => {
                let include = include.to_string();
                self.diagnostics
                    .report_at(Problem::InclusionLoop { include }, Some(shown));
                None
            }
            _ => match self.open(&path, included, Some(site.span)) {
                Ok(file) => Some(file),
                Err(reason) => {
                    let problem = Problem::IncludeUnreadable { path, reason };
                    self.diagnostics.report_at(problem, Some(shown));
                    None
                }
            },
        }
    }

    fn pragma(&mut self, object: &Object<'s>, pragma: &Value<'s>, site: &Site) {
        if object.members.len() != 1 {
            let problem = Problem::InvalidDirective("pragma");
            self.diagnostics.report_at(problem, Some(site.clone()));
            return;
        }
        let ValueKind::Object(settings) = &pragma.kind else {
            let problem = Problem::DirectiveValue {
                directive: "pragma",
                expected: "an object",
            };
            let shown = site.clone().showing(Some(pragma.span));
            self.diagnostics.report_at(problem, Some(shown));
            return;
        };
        for member in &settings.members {
            let site = site.clone().showing(Some(member.key_span));
            pragma::apply(
                &mut self.program.pragmas,
                &member.key,
                &member.value,
                &site,
                self.rules,
                self.diagnostics,
            );
        }
    }
}

/// The bytes of the character that takes the place of what is not UTF-8.
const REPLACEMENT_BYTES: u32 = 3;

/// The text up to what is not UTF-8, with a character in the place of that.
fn valid_part(error: &FromUtf8Error) -> String {
    let valid = error.as_bytes().get(..error.utf8_error().valid_up_to());
    let mut text = String::from_utf8_lossy(valid.unwrap_or_default()).into_owned();
    text.push(char::REPLACEMENT_CHARACTER);
    text
}

/// The operating system's words for an error, without its number.
fn reason(error: std::io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}

//! From a path to the expressions of a whole schema.
//!
//! In: the main file's path and a [`Loader`]. Out: all expressions in the
//! order in which QEMU's generator reads them, each with its documentation. Of
//! the schema language only `include` and `pragma` are known here. Only the
//! loader does I/O.

use std::path::PathBuf;
use std::string::FromUtf8Error;

use rustc_hash::FxHashMap as HashMap;

use crate::diag::{Diagnostics, Problem, Site};
use crate::pragmas::Pragmas;
use crate::rules::{Fact, Rules};
use crate::source::{SourceFile, SourceMap, Span};
use crate::syntax::{DocBlock, Next, Object, Parser, Value, ValueKind};

mod include_folders;
mod loader;
mod main_files;
mod path;
mod pragma;
mod tree_version;

pub use include_folders::IncludeFolders;
pub use loader::{FolderLoader, FsLoader, Loader, MemoryLoader};
pub use main_files::main_files;
pub use tree_version::rules_of_tree;

/// The number of bytes that all files of a schema may have together. A larger
/// input is a mistake, such as a device file, and not a schema.
const SCHEMA_BYTES_MAX: usize = 256 << 20;

/// The number of bytes that a path may have, as in Linux (`PATH_MAX`). A loader
/// other than the file system may accept any path, and includes such as
/// `x/../a.json` could lengthen the path without end.
const PATH_BYTES_MAX: usize = 4096;

/// The number of files that a schema may have. Through a folder that links to
/// itself, a file can include itself under ever new names, so inclusion would
/// not end.
const FILES_MAX: usize = 1 << 14;

/// The contents of all files of a schema.
#[derive(Debug, Default)]
pub(crate) struct ParsedSchema<'s> {
    /// The modules' names: the main file's first, then the others in the order
    /// of the directives that include them.
    pub(crate) modules: Vec<String>,
    /// The files' items, in order.
    pub(crate) items: Vec<Item<'s>>,
    pub(crate) pragmas: Pragmas,
    pub(crate) loss: Loss,
}

/// The part of a schema that could not be read, because it is wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Loss {
    /// Everything could be read.
    #[default]
    Nothing,
    /// Expressions are missing, which may be definitions.
    Expressions,
    /// Files or settings are missing, so that the rest cannot be judged.
    Files,
}

/// An index into [`ParsedSchema::modules`].
pub(crate) type ModuleIndex = usize;

/// An item of a schema.
#[derive(Debug)]
pub(crate) enum Item<'s> {
    /// An expression that is not a directive.
    Expression(Expression<'s>),
    /// A documentation block without an expression.
    FreeForm { module: ModuleIndex, doc: DocBlock },
    /// An `include` directive in `module` that names `included`.
    Include {
        module: ModuleIndex,
        included: ModuleIndex,
        span: Span,
    },
}

/// An expression that is not a directive.
#[derive(Debug)]
pub(crate) struct Expression<'s> {
    pub(crate) module: ModuleIndex,
    pub(crate) span: Span,
    pub(crate) object: Object<'s>,
    pub(crate) doc: ExpressionDoc,
}

/// The documentation of an expression.
#[derive(Debug, Default)]
pub(crate) enum ExpressionDoc {
    /// No block precedes the expression.
    #[default]
    Absent,
    /// The block before the expression cannot be used, which has been reported.
    Wrong,
    /// The block before the expression.
    Block(DocBlock),
}

/// Reads a schema with all files that it includes. Also returns the path of
/// every file that was read.
pub(crate) fn load<'s>(
    path: &str,
    loader: &dyn Loader,
    rules: Rules,
    sources: &'s SourceMap,
    diagnostics: &mut Diagnostics,
) -> (ParsedSchema<'s>, Vec<PathBuf>) {
    let mut reader = SchemaReader {
        loader,
        rules,
        sources,
        diagnostics,
        schema: ParsedSchema::default(),
        paths: path::Paths::new(loader.current_folder(), path),
        modules: HashMap::default(),
        files_read: Vec::new(),
        bytes_left: SCHEMA_BYTES_MAX,
    };
    let main = reader.module(path);
    match reader.open(path, main, None) {
        Ok(file) => reader.run(file),
        Err(reason) => {
            let path = path.to_owned();
            reader.lose(Loss::Files);
            reader
                .diagnostics
                .report(Problem::SchemaUnreadable { path, reason }, None);
        }
    }
    (reader.schema, reader.files_read)
}

/// A module that a directive has named.
struct KnownModule {
    index: ModuleIndex,
    state: ReadState,
}

/// How far a file has been read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ReadState {
    New,
    Open,
    Done,
}

/// A file that is being parsed.
struct OpenFile<'s> {
    parser: Parser<'s>,
    name: &'s str,
    module: ModuleIndex,
    /// The last documentation block, if no expression has followed it yet.
    doc: ExpressionDoc,
}

/// A reader of a schema's files.
struct SchemaReader<'s, 'a> {
    loader: &'a dyn Loader,
    rules: Rules,
    sources: &'s SourceMap,
    diagnostics: &'a mut Diagnostics,
    schema: ParsedSchema<'s>,
    paths: path::Paths,
    /// The modules by absolute path.
    modules: HashMap<String, KnownModule>,
    files_read: Vec<PathBuf>,
    bytes_left: usize,
}

impl<'s> SchemaReader<'s, '_> {
    /// Returns the module of a path. Adds a module if the path is new.
    fn module(&mut self, path: &str) -> ModuleIndex {
        let index = self.schema.modules.len();
        let absolute = self.paths.absolute(path);
        let name = self.paths.module_name(&absolute);
        let known = self.modules.entry(absolute).or_insert_with(|| {
            self.schema.modules.push(name);
            KnownModule {
                index,
                state: ReadState::New,
            }
        });
        known.index
    }

    /// Records that a part of the schema could not be read.
    fn lose(&mut self, loss: Loss) {
        self.schema.loss = self.schema.loss.max(loss);
    }

    fn set_state(&mut self, path: &str, state: ReadState) {
        if let Some(known) = self.modules.get_mut(&self.paths.absolute(path)) {
            known.state = state;
        }
    }

    /// Reads a file and begins to parse it. The error is the reason why the file
    /// cannot be read.
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
        self.set_state(path, ReadState::Open);
        let parser = if whole {
            Parser::new(file, source, source.text(), self.rules, self.diagnostics)
        } else {
            let end = source.end();
            let start = end.saturating_sub(REPLACEMENT_BYTES);
            let span = Span { file, start, end };
            self.diagnostics
                .report_at(Problem::NotUtf8, Some(Site::exact(span)));
            self.lose(Loss::Files);
            // Parse nothing, because the valid part alone would give misleading
            // errors.
            Parser::new(file, source, "", self.rules, self.diagnostics)
        };
        Ok(OpenFile {
            parser,
            name: source.name(),
            module,
            doc: ExpressionDoc::Absent,
        })
    }

    /// Parses the main file, and each included file where it is included. The
    /// open files are on an explicit stack, because a schema may nest includes
    /// deeply and recursion could overflow ours.
    fn run(&mut self, main: OpenFile<'s>) {
        let mut stack = vec![main];
        while let Some(file) = stack.last_mut() {
            match file.parser.peek() {
                Next::End => {
                    self.close_doc(file);
                    if file.parser.has_skipped() {
                        self.lose(Loss::Expressions);
                    }
                    self.set_state(file.name, ReadState::Done);
                    stack.pop();
                }
                Next::Doc if self.rules.have(Fact::CommentsIgnored) => {
                    file.parser.skip_comment(self.diagnostics);
                }
                Next::Doc => {
                    self.close_doc(file);
                    file.doc = match file.parser.doc(self.diagnostics) {
                        Some(doc) => ExpressionDoc::Block(doc),
                        None => ExpressionDoc::Wrong,
                    };
                }
                Next::Expression => {
                    if let Some(included) = self.expression(file) {
                        stack.push(included);
                    }
                }
            }
        }
    }

    /// Reads the next expression. If it includes a file, returns that file.
    fn expression(&mut self, file: &mut OpenFile<'s>) -> Option<OpenFile<'s>> {
        let Some(value) = file.parser.expression(self.diagnostics) else {
            // Drop the block before a wrong expression, because the block most
            // likely belongs to it; otherwise it would be reported, too.
            file.doc = ExpressionDoc::Absent;
            return None;
        };
        let span = value.span;
        let site = Site::line(span);
        let ValueKind::Object(object) = value.kind else {
            self.diagnostics
                .report_at(Problem::TopLevelNotObject, Some(site));
            self.lose(Loss::Expressions);
            file.doc = ExpressionDoc::Absent;
            return None;
        };
        if let Some(include) = object.get("include") {
            self.close_doc(file);
            return self.include(&object, include, file, &site);
        }
        if let Some(pragma) = object.get("pragma") {
            self.close_doc(file);
            self.pragma(&object, pragma, &site);
            return None;
        }
        let mut doc = std::mem::take(&mut file.doc);
        if let ExpressionDoc::Block(block) = &doc
            && block.symbol().is_none()
        {
            let site = Site::line(block.span);
            self.diagnostics
                .report_at(Problem::DocWithoutSymbol, Some(site));
            doc = ExpressionDoc::Wrong;
        }
        self.schema.items.push(Item::Expression(Expression {
            module: file.module,
            span,
            object,
            doc,
        }));
        None
    }

    /// Adds the last documentation block as a free-form one, if no definition
    /// has followed it. Reports the block if it names a definition.
    fn close_doc(&mut self, file: &mut OpenFile<'s>) {
        let ExpressionDoc::Block(doc) = std::mem::take(&mut file.doc) else {
            return;
        };
        if let Some(symbol) = doc.symbol() {
            let problem = Problem::DocWithoutDefinition(symbol.to_owned());
            self.diagnostics
                .report_at(problem, Some(Site::line(doc.span)));
        }
        self.schema.items.push(Item::FreeForm {
            module: file.module,
            doc,
        });
    }

    /// Reads an `include` directive. Returns the file if it must be parsed now.
    fn include(
        &mut self,
        object: &Object<'s>,
        include: &Value<'s>,
        file: &OpenFile<'s>,
        site: &Site,
    ) -> Option<OpenFile<'s>> {
        if object.members.len() != 1 {
            self.lose(Loss::Files);
            let problem = Problem::InvalidDirective("include");
            self.diagnostics.report_at(problem, Some(site.clone()));
            return None;
        }
        let shown = site.clone().showing(Some(include.span));
        let ValueKind::Str(include) = &include.kind else {
            self.lose(Loss::Files);
            let problem = Problem::DirectiveValue {
                directive: "include",
                expected: "a string",
            };
            self.diagnostics.report_at(problem, Some(shown));
            return None;
        };
        let path = path::join(file.name, include);
        let included = self.module(&path);
        self.schema.items.push(Item::Include {
            module: file.module,
            included,
            span: site.span,
        });
        let state = self
            .modules
            .get(&self.paths.absolute(&path))
            .map(|known| known.state);
        match state {
            Some(ReadState::Done) => None,
            Some(ReadState::Open) => {
                let include = include.to_string();
                self.diagnostics
                    .report_at(Problem::InclusionLoop { include }, Some(shown));
                None
            }
            _ => match self.open(&path, included, Some(site.span)) {
                Ok(file) => Some(file),
                Err(reason) => {
                    self.lose(Loss::Files);
                    let problem = Problem::IncludeUnreadable { path, reason };
                    self.diagnostics.report_at(problem, Some(shown));
                    None
                }
            },
        }
    }

    /// Reads a `pragma` directive.
    fn pragma(&mut self, object: &Object<'s>, pragma: &Value<'s>, site: &Site) {
        if object.members.len() != 1 {
            self.lose(Loss::Files);
            let problem = Problem::InvalidDirective("pragma");
            self.diagnostics.report_at(problem, Some(site.clone()));
            return;
        }
        let ValueKind::Object(settings) = &pragma.kind else {
            self.lose(Loss::Files);
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
            let applied = pragma::apply(
                &mut self.schema.pragmas,
                &member.key,
                &member.value,
                &site,
                self.rules,
                self.diagnostics,
            );
            if applied.is_err() {
                self.lose(Loss::Files);
            }
        }
    }
}

/// The number of bytes of the character that replaces invalid UTF-8.
const REPLACEMENT_BYTES: u32 = 3;

/// Returns the text up to the first invalid UTF-8, followed by a replacement
/// character.
fn valid_part(error: &FromUtf8Error) -> String {
    let valid_bytes = error.utf8_error().valid_up_to();
    let (valid, _) = error.as_bytes().split_at(valid_bytes);
    let mut text = String::from_utf8_lossy(valid).into_owned();
    text.push(char::REPLACEMENT_CHARACTER);
    text
}

/// Returns the operating system's message for an error, without its number.
fn reason(error: std::io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}

//! What a build script calls.
//!
//! In: a schema's path and choices. Out: files in OUT_DIR, and cargo's
//! `rerun-if-changed` lines for every file that was read.

use std::env;
use std::path::{Path, PathBuf};

use crate::backend::rust::{Addition, CfgNames, Conditions, Layout, Options};
use crate::diag::printable;
use crate::driver::Generation;
use crate::load::IncludeFolders;
use crate::output_dir::write_files;
use crate::rules::Rules;

/// Compiles a schema in a build script.
///
/// ```no_run
/// // In build.rs, within fn main:
/// qapi_gen::Builder::new("schema/qapi-schema.json").compile();
/// ```
///
/// and then, in the crate:
///
/// ```ignore
/// include!(concat!(env!("OUT_DIR"), "/qapi/mod.rs"));
/// ```
///
/// The crate depends on `qapi-wire`, which the generated code calls. What is to
/// be different is said before:
///
/// ```no_run
/// qapi_gen::Builder::new("schema/qapi-schema.json")
///     .only("block.json")
///     .cfg_predicate("CONFIG_LINUX", r#"target_os = "linux""#)
///     .derive_for("BlockInfo", "::schemars::JsonSchema")
///     .replace("UuidInfo", "crate::Uuid")
///     .compile();
/// ```
///
/// Definitions and files are named as in the schema; a name that it does not
/// have is an error, and so is a choice that would do nothing to what it names.
#[derive(Clone, Debug)]
#[must_use = "nothing is compiled before `compile` is called"]
pub struct Builder {
    schema: PathBuf,
    options: Options,
    include_folders: Vec<(String, PathBuf)>,
    out_dir: Option<PathBuf>,
}

impl Builder {
    /// Begins with the main file of a schema. A relative path counts from the
    /// crate's root, where cargo runs build scripts.
    pub fn new(schema: impl Into<PathBuf>) -> Self {
        Self {
            schema: schema.into(),
            options: Options::default(),
            include_folders: Vec::new(),
            out_dir: None,
        }
    }

    /// Whose rules the schema follows; by default the newest.
    pub fn rules(mut self, rules: Rules) -> Self {
        self.options.rules = rules;
        self
    }

    /// Whether the schema's documentation becomes rustdoc; by default it does.
    pub fn docs(mut self, docs: bool) -> Self {
        self.options.docs = docs;
        self
    }

    /// Lets an enumeration have values at run time that the schema does not
    /// list.
    pub fn open_enum(mut self, name: impl Into<String>) -> Self {
        self.options.open_enums.insert(name.into());
        self
    }

    /// Lets the handler of a command write its reply straight into the output.
    pub fn direct_reply(mut self, command: impl Into<String>) -> Self {
        self.options.direct_replies.insert(command.into());
        self
    }

    /// Generates only what exists if exactly these configuration symbols are
    /// defined. By default whatever is conditional is generated. Of this and
    /// the methods that begin with `cfg`, the last that is called counts.
    ///
    /// Symbols that are in no condition of the schema are warned of: they may
    /// be misspelt, or of a configuration that several schemas share.
    pub fn config<S: Into<String>>(mut self, symbols: impl IntoIterator<Item = S>) -> Self {
        let defined = symbols.into_iter().map(Into::into).collect();
        self.options.conditions = Conditions::Config(defined);
        self
    }

    /// Generates whatever is conditional, each with a `#[cfg(...)]`: a symbol
    /// like `CONFIG_VNC_SASL` is the Cargo feature `vnc-sasl`, unless
    /// [`Self::cfg_feature`] or [`Self::cfg_predicate`] says otherwise. The
    /// features are the crate's to declare.
    ///
    /// A handler of a conditional command needs the same condition, and so
    /// does what uses a conditional member.
    pub fn cfg(self) -> Self {
        self.cfg_names(|names| names)
    }

    /// As [`Self::cfg`]; this symbol is this Cargo feature.
    pub fn cfg_feature(self, symbol: impl Into<String>, feature: &str) -> Self {
        self.cfg_names(|names| names.feature(symbol, feature))
    }

    /// As [`Self::cfg`]; this symbol is this predicate, such as
    /// `target_os = "linux"`, `true` or `false`.
    pub fn cfg_predicate(self, symbol: impl Into<String>, predicate: impl Into<String>) -> Self {
        self.cfg_names(|names| names.predicate(symbol, predicate))
    }

    fn cfg_names(mut self, change: impl FnOnce(CfgNames) -> CfgNames) -> Self {
        let names = match self.options.conditions {
            Conditions::Cfg(names) => names,
            Conditions::Ignore | Conditions::Config(_) => CfgNames::default(),
        };
        self.options.conditions = Conditions::Cfg(change(names));
        self
    }

    /// Derives a further trait for everything that is generated for
    /// definitions: types, the enums of unions' branches, requests, events.
    /// Nothing is derived twice. The path has to hold from within the
    /// generated modules: `::schemars::JsonSchema`,
    /// `crate::Mine`.
    pub fn derive(mut self, path: impl Into<String>) -> Self {
        self.options.derives.push(Addition {
            to: None,
            text: path.into(),
        });
        self
    }

    /// Derives a further trait for a definition: a type, a command's request,
    /// an event.
    pub fn derive_for(mut self, definition: impl Into<String>, path: impl Into<String>) -> Self {
        self.options.derives.push(Addition {
            to: Some(definition.into()),
            text: path.into(),
        });
        self
    }

    /// Puts an attribute, such as `#[non_exhaustive]`, on everything that is
    /// generated for definitions, after the derives.
    pub fn attribute(mut self, attribute: impl Into<String>) -> Self {
        self.options.attributes.push(Addition {
            to: None,
            text: attribute.into(),
        });
        self
    }

    /// Puts an attribute on what is generated for `DEFINITION`, or on the
    /// field or variant for `DEFINITION.MEMBER`, both as the schema spells
    /// them. In a union that is a member of its base or, if there is none of
    /// that name, the variant of a branch.
    pub fn attribute_for(mut self, name: impl Into<String>, attribute: impl Into<String>) -> Self {
        self.options.attributes.push(Addition {
            to: Some(name.into()),
            text: attribute.into(),
        });
        self
    }

    /// Uses a Rust type for a type of the schema, instead of generating one.
    ///
    /// It has to be `Clone`, `Debug` and `PartialEq`, and to implement
    /// `qapi_wire`'s `Decode` and `Encode` and serde's `Serialize`; one that
    /// stands for the arguments of a command, the data of an event or a branch
    /// also `DecodeMembers` and `EncodeMembers`. Types
    /// that hold it are neither `Eq` nor `Hash`. A union's discriminator
    /// cannot be replaced.
    pub fn replace(mut self, definition: impl Into<String>, ty: impl Into<String>) -> Self {
        let replaced = &mut self.options.replaced;
        replaced.insert(definition.into(), ty.into());
        self
    }

    /// Generates only this schema file, named as in `include`s seen from the
    /// main file's folder, or only this definition; called again also that.
    /// The types that they need come with them.
    pub fn only(mut self, name: impl Into<String>) -> Self {
        self.options.only.insert(name.into());
        self
    }

    /// Leaves out this schema file or definition, with the types that nothing
    /// else needs. A type that something else needs stays.
    pub fn except(mut self, name: impl Into<String>) -> Self {
        self.options.except.insert(name.into());
        self
    }

    /// Writes `mod.rs` only, with the modules in it. By default each schema
    /// file that defines something becomes a file.
    pub fn one_file(mut self) -> Self {
        self.options.layout = Layout::OneFile;
        self
    }

    /// Whether the code is laid out for people to read; by default it is.
    /// Without that it takes about half the time, and what comes out is the
    /// same to the compiler and to rustdoc. Without feature `format`, which
    /// takes longer to build than all the rest of this library, it never is.
    #[cfg(feature = "format")]
    pub fn formatted(mut self, formatted: bool) -> Self {
        self.options.formatted = formatted;
        self
    }

    /// Whether the root has a static `SCHEMA` that holds the schema as data,
    /// to answer `query-qmp-schema` from; by default it has.
    pub fn introspection(mut self, introspection: bool) -> Self {
        self.options.introspection = introspection;
        self
    }

    /// Lets the schema include files of a folder elsewhere, as if it were one
    /// called `name` beside the main file.
    ///
    /// A package that ships a schema tells its dependents the folder by way of
    /// cargo's key [`links`](https://doc.rust-lang.org/cargo/reference/build-scripts.html#the-links-manifest-key);
    /// `qapi-stats` does:
    ///
    /// ```no_run
    /// let schema = std::env::var("DEP_QAPI_STATS_SCHEMA").unwrap();
    /// qapi_gen::Builder::new("schema/vmm.json")
    ///     .include_folder("qapi-stats", schema)
    ///     .extern_module("qapi-stats/stats.json", "::qapi_stats::stats")
    ///     .compile();
    /// ```
    ///
    /// and `vmm.json` says `{ 'include': 'qapi-stats/stats.json' }`.
    pub fn include_folder(mut self, name: impl Into<String>, folder: impl Into<PathBuf>) -> Self {
        self.include_folders.push((name.into(), folder.into()));
        self
    }

    /// Takes a module of the schema from another crate instead of generating
    /// it: `module` is the schema file's path relative to the main file's
    /// folder, `path` that of the Rust module, from `::` or `crate::` on.
    ///
    /// Own types then use the other crate's, and what the root has of the
    /// whole schema, such as `Commands`, `Event` and `SCHEMA`, includes them.
    /// A server that implements only its own commands is an `OwnDispatcher`.
    ///
    /// An enumeration that the other crate was told to keep open has to be
    /// named in [`open_enum`](Self::open_enum) here too, unless its own
    /// replies and events carry it; the compiler says so if a union depends on
    /// it.
    pub fn extern_module(mut self, module: impl Into<String>, path: impl Into<String>) -> Self {
        self.options
            .extern_modules
            .insert(module.into(), path.into());
        self
    }

    /// Writes into this folder; by default into `$OUT_DIR/qapi`.
    pub fn out_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.out_dir = Some(folder.into());
        self
    }

    /// Compiles the schema, and ends the build script with the diagnostics if
    /// there are any.
    pub fn compile(self) {
        if let Err(report) = self.try_compile() {
            eprintln!("{report}");
            // A build script has no other way to fail than its exit status.
            std::process::exit(1);
        }
    }

    /// Compiles the schema.
    ///
    /// # Errors
    ///
    /// The diagnostics, or why a file could not be written, as text.
    pub fn try_compile(self) -> Result<(), String> {
        let out_dir = match (self.out_dir, env::var_os("OUT_DIR")) {
            (Some(folder), _) => folder,
            (None, Some(folder)) => Path::new(&folder).join("qapi"),
            (None, None) => return Err("OUT_DIR is not set: is this a build script?".to_owned()),
        };
        let loader = IncludeFolders::on_disk(&self.schema, &self.include_folders)
            .map_err(|error| error.to_string())?;
        let generation = crate::generate(&self.schema, &loader, &self.options);
        for file in &generation.files_read {
            println!("cargo::rerun-if-changed={}", file.display());
        }
        for warning in warnings(&generation) {
            println!("cargo::warning={warning}");
        }
        let files = generation
            .into_files()
            .map_err(|report| report.to_string())?;
        write_files(&out_dir, &files)
            .map_err(|error| format!("cannot write to {}: {error}", out_dir.display()))
    }
}

/// How many warnings a build shows: enough to tell what they are about.
const WARNINGS_MAX: usize = 5;

/// The warnings, each on a line, as cargo wants them; first those that are not
/// about a place in the schema but about what the build script asks for.
fn warnings(generation: &Generation) -> Vec<String> {
    let (of_schema, of_choices): (Vec<_>, Vec<_>) = generation
        .diagnostics
        .warnings()
        .partition(|warning| warning.site.is_some());
    let mut lines: Vec<String> = of_choices
        .into_iter()
        .chain(of_schema)
        .take(WARNINGS_MAX)
        .map(|warning| {
            // Cargo says itself that it is a warning.
            let text = warning.short(&generation.sources);
            let text = printable(&text).replace('\n', " ");
            text.replacen("warning: ", "", 1)
        })
        .collect();
    let more = generation.diagnostics.warnings().count() - lines.len();
    if more > 0 {
        lines.push(format!(
            "and {more} more; `qapi-gen check --all` tells them all"
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::MemoryLoader;

    #[test]
    fn warnings_are_few_and_have_a_line_each() {
        let block = "##\n# A sentence. Another one.\n##\n";
        let check = |blocks: usize, expected: usize| {
            let loader = MemoryLoader::from_iter([("a.json", block.repeat(blocks))]);
            let generation = crate::generate("a.json", &loader, &Options::default());
            let warnings = warnings(&generation);
            assert_eq!(warnings.len(), expected);
            assert!(warnings.iter().all(|line| !line.contains('\n')));
            // Cargo writes it in front of each.
            assert!(warnings.iter().all(|line| !line.contains("warning")));
            assert!(generation.files.is_some());
        };
        check(0, 0);
        check(WARNINGS_MAX, WARNINGS_MAX);
        check(1000, WARNINGS_MAX + 1);
    }

    #[test]
    fn what_the_build_script_asks_for_is_warned_of_first() {
        let block = "##\n# A sentence. Another one.\n##\n";
        let loader = MemoryLoader::from_iter([("a.json", block.repeat(WARNINGS_MAX))]);
        let options = Options {
            conditions: Conditions::Config(["CONFIG_X".to_owned()].into()),
            ..Options::default()
        };
        let warnings = warnings(&crate::generate("a.json", &loader, &options));
        let first = "config: symbol 'CONFIG_X' is in no condition of the schema";
        assert_eq!(warnings.first().map(String::as_str), Some(first));
        assert_eq!(warnings.len(), WARNINGS_MAX + 1);
    }
}

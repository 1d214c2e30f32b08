//! The interface for build scripts.
//!
//! In: the path of a schema, and choices. Out: files in `OUT_DIR`, and a
//! `rerun-if-changed` line for cargo for each file that was read.

use std::env;
use std::ffi::OsStr;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use crate::backend::rust::{Addition, CfgNames, Conditions, Layout, Options};
use crate::config_file::ConfigFile;
use crate::diag::{Colors, module_alone, printable};
use crate::driver::Generation;
use crate::load::{IncludeFolders, main_files};
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
/// The crate depends on `qapi-wire`, which the generated code calls. Other methods
/// change the generated code:
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
/// Definitions and files have the names of the schema. A name that the schema does
/// not have is an error, and so is a choice that would have no effect.
///
/// A file `qapi-gen.toml` above the schema can make choices, too; see [`ConfigFile`].
#[derive(Clone, Debug)]
#[must_use = "nothing is compiled before `compile` is called"]
pub struct Builder {
    schema: PathBuf,
    options: Options,
    rules: Option<Rules>,
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
            rules: None,
            include_folders: Vec::new(),
            out_dir: None,
        }
    }

    /// Sets the rules that the schema follows. The default is the newest rules.
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = Some(rules);
        self
    }

    /// Sets whether the schema's documentation becomes rustdoc. The default is
    /// `true`.
    pub fn docs(mut self, docs: bool) -> Self {
        self.options.docs = docs;
        self
    }

    /// Lets an enumeration accept values at run time that the schema does not
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

    /// Generates only items that exist when exactly these configuration symbols
    /// are defined. By default, all conditional items are generated. This method
    /// and the methods that begin with `cfg` override each other; the last call
    /// counts.
    ///
    /// A symbol that no condition of the schema mentions causes a warning: it may
    /// be misspelt, or belong to a configuration that several schemas share.
    pub fn config<S: Into<String>>(mut self, symbols: impl IntoIterator<Item = S>) -> Self {
        let defined = symbols.into_iter().map(Into::into).collect();
        self.options.conditions = Conditions::Config(defined);
        self
    }

    /// Generates conditional items with a `#[cfg(...)]`. A symbol such as
    /// `CONFIG_VNC_SASL` becomes the Cargo feature `vnc-sasl`, unless
    /// [`Self::cfg_feature`] or [`Self::cfg_predicate`] maps it to something else.
    /// The crate must declare the features.
    ///
    /// The handler of a conditional command needs the same condition, and so does
    /// code that uses a conditional member.
    pub fn cfg(self) -> Self {
        self.cfg_names(|names| names)
    }

    /// Generates conditions like [`Self::cfg`], and maps a symbol to a Cargo
    /// feature.
    pub fn cfg_feature(self, symbol: impl Into<String>, feature: &str) -> Self {
        self.cfg_names(|names| names.feature(symbol, feature))
    }

    /// Generates conditions like [`Self::cfg`], and maps a symbol to a predicate
    /// such as `target_os = "linux"`, `true` or `false`.
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

    /// Derives an additional trait for all types, enums of unions' branches,
    /// requests and events. A trait that is derived by default is not derived
    /// twice. The path must be valid within the generated modules, such as
    /// `::schemars::JsonSchema` or `crate::Mine`.
    pub fn derive(mut self, path: impl Into<String>) -> Self {
        self.options.derives.push(Addition::to_all(path));
        self
    }

    /// Derives an additional trait for a definition: a type, the request of a
    /// command, or an event.
    pub fn derive_for(mut self, definition: impl Into<String>, path: impl Into<String>) -> Self {
        self.options.derives.push(Addition::to(definition, path));
        self
    }

    /// Puts an attribute, such as `#[non_exhaustive]`, on the items of all
    /// definitions, after the derives.
    pub fn attribute(mut self, attribute: impl Into<String>) -> Self {
        self.options.attributes.push(Addition::to_all(attribute));
        self
    }

    /// Puts an attribute on the items of `DEFINITION`, or on the field or variant
    /// of `DEFINITION.MEMBER`. Both names are those of the schema. A member of a
    /// union is a member of its base or, if the base has no member of that name,
    /// a branch.
    pub fn attribute_for(mut self, name: impl Into<String>, attribute: impl Into<String>) -> Self {
        self.options.attributes.push(Addition::to(name, attribute));
        self
    }

    /// Uses a Rust type for a type of the schema, instead of generating one.
    ///
    /// The Rust type must be `Clone`, `Debug` and `PartialEq`, and implement
    /// `qapi_wire`'s `Decode` and `Encode` and serde's `Serialize`. A type for the
    /// arguments of a command, the data of an event or a branch must also
    /// implement `DecodeMembers` and `EncodeMembers`. Types that contain it are
    /// neither `Eq` nor `Hash`. The discriminator of a union cannot be replaced.
    pub fn replace(mut self, definition: impl Into<String>, ty: impl Into<String>) -> Self {
        let replaced = &mut self.options.replaced;
        replaced.insert(definition.into(), ty.into());
        self
    }

    /// Generates only a schema file, or only a definition, and the types that it
    /// needs. The name of a file is its path from the folder of the main file.
    /// Several calls add up.
    pub fn only(mut self, name: impl Into<String>) -> Self {
        self.options.only.insert(name.into());
        self
    }

    /// Leaves out a schema file or a definition, and the types that nothing else
    /// needs.
    pub fn except(mut self, name: impl Into<String>) -> Self {
        self.options.except.insert(name.into());
        self
    }

    /// Writes `mod.rs` only, with all modules in it. By default, each schema file
    /// that defines something becomes a file.
    pub fn one_file(mut self) -> Self {
        self.options.layout = Layout::OneFile;
        self
    }

    /// Sets whether the code is formatted for people. The default is `true`.
    /// Without formatting, generation takes about half the time, and the code is
    /// the same for the compiler and for rustdoc. Without feature `format`, which
    /// takes longer to build than the rest of this library, code is never
    /// formatted, and this method has no effect.
    pub fn formatted(mut self, formatted: bool) -> Self {
        self.options.formatted = formatted;
        self
    }

    /// Sets whether the root has a static `SCHEMA` with the schema as data, from
    /// which a server answers `query-qmp-schema`. The default is `true`.
    pub fn introspection(mut self, introspection: bool) -> Self {
        self.options.introspection = introspection;
        self
    }

    /// Lets the schema include files of another folder as if the folder were
    /// beside the main file and had the name `name`.
    ///
    /// A package that contains a schema passes the folder to its dependents through
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

    /// Uses a module of another crate instead of generating it. `module` is the
    /// path of the schema file relative to the folder of the main file; `path` is
    /// that of the Rust module, which begins with `::` or `crate::`.
    ///
    /// The generated types refer to those of the other crate. Items for the whole
    /// schema, such as `Commands`, `Event` and `SCHEMA`, include the module. A
    /// server for the generated commands only is an `OwnDispatcher`.
    ///
    /// An enumeration that the other crate opened by option must be named in
    /// [`open_enum`](Self::open_enum) here, too, unless replies or events of the
    /// module itself carry it. The compiler reports a missing name if a union
    /// depends on the enumeration.
    pub fn extern_module(mut self, module: impl Into<String>, path: impl Into<String>) -> Self {
        self.options
            .extern_modules
            .insert(module.into(), path.into());
        self
    }

    /// Sets the output folder. The default is `$OUT_DIR/qapi`.
    pub fn out_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.out_dir = Some(folder.into());
        self
    }

    /// Compiles the schema. If there are errors, prints each with the underlined
    /// line of the schema and a hint, and ends the build script. The colours are
    /// those of cargo: see `CARGO_TERM_COLOR` and `NO_COLOR`.
    pub fn compile(self) {
        if let Err(report) = self.compiled(colors_of_build_script()) {
            eprintln!("{report}");
            std::process::exit(1);
        }
    }

    /// Compiles the schema.
    ///
    /// # Errors
    ///
    /// Returns the errors of the schema and the options, or the reason why a file
    /// could not be written, as text without colours.
    pub fn try_compile(self) -> Result<(), String> {
        self.compiled(Colors::Off)
    }

    fn compiled(self, colors: Colors) -> Result<(), String> {
        let out_dir = match (self.out_dir, env::var_os("OUT_DIR")) {
            (Some(folder), _) => folder,
            (None, Some(folder)) => Path::new(&folder).join("qapi"),
            (None, None) => return Err("OUT_DIR is not set: is this a build script?".to_owned()),
        };
        let file = ConfigFile::find(&self.schema).map_err(|error| error.to_string())?;
        if let Some(path) = file.path() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
        let mut options = self.options;
        options.rules = self.rules.or(file.rules()).unwrap_or_default();
        file.add_to(&mut options);
        let mut folders = self.include_folders;
        folders.extend_from_slice(file.include_folders());
        let loader =
            IncludeFolders::on_disk(&self.schema, &folders).map_err(|error| error.to_string())?;
        let generation = crate::generate(&self.schema, &loader, &options);
        for file in &generation.files_read {
            println!("cargo::rerun-if-changed={}", file.display());
        }
        for warning in warnings(&generation) {
            println!("cargo::warning={warning}");
        }
        let alone = generation.diagnostics.may_lack_main_file();
        let files = generation.into_files_or(colors).map_err(|report| {
            let found = if alone {
                main_files(&self.schema)
            } else {
                Vec::new()
            };
            let schema = self.schema.to_string_lossy();
            match module_alone(&schema, &found, colors) {
                Some(note) => format!("{report}\n\n{note}"),
                None => report.to_string(),
            }
        })?;
        write_files(&out_dir, &files)
            .map_err(|error| format!("cannot write to {}: {error}", out_dir.display()))
    }
}

/// Returns whether the report of a build script is in colour.
fn colors_of_build_script() -> Colors {
    let [cargo, term_color, no_color] =
        ["CARGO", "CARGO_TERM_COLOR", "NO_COLOR"].map(|name| env::var_os(name).unwrap_or_default());
    // Take a pipe to cargo for a terminal, because cargo shows the report and
    // removes its colours itself unless cargo writes to a terminal.
    let is_shown = !cargo.is_empty() || io::stderr().is_terminal();
    colors(&term_color, &no_color, is_shown)
}

/// Returns whether a report is in colour. `is_shown` is true if a terminal may
/// show it. As in cargo, `CARGO_TERM_COLOR` overrides `NO_COLOR`.
fn colors(term_color: &OsStr, no_color: &OsStr, is_shown: bool) -> Colors {
    let on = match term_color.to_str() {
        Some("always") => true,
        Some("never") => false,
        _ => is_shown && no_color.is_empty(),
    };
    if on { Colors::On } else { Colors::Off }
}

/// The number of warnings that a build shows.
const WARNINGS_MAX: usize = 5;

/// Returns the warnings, each on one line as cargo requires. Warnings about the
/// options come before warnings about places in the schema.
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
            // Remove the prefix, because cargo adds the same.
            let mut text = warning.short(&generation.sources);
            if let Some(hint) = warning.hint(&generation.sources) {
                text.push_str("; ");
                text.push_str(&hint);
            }
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
    fn colors_follow_cargo_before_no_color_and_the_terminal() {
        for (term_color, no_color, is_shown, expected) in [
            ("", "", false, Colors::Off),
            ("", "", true, Colors::On),
            ("auto", "", true, Colors::On),
            ("auto", "1", true, Colors::Off),
            ("", "1", true, Colors::Off),
            ("always", "1", false, Colors::On),
            ("never", "", true, Colors::Off),
        ] {
            let colors = colors(term_color.as_ref(), no_color.as_ref(), is_shown);
            assert_eq!(colors, expected, "{term_color} {no_color} {is_shown}");
        }
    }

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

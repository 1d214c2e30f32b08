//! `qapi-gen rust`.
//!
//! In: a schema, and choices. Out: Rust files in a folder, or with `--check` the
//! differences between the folder and the files.

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use clap::Args;
use qapi_gen::{
    Addition, CfgNames, Conditions, ConfigFile, Generation, Layout, Loader, Options, generate,
    write_files,
};

use super::options::{Config, Folders, Version, config_file};
use super::report::Reporting;
use super::stale;
use super::stdin::Stdin;

/// Generates Rust for a schema.
///
/// Writes `mod.rs`, and a file for each schema file with definitions, to the folder of
/// --output. The crate that includes the code must depend on `qapi-wire`.
#[derive(Debug, Args)]
pub(super) struct Rust {
    /// The main file of the schema, or - for standard input
    #[arg(value_name = "SCHEMA")]
    schema: PathBuf,

    #[command(flatten)]
    stdin: Stdin,

    /// The folder to write to
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,

    /// Write nothing: print how the files in the folder differ from what would
    /// be generated, and fail if they do
    #[arg(long)]
    check: bool,

    #[command(flatten)]
    choices: Choices,

    #[command(flatten)]
    reporting: Reporting,
}

/// The options that change the generated code.
#[derive(Debug, Args)]
struct Choices {
    /// Leave the schema's documentation out
    #[arg(long)]
    no_docs: bool,

    /// Let an enumeration have values at run time that the schema does not list
    #[arg(long = "open-enum", value_name = "NAME")]
    open_enums: Vec<String>,

    /// Let the handler of a command write its reply straight into the output
    #[arg(long = "direct-reply", value_name = "COMMAND")]
    direct_replies: Vec<String>,

    #[command(flatten)]
    folders: Folders,

    #[command(flatten)]
    version: Version,

    #[command(flatten)]
    config: Config,

    /// Generate conditions as `#[cfg(...)]`: CONFIG_VNC_SASL is feature
    /// vnc-sasl unless the following options say otherwise
    #[arg(long, conflicts_with = "config")]
    cfg: bool,

    /// As --cfg, with another feature for a symbol
    #[arg(long, value_name = "SYMBOL=FEATURE", conflicts_with = "config")]
    cfg_feature: Vec<Pair>,

    /// As --cfg, with a predicate for a symbol, such as
    /// `CONFIG_LINUX=target_os = "linux"`
    #[arg(long, value_name = "SYMBOL=PREDICATE", conflicts_with = "config")]
    cfg_predicate: Vec<Pair>,

    /// Derive a further trait for all definitions
    #[arg(long, value_name = "TRAIT")]
    derive: Vec<String>,

    /// Derive a further trait for one definition
    #[arg(long, value_name = "DEFINITION=TRAIT")]
    derive_for: Vec<Pair>,

    /// Put an attribute, as `#[...]`, on all definitions
    #[arg(long, value_name = "ATTRIBUTE")]
    attribute: Vec<String>,

    /// Put an attribute on a definition, or on DEFINITION.MEMBER
    #[arg(long, value_name = "NAME=ATTRIBUTE")]
    attribute_for: Vec<Pair>,

    /// Use a Rust type for a type of the schema
    #[arg(long, value_name = "DEFINITION=TYPE")]
    replace: Vec<Pair>,

    /// Generate only this schema file or definition and the types it needs;
    /// may be repeated
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,

    /// Leave out this schema file or definition and the types that only it
    /// needs; may be repeated
    #[arg(long, value_name = "NAME")]
    except: Vec<String>,

    /// Leave out the static that holds the schema as data
    #[arg(long)]
    no_introspection: bool,

    /// Do not lay the code out for people to read
    #[arg(long)]
    no_format: bool,

    /// Take a module of the schema from another crate; may be repeated
    ///
    /// NAME is that of the schema file, PATH that of the Rust module, for
    /// example `stats.json=::qapi_stats::stats`.
    #[arg(long = "extern-module", value_name = "NAME=PATH")]
    extern_modules: Vec<Pair>,

    /// Write `mod.rs` only, with the modules in it
    #[arg(long)]
    one_file: bool,
}

/// A name and a value for it.
#[derive(Clone, Debug)]
struct Pair {
    name: String,
    value: String,
}

impl FromStr for Pair {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Split at the first '=', because Rust may contain more of them while
        // names of a schema contain none.
        let (name, value) = text.split_once('=').ok_or("expected NAME=...")?;
        Ok(Self {
            name: name.to_owned(),
            value: value.to_owned(),
        })
    }
}

impl Pair {
    fn addition(self) -> Addition {
        Addition::to(self.name, self.value)
    }
}

impl Choices {
    /// Returns the choices as the library takes them.
    fn options(self, file: &ConfigFile, main: &str, loader: &dyn Loader) -> Options {
        let to_some = |pairs: Vec<Pair>| pairs.into_iter().map(Pair::addition);
        let to_map = |pairs: Vec<Pair>| pairs.into_iter().map(|pair| (pair.name, pair.value));
        let is_cfg = self.cfg || !self.cfg_feature.is_empty() || !self.cfg_predicate.is_empty();
        let mut names = CfgNames::default();
        for Pair { name, value } in self.cfg_feature {
            names = names.feature(name, &value);
        }
        for Pair { name, value } in self.cfg_predicate {
            names = names.predicate(name, value);
        }
        let derives = self.derive.into_iter().map(Addition::to_all);
        let attributes = self.attribute.into_iter().map(Addition::to_all);
        Options {
            rules: self.version.rules(file, main, loader),
            docs: !self.no_docs,
            open_enums: self.open_enums.into_iter().collect(),
            direct_replies: self.direct_replies.into_iter().collect(),
            conditions: match self.config.defined() {
                Some(defined) => Conditions::Config(defined),
                None if is_cfg => Conditions::Cfg(names),
                None => Conditions::Ignore,
            },
            derives: derives.chain(to_some(self.derive_for)).collect(),
            attributes: attributes.chain(to_some(self.attribute_for)).collect(),
            replaced: to_map(self.replace).collect(),
            introspection: !self.no_introspection,
            extern_modules: to_map(self.extern_modules).collect(),
            only: self.only.into_iter().collect(),
            except: self.except.into_iter().collect(),
            layout: match self.one_file {
                true => Layout::OneFile,
                false => Layout::FilePerModule,
            },
            formatted: !self.no_format,
        }
    }
}

impl Rust {
    /// Generates Rust, or reports the errors of the schema and the options.
    pub(super) fn run(self) -> ExitCode {
        let schema = self.stdin.path(&self.schema);
        let stdin = self.stdin.loader([&self.schema]);
        let file = config_file(schema);
        let loader = self.choices.folders.loader(&file, &stdin, schema);
        let main = schema.to_string_lossy();
        let mut options = self.choices.options(&file, &main, &loader);
        file.add_to(&mut options);
        let Generation {
            sources,
            diagnostics,
            files,
            ..
        } = generate(schema, &loader, &options);
        self.reporting.report(&sources, &diagnostics);
        let Some(files) = files else {
            return ExitCode::FAILURE;
        };
        let done = if self.check {
            stale::print(&self.output, &files)
        } else {
            write_files(&self.output, &files).map(|()| ExitCode::SUCCESS)
        };
        let done = done.map(|status| stdin.status(status));
        done.unwrap_or_else(|error| {
            let verb = if self.check { "check" } else { "write to" };
            eprintln!("qapi-gen: cannot {verb} {}: {error}", self.output.display());
            ExitCode::FAILURE
        })
    }
}

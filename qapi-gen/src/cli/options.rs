//! The options that several subcommands share.
//!
//! In: arguments. Out: the rules of a QEMU release, a loader that finds included
//! files, the symbols of a configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::str::FromStr;

use clap::Args;
use qapi_gen::{ConfigFile, IncludeFolders, Loader, Rules, UnknownRules, rules_of_tree};

/// The option that chooses the rules.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Version {
    /// The release of QEMU whose rules the schema follows, 6.2 or later
    ///
    /// With `auto` a file VERSION in a folder above the schema says the release,
    /// as in a QEMU tree; without one the rules are the newest.
    #[arg(long, value_name = "RELEASE", default_value = "auto")]
    rules: Release,
}

/// The choice of the rules.
#[derive(Clone, Copy, Debug)]
enum Release {
    Auto,
    Given(Rules),
}

impl FromStr for Release {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            _ => text
                .parse()
                .map(Self::Given)
                .map_err(|error: UnknownRules| {
                    format!("{error}, and 'auto' takes the one that a file VERSION says")
                }),
        }
    }
}

impl Version {
    /// Returns the rules for a schema with the main file `main` and the settings
    /// `file`.
    pub(super) fn rules(self, file: &ConfigFile, main: &str, loader: &dyn Loader) -> Rules {
        match self.rules {
            Release::Auto => match file.rules() {
                Some(rules) => rules,
                // A lower version is more likely that of another program than that
                // of a QEMU whose schemas cannot be checked anyway.
                None => match rules_of_tree(main, loader) {
                    Some(Ok(rules)) => rules,
                    Some(Err(_)) | None => Rules::default(),
                },
            },
            Release::Given(rules) => rules,
        }
    }

    /// Returns whether the tree of a schema is older than all rules, so that the
    /// schema can only be read, or `None` if its version is not known.
    pub(super) fn is_historic(
        self,
        file: &ConfigFile,
        main: &str,
        loader: &dyn Loader,
    ) -> Option<bool> {
        match self.rules {
            Release::Auto if file.rules().is_some() => Some(false),
            Release::Auto => rules_of_tree(main, loader).map(|rules| rules.is_err()),
            Release::Given(_) => Some(false),
        }
    }
}

/// The options for the folders of included files.
#[derive(Clone, Debug, Args)]
pub(super) struct Folders {
    /// Let the schema include files of a folder elsewhere, as if it were one
    /// called NAME beside the main file; may be repeated
    ///
    /// If NAME contains the main file, as `.` does, only files that are missing
    /// there are taken from DIR.
    #[arg(long = "include-folder", value_name = "NAME=DIR", value_parser = pair)]
    include_folders: Vec<(String, String)>,
}

impl Folders {
    /// Returns the loader for a schema with the main file `main` and the settings
    /// `file`, whose files are those of another loader.
    pub(super) fn loader<'a>(
        &self,
        file: &ConfigFile,
        inner: &'a dyn Loader,
        main: &Path,
    ) -> IncludeFolders<'a> {
        let of_file = file.include_folders().iter();
        let of_file = of_file.map(|(name, folder)| (name, folder.clone()));
        let folders = self.include_folders.iter();
        // The first folder of a name counts, so that an option overrides the file.
        let folders = folders.map(|(name, folder)| (name, folder.into()));
        IncludeFolders::new(inner, main, folders.chain(of_file))
    }
}

/// Returns the settings in the file `qapi-gen.toml` above a schema. Ends the program
/// if the file is wrong, as for a wrong argument.
pub(super) fn config_file(main: &Path) -> ConfigFile {
    ConfigFile::find(main).unwrap_or_else(|error| {
        eprintln!("qapi-gen: {error}");
        std::process::exit(2)
    })
}

/// Parses a name and a folder. The folder must exist.
fn pair(argument: &str) -> Result<(String, String), String> {
    let (name, folder) = argument
        .split_once('=')
        .ok_or("a name and what it stands for, with '=' between them")?;
    if !Path::new(folder).is_dir() {
        return Err(format!("{folder} is not a folder"));
    }
    Ok((name.to_owned(), folder.to_owned()))
}

/// The options that define a configuration.
#[derive(Clone, Debug, Args)]
pub(super) struct Config {
    /// Include only what exists with this configuration; may be repeated
    ///
    /// NAME and NAME=VALUE define a symbol; the value does not matter, but
    /// that nothing, `0`, `n`, `no`, `off` and `false` leave the symbol
    /// undefined. Of several settings of one symbol the last counts. Symbols
    /// that are not given are undefined. Without this option whatever is
    /// conditional is included.
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = Setting::parse)]
    config: Vec<Setting>,
}

impl Config {
    /// Returns whether the option was given.
    pub(super) fn is_given(&self) -> bool {
        !self.config.is_empty()
    }

    /// Returns the symbols that are defined for a schema with the settings `file`, or
    /// `None` without `--config` and without a configuration in the file.
    pub(super) fn defined_for(self, file: &ConfigFile) -> Option<BTreeSet<String>> {
        self.defined().or_else(|| file.config().cloned())
    }

    /// Returns the symbols that are defined, or `None` without `--config`.
    pub(super) fn defined(self) -> Option<BTreeSet<String>> {
        (!self.config.is_empty()).then(|| defined(self.config))
    }
}

/// A configuration symbol, defined or undefined.
#[derive(Clone, Debug)]
struct Setting {
    symbol: String,
    defined: bool,
}

impl Setting {
    fn parse(argument: &str) -> Result<Self, String> {
        const NEGATIVE: [&str; 6] = ["", "0", "n", "no", "off", "false"];
        let (symbol, value) = argument.split_once('=').unwrap_or((argument, "1"));
        // Refuse a malformed symbol, because no condition could mention it.
        let is_symbol = symbol.starts_with(|c: char| c.is_ascii_uppercase())
            && symbol
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
        if !is_symbol {
            return Err("a symbol consists of upper case letters, digits and '_'".to_owned());
        }
        let value = value.to_ascii_lowercase();
        Ok(Self {
            symbol: symbol.to_owned(),
            defined: !NEGATIVE.contains(&value.as_str()),
        })
    }
}

/// Returns the symbols that are defined after all settings.
fn defined(settings: Vec<Setting>) -> BTreeSet<String> {
    let last: BTreeMap<String, bool> = settings
        .into_iter()
        .map(|setting| (setting.symbol, setting.defined))
        .collect();
    last.into_iter()
        .filter_map(|(symbol, defined)| defined.then_some(symbol))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What these settings define in the end.
    fn symbols(settings: &[&str]) -> Vec<String> {
        let settings = settings
            .iter()
            .map(|setting| Setting::parse(setting).unwrap())
            .collect();
        defined(settings).into_iter().collect()
    }

    #[test]
    fn a_value_can_undefine_and_the_last_counts() {
        let given = ["B", "A=1", "C_2=y", "D=maybe", "E=x=y", "F=00"];
        assert_eq!(symbols(&given), ["A", "B", "C_2", "D", "E", "F"]);
        assert!(symbols(&["A=", "B=0", "C=n", "D=no", "E=OFF", "F=False"]).is_empty());
        assert_eq!(symbols(&["A=1", "B=0", "A=0", "B"]), ["B"]);
    }

    #[test]
    fn what_is_no_symbol_is_refused() {
        for argument in ["", "=1", "a", "1A", "A-B", "A B=1", "_A", "Ä"] {
            assert!(Setting::parse(argument).is_err(), "{argument}");
        }
    }
}

//! The file `qapi-gen.toml`, which has what build script, command line and CI share.
//!
//! In: the path of a schema. Out: the settings of the nearest such file, or an error
//! with its place. What a setting does is not known here.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::backend::rust::{Conditions, Layout, Options};
use crate::rules::Rules;

#[cfg(feature = "config-file")]
mod parse;
mod settings;

use settings::Settings;

/// The name of the file.
const NAME: &str = "qapi-gen.toml";

/// The names of files and folders that only the root of a repository has, or of a
/// package that cargo has unpacked. The search ends there, so that a build of a
/// dependency does not find a file of its user.
const ROOTS: [&str; 3] = [".git", ".cargo-ok", ".cargo-checksum.json"];

/// The settings of a file `qapi-gen.toml`.
///
/// ```toml
/// rules = "10.0"
/// config = ["CONFIG_KVM", "CONFIG_LINUX"]
/// include-folder = { qapi-stats = "../vmstats/qapi/schema" }
///
/// [rust]
/// docs = false
/// only = ["query-stats", "STATS_CHANGE"]
/// replace = { UuidInfo = "crate::Uuid" }
/// ```
///
/// The keys are the names of [`Builder`](crate::Builder)'s methods, with hyphens, and
/// have the same effect. `rules` and `config` are overridden by the options of a build
/// script or a command line; other settings and options add up.
#[derive(Clone, Debug, Default)]
pub struct ConfigFile {
    path: Option<PathBuf>,
    settings: Settings,
}

impl ConfigFile {
    /// Reads the file in the nearest folder above a schema, up to the root of the
    /// repository. Returns empty settings if no folder has the file.
    ///
    /// # Errors
    ///
    /// Returns an error with its place for a key that is unknown, a value of the
    /// wrong type, and a folder that does not exist; and for any file without
    /// feature `config-file`.
    pub fn find(schema: &Path) -> Result<Self, ConfigError> {
        let schema = std::path::absolute(schema).unwrap_or_else(|_| schema.to_owned());
        for folder in schema.ancestors().skip(1) {
            let path = folder.join(NAME);
            if path.is_file() {
                return Self::read(path);
            }
            if ROOTS.iter().any(|root| folder.join(root).exists()) {
                break;
            }
        }
        Ok(Self::default())
    }

    #[cfg(feature = "config-file")]
    fn read(path: PathBuf) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(&path)
            .map_err(|error| ConfigError(format!("{}: {error}", path.display())))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let settings = parse::parse(&text, folder).map_err(|error| {
            let (line, column) = error.place_in(&text);
            let path = path.display();
            ConfigError(format!("{path}:{line}:{column}: {}", error.message))
        })?;
        Ok(Self {
            path: Some(path),
            settings,
        })
    }

    #[cfg(not(feature = "config-file"))]
    fn read(path: PathBuf) -> Result<Self, ConfigError> {
        Err(ConfigError(format!(
            "{}: to read this file, turn on feature 'config-file' of qapi-gen",
            path.display()
        )))
    }

    /// Returns the path of the file, or `None` without a file.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Returns the rules that the schema follows, or `None` if the file leaves them
    /// open.
    #[must_use]
    pub fn rules(&self) -> Option<Rules> {
        self.settings.rules
    }

    /// Returns the configuration symbols that are defined, or `None` if the file has
    /// no configuration.
    #[must_use]
    pub fn config(&self) -> Option<&BTreeSet<String>> {
        self.settings.config.as_ref()
    }

    /// Returns the include folders: their names and paths.
    #[must_use]
    pub fn include_folders(&self) -> &[(String, PathBuf)] {
        &self.settings.include_folders
    }

    /// Adds the choices about the generated code to those of a caller. The rules are
    /// not changed.
    pub fn add_to(&self, options: &mut Options) {
        // Name every field, so that a new one cannot be forgotten here.
        let Options {
            rules: _,
            docs,
            open_enums,
            direct_replies,
            introspection,
            extern_modules,
            conditions,
            derives,
            attributes,
            replaced,
            only,
            except,
            layout,
            formatted,
        } = self.settings.rust.clone();
        options.docs &= docs;
        options.open_enums.extend(open_enums);
        options.direct_replies.extend(direct_replies);
        options.introspection &= introspection;
        options.derives.splice(..0, derives);
        options.attributes.splice(..0, attributes);
        options.only.extend(only);
        options.except.extend(except);
        options.formatted &= formatted;
        if layout == Layout::OneFile {
            options.layout = layout;
        }
        for (name, path) in extern_modules {
            options.extern_modules.entry(name).or_insert(path);
        }
        for (name, ty) in replaced {
            options.replaced.entry(name).or_insert(ty);
        }
        if matches!(options.conditions, Conditions::Ignore) {
            options.conditions = match (conditions, &self.settings.config) {
                (Conditions::Ignore, Some(defined)) => Conditions::Config(defined.clone()),
                (conditions, _) => conditions,
            };
        }
    }
}

/// The error of a file `qapi-gen.toml`: its place and a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

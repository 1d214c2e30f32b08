//! The settings that a file `qapi-gen.toml` can have.
//!
//! In: values, as the parser reads them. Out: data. Files are not known here.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::backend::rust::Options;
use crate::rules::Rules;

/// The settings of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) rules: Option<Rules>,
    pub(super) config: Option<BTreeSet<String>>,
    pub(super) include_folders: Vec<(String, PathBuf)>,
    /// The defaults, changed by section `rust`.
    pub(super) rust: Options,
}

//! The caller's choices about the generated code.
//!
//! In: the settings of the builder and the command line. Out: one value that
//! the plan reads. The names in it are looked up elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use super::cfg::Conditions;
use crate::rules::Rules;

/// The caller's choices about the generated code. The methods of
/// [`Builder`](crate::Builder) describe each choice in more detail.
///
/// A choice is an error among the diagnostics if it names something that the
/// schema does not have, if it would have no effect, or if it is not valid Rust
/// where it has to be.
///
/// ```
/// let mut options = qapi_gen::Options::default();
/// options.docs = false;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The rules of the QEMU release that the schema follows.
    pub rules: Rules,
    /// `true` if the schema's documentation becomes rustdoc.
    pub docs: bool,
    /// Enumerations that accept values which the schema does not list, besides
    /// the enumerations that a reply or an event can carry.
    pub open_enums: BTreeSet<String>,
    /// Commands whose handler writes the reply straight into the output.
    pub direct_replies: BTreeSet<String>,
    /// `true` if a static contains the schema as data.
    pub introspection: bool,
    /// Modules of the schema whose code is in another crate: the path of the
    /// Rust module, such as `::qapi_stats::stats`, by the name of the schema
    /// module, such as `stats.json`.
    pub extern_modules: BTreeMap<String, String>,
    /// The treatment of conditions.
    pub conditions: Conditions,
    /// Paths of additional traits to derive.
    pub derives: Vec<Addition>,
    /// Additional attributes, as `#[...]`.
    pub attributes: Vec<Addition>,
    /// Rust types to use instead of generated ones, by the name of the type in
    /// the schema.
    pub replaced: BTreeMap<String, String>,
    /// The schema files and definitions to generate, with the types that they
    /// need. If the set is empty, everything is generated.
    pub only: BTreeSet<String>,
    /// The schema files and definitions to leave out, with the types that only
    /// they need.
    pub except: BTreeSet<String>,
    /// The distribution of the code over files.
    pub layout: Layout,
    /// Whether the code is formatted for people. Without feature `format` this
    /// has no effect: the code is never formatted.
    pub formatted: bool,
}

impl Options {
    /// Returns whether the code is formatted for people.
    pub(crate) fn is_formatted(&self) -> bool {
        self.formatted && cfg!(feature = "format")
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rules: Rules::default(),
            docs: true,
            open_enums: BTreeSet::new(),
            direct_replies: BTreeSet::new(),
            conditions: Conditions::default(),
            introspection: true,
            extern_modules: BTreeMap::new(),
            derives: Vec::new(),
            attributes: Vec::new(),
            replaced: BTreeMap::new(),
            only: BTreeSet::new(),
            except: BTreeSet::new(),
            layout: Layout::default(),
            formatted: true,
        }
    }
}

/// A derive or an attribute to add to generated items.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Addition {
    /// The definition, or `DEFINITION.MEMBER`, to add to; `None` if the addition
    /// is for all definitions.
    pub to: Option<String>,
    /// The trait or the attribute, in Rust.
    pub text: String,
}

impl Addition {
    /// Creates an addition to all definitions.
    pub fn to_all(text: impl Into<String>) -> Self {
        Self {
            to: None,
            text: text.into(),
        }
    }

    /// Creates an addition to a definition or to `DEFINITION.MEMBER`.
    pub fn to(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            to: Some(name.into()),
            text: text.into(),
        }
    }
}

/// The distribution of the code over files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// `mod.rs`, and a file for each schema file that defines something.
    #[default]
    FilePerModule,
    /// `mod.rs` only, with all modules in it.
    OneFile,
}

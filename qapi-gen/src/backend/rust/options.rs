//! What a caller may choose about the generated code.
//!
//! In: the builder's and the command line's settings. Out: the same, as one
//! value that the plan reads. What they name is looked up elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use super::cfg::Conditions;
use crate::rules::Rules;

/// What a caller may choose about the generated code. The methods of
/// [`Builder`](crate::Builder) say more about each.
///
/// A choice that names what the schema does not have, that would do nothing to
/// what it names, or that is no Rust where it has to be, is an error among the
/// diagnostics.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whose rules the schema follows.
    pub rules: Rules,
    /// Whether the schema's documentation becomes rustdoc.
    pub docs: bool,
    /// Enumerations that may have values at run time which the schema does not
    /// list, besides those that a reply or an event can carry.
    pub open_enums: BTreeSet<String>,
    /// Commands whose handler writes its reply itself, into the output.
    pub direct_replies: BTreeSet<String>,
    /// Whether there is a static that holds the schema as data.
    pub introspection: bool,
    /// Modules of the schema whose code another crate has: by the module's
    /// name, such as `stats.json`, the path of the Rust module, such as
    /// `::qapi_stats::stats`.
    pub extern_modules: BTreeMap<String, String>,
    /// What becomes of conditions.
    pub conditions: Conditions,
    /// Paths of further traits to derive.
    pub derives: Vec<Addition>,
    /// Further attributes, as `#[...]`.
    pub attributes: Vec<Addition>,
    /// By type of the schema: the Rust type to use instead of a generated one.
    pub replaced: BTreeMap<String, String>,
    /// The schema files and definitions to generate, with the types that they
    /// need; if there are none, all.
    pub only: BTreeSet<String>,
    /// The schema files and definitions to leave out, with the types that only
    /// they need.
    pub except: BTreeSet<String>,
    /// How the code is spread over files.
    pub layout: Layout,
    /// Whether the code is laid out for people to read. Without feature
    /// `format` it never is.
    #[cfg(feature = "format")]
    pub formatted: bool,
}

impl Options {
    /// Everything in it that is Rust.
    pub(crate) fn rust(&self) -> impl Iterator<Item = &str> {
        let additions = self.derives.iter().chain(&self.attributes);
        let additions = additions.map(|addition| &addition.text);
        let types = self.replaced.values().chain(self.extern_modules.values());
        let predicates = match &self.conditions {
            Conditions::Cfg(names) => Some(names.predicates()),
            Conditions::Ignore | Conditions::Config(_) => None,
        };
        let texts = additions
            .chain(types)
            .chain(predicates.into_iter().flatten());
        texts.map(String::as_str)
    }
}

/// Something that is added to generated items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addition {
    /// The definition to add it to, or `DEFINITION.MEMBER`; `None`: all
    /// definitions.
    pub to: Option<String>,
    /// What is added, in Rust.
    pub text: String,
}

/// How the code is spread over files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// `mod.rs`, and a file for each schema file that defines something.
    #[default]
    FilePerModule,
    /// `mod.rs` only: the modules stand in it.
    OneFile,
}

impl Options {
    /// Whether the code is laid out for people to read.
    pub(crate) fn is_formatted(&self) -> bool {
        #[cfg(feature = "format")]
        return self.formatted;
        #[cfg(not(feature = "format"))]
        return false;
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
            #[cfg(feature = "format")]
            formatted: true,
        }
    }
}

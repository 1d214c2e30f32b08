//! The definitions that QEMU's messages name.
//!
//! In: a definition and its place. Out: the site of a message about it. QEMU's
//! generator knows a place only by file and line, and names the definition
//! that it looked at last on that line, even if the message is about an
//! earlier one.

use rustc_hash::FxHashMap as HashMap;

use super::definition_kind::DefinitionKind;
use super::definition_part::Owner;
use super::site::Site;
use crate::source::Span;

/// The kind and name of a definition, as messages name it.
pub(crate) type NamedDefinition = (DefinitionKind, Box<str>);

/// A map from each definition that shares its line with a later one to the
/// definition that QEMU's messages name instead.
#[derive(Clone, Debug, Default)]
pub(crate) struct QemuAttribution {
    named: HashMap<Span, NamedDefinition>,
    /// True if messages name the command or event that has a parameter.
    names_command: bool,
}

impl QemuAttribution {
    /// Creates an empty map; `names_command` says whether messages name the
    /// command or event that has a parameter, which QEMU 7.2's do not.
    pub(crate) fn new(names_command: bool) -> Self {
        Self {
            named: HashMap::default(),
            names_command,
        }
    }

    /// Sets the definition that messages name for the one at `span`.
    pub(crate) fn insert(&mut self, span: Span, named: NamedDefinition) {
        self.named.insert(span, named);
    }

    /// Returns the site of the definition at `span`.
    pub(crate) fn site(&self, span: Span, kind: DefinitionKind, name: &str) -> Site {
        let Some(named) = self.named.get(&span).cloned() else {
            return Site {
                definition: Some((kind, name.into())),
                ..Site::line(span)
            };
        };
        let has_arguments = matches!(kind, DefinitionKind::Command | DefinitionKind::Event);
        let owner = Owner {
            kind: if has_arguments { "command" } else { "type" },
            name: name.to_owned(),
        };
        Site {
            actual_owner: (*named.1 != *name && (self.names_command || !has_arguments))
                .then(|| Box::new(owner)),
            definition: Some(named),
            ..Site::line(span)
        }
    }

    /// Returns the kind of the definition that messages name for the one at
    /// `span`, which is of kind `kind`.
    pub(crate) fn kind(&self, span: Span, kind: DefinitionKind) -> DefinitionKind {
        self.named.get(&span).map_or(kind, |(kind, _)| *kind)
    }
}

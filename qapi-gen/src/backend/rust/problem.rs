//! Problems of schemas and options that only matter to Rust.
//!
//! In: what cannot be written in Rust. Out: a message, and a hint.

use crate::diag::{BackendProblem, Problem, Site, problem_kinds};

problem_kinds! {
    /// A problem of the Rust back end.
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[non_exhaustive]
    #[expect(
        missing_docs,
        reason = "the fields are what the message of a variant names"
    )]
    pub enum RustProblem {
        /// Two different names of the schema are the same in Rust.
        RustNameClash { name: String, other: String, ident: String, previous: Option<Site> } =>
            "{name} and {other} both become '{ident}' in Rust";
        /// Types contain each other more deeply than rustc's recursion limit.
        NestedTypes { name: String, depth: usize, limit: usize } =>
            "types are nested about {depth} levels deep in '{name}': rustc's limit is {limit}";
        /// Option `extern_modules` names a module that the schema does not have.
        ExternModuleUnknown { name: String } => "no module of the schema is called '{name}'";
        /// Option `extern_modules` has a path that is not absolute.
        ExternPath { module: String, path: String } =>
            "the path '{path}' of module '{module}' must begin with '::' or 'crate::'";
        /// Two configuration symbols become the same Cargo feature.
        FeatureClash { symbols: [String; 2], feature: String } =>
            "cfg: {} both become feature '{feature}'",
            symbols.each_ref().map(|symbol| format!("'{symbol}'")).join(" and ");
        /// Option `replaced` names the discriminator of a union.
        ReplacedDiscriminator { ty: String, union: String } =>
            "replace: '{ty}' is the discriminator of union '{union}', which needs its variants";
    }
}

impl RustProblem {
    fn help(&self) -> Option<&'static str> {
        match self {
            Self::RustNameClash { .. } => Some(
                "rename one of them in the schema, or leave its definition out: \
                 options 'except' and, for a type, 'replace'",
            ),
            Self::NestedTypes { .. } => Some(
                "if rustc says that it overflows, put '#![recursion_limit = \"512\"]' \
                 at the top of the crate",
            ),
            Self::FeatureClash { .. } => {
                Some("option 'cfg_feature' or 'cfg_predicate' gives one of them another name")
            }
            _ => None,
        }
    }
}

impl From<RustProblem> for Problem {
    fn from(problem: RustProblem) -> Self {
        let mut general = BackendProblem::new(problem.variant_name(), problem.to_string());
        general.help = problem.help().map(Into::into);
        // rustc's limit is one that a crate can raise.
        general.is_harmless = matches!(problem, RustProblem::NestedTypes { .. });
        if let RustProblem::RustNameClash {
            previous: Some(previous),
            ..
        } = problem
        {
            general.related = Some((previous, "the other one"));
        }
        general.into()
    }
}

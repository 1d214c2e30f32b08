//! Problems of options that do not fit the schema.
//!
//! In: an option and the part of it that does not fit. Out: a message.

use crate::diag::{BackendProblem, Problem, Quoted, plural, problem_kinds};

problem_kinds! {
    /// A problem of an option that does not fit the schema.
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[non_exhaustive]
    #[expect(
        missing_docs,
        reason = "the fields are what the message of a variant names"
    )]
    pub enum OptionProblem {
        /// An option names a definition that the schema does not have.
        OptionUnknown { option: &'static str, name: String, what: &'static str, similar: Option<String> } =>
            "{option}: the schema has no {what} '{name}'";
        /// The text of an option is not valid in the output language.
        OptionSyntax { option: &'static str, text: String, what: &'static str, reason: String } =>
            "{option}: '{text}' is not a valid {what}: {reason}";
        /// An option has no effect on the definition that it names.
        OptionIdle { option: &'static str, name: String, why: String } =>
            "{option}: nothing is done to '{name}': {why}";
        /// A definition is both selected and left out.
        OnlyAndExcept { name: String } => "'{name}' is named by both 'only' and 'except'";
        /// No condition of the schema mentions these symbols of a
        /// configuration.
        ConfigUnused { symbols: Vec<String>, similar: Option<String> } =>
            "config: symbol{} {} {} in no condition of the schema",
            plural(symbols),
            Quoted(symbols),
            if symbols.len() > 1 { "are" } else { "is" };
    }
}

impl OptionProblem {
    fn help(&self) -> Option<String> {
        match self {
            Self::OptionUnknown { similar, .. } | Self::ConfigUnused { similar, .. } => {
                Some(format!("did you mean '{}'?", similar.as_ref()?))
            }
            _ => None,
        }
    }
}

impl From<OptionProblem> for Problem {
    fn from(problem: OptionProblem) -> Self {
        let mut general = BackendProblem::new(problem.variant_name(), problem.to_string());
        // Several schemas may share a configuration, so that a symbol may be
        // used in another one.
        general.help = problem.help().map(Into::into);
        general.is_harmless = matches!(problem, OptionProblem::ConfigUnused { .. });
        general.into()
    }
}

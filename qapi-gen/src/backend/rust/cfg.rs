//! Conditions as `#[cfg(...)]`.
//!
//! In: the conditions of the schema, and the caller's choice. Out: whether an
//! item is generated, and under which `#[cfg(...)]`. This module must not know
//! which items exist.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{Expr, Lit, LitBool, Meta, Token};

use super::problem::RustProblem;
use crate::analysis::option_problem::OptionProblem;
use crate::diag::Diagnostics;
use crate::schema::{CheckedSchema, Cond, CondKind};

/// The treatment of the schema's conditions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Conditions {
    /// Conditional items are generated without their condition.
    #[default]
    Ignore,
    /// Exactly these configuration symbols are defined. Items whose condition they
    /// meet are generated without the condition, and no others.
    Config(BTreeSet<String>),
    /// Conditional items are generated with a `#[cfg(...)]`.
    Cfg(CfgNames),
}

/// The predicates for configuration symbols in `#[cfg(...)]`.
///
/// `CONFIG_VNC_SASL` becomes `feature = "vnc-sasl"` unless the caller chooses
/// another feature or predicate:
///
/// ```
/// use qapi_gen::CfgNames;
///
/// let names = CfgNames::default()
///     .feature("CONFIG_KVM", "accel-kvm")
///     .predicate("CONFIG_LINUX", r#"target_os = "linux""#);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CfgNames {
    predicates: BTreeMap<String, String>,
}

impl CfgNames {
    /// Maps a symbol to a Cargo feature.
    #[must_use]
    pub fn feature(self, symbol: impl Into<String>, feature: &str) -> Self {
        self.predicate(symbol, format!("feature = {feature:?}"))
    }

    /// Maps a symbol to a predicate, which is anything that `#[cfg(...)]`
    /// accepts, `true` and `false` included.
    #[must_use]
    pub fn predicate(mut self, symbol: impl Into<String>, predicate: impl Into<String>) -> Self {
        self.predicates.insert(symbol.into(), predicate.into());
        self
    }

    /// Returns the predicates as tokens. Reports invalid predicates, and symbols
    /// that no condition mentions.
    fn parsed(
        &self,
        symbols: &BTreeSet<&str>,
        diagnostics: &mut Diagnostics,
    ) -> BTreeMap<&str, TokenStream> {
        let mut predicates = BTreeMap::new();
        for (symbol, text) in &self.predicates {
            if !symbols.contains(symbol.as_str()) {
                let problem = OptionProblem::OptionUnknown {
                    option: "cfg",
                    name: symbol.clone(),
                    what: "configuration symbol",
                    similar: similar(symbol, symbols, diagnostics),
                };
                diagnostics.report(problem.into(), None);
            }
            match syn::parse_str(text) {
                Ok(Predicate(predicate)) => {
                    predicates.insert(symbol.as_str(), predicate);
                }
                Err(error) => {
                    let problem = OptionProblem::OptionSyntax {
                        option: "cfg",
                        text: text.clone(),
                        what: "cfg predicate",
                        reason: error.to_string(),
                    };
                    diagnostics.report(problem.into(), None);
                }
            }
        }
        predicates
    }
}

/// The configurations in which an item exists. As tokens, the `#[cfg(...)]` that
/// the item needs, if any.
#[derive(Clone, Debug)]
pub(crate) enum Presence {
    /// The item exists in every configuration.
    Always,
    /// The item exists in the configurations in which the predicate holds.
    When(TokenStream),
    /// The item exists in no configuration, so it is not generated.
    Never,
}

impl Presence {
    /// The presence of an item without a condition.
    pub(crate) const ALWAYS: Self = Self::Always;

    /// Returns whether the item exists in every configuration.
    pub(crate) fn is_always(&self) -> bool {
        matches!(self, Self::Always)
    }

    /// Returns whether the item exists in no configuration.
    pub(crate) fn is_never(&self) -> bool {
        matches!(self, Self::Never)
    }

    /// Returns the presence, or `None` if the item exists in no configuration.
    pub(crate) fn unless_never(self) -> Option<Self> {
        (!self.is_never()).then_some(self)
    }

    /// Returns the predicate that must hold, or `None` if the presence does not
    /// depend on the configuration.
    pub(crate) fn predicate(&self) -> Option<&TokenStream> {
        match self {
            Self::When(predicate) => Some(predicate),
            Self::Always | Self::Never => None,
        }
    }

    /// Returns the configurations in which both items exist.
    pub(crate) fn and(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Never, _) | (_, Self::Never) => Self::Never,
            (Self::Always, presence) | (presence, Self::Always) => presence.clone(),
            (Self::When(one), Self::When(two)) => Self::When(quote!(all(#one, #two))),
        }
    }

    /// Returns the configurations in which the item does not exist.
    pub(crate) fn not(&self) -> Self {
        match self {
            Self::Always => Self::Never,
            Self::When(predicate) => Self::When(quote!(not(#predicate))),
            Self::Never => Self::Always,
        }
    }

    /// Returns the configurations in which at least one of the items exists.
    pub(crate) fn any<'c>(items: impl IntoIterator<Item = &'c Self>) -> Self {
        let mut seen = BTreeSet::new();
        let mut predicates = Vec::new();
        for item in items {
            match item {
                Self::Always => return Self::Always,
                Self::When(predicate) if seen.insert(predicate.to_string()) => {
                    predicates.push(predicate);
                }
                Self::When(_) | Self::Never => {}
            }
        }
        match predicates.as_slice() {
            [] => Self::Never,
            [predicate] => Self::When(predicate.to_token_stream()),
            _ => Self::When(quote!(any(#(#predicates),*))),
        }
    }

    /// Returns the configurations in which none of the items exists.
    pub(crate) fn none_of<'c>(items: impl IntoIterator<Item = &'c Self>) -> Self {
        Self::any(items).not()
    }

    /// Returns an attribute that applies in these configurations only.
    pub(crate) fn attribute(&self, attribute: &TokenStream) -> TokenStream {
        match self {
            Self::Always => quote!(#[#attribute]),
            Self::When(predicate) => quote!(#[cfg_attr(#predicate, #attribute)]),
            Self::Never => TokenStream::new(),
        }
    }
}

impl ToTokens for Presence {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Always => {}
            Self::When(predicate) => tokens.extend(quote!(#[cfg(#predicate)])),
            Self::Never => tokens.extend(quote!(#[cfg(any())])),
        }
    }
}

/// Resolves the schema's conditions as the caller's options say.
pub(super) struct CondResolver<'o> {
    conditions: &'o Conditions,
    /// The predicates that the caller chose, by symbol.
    predicates: BTreeMap<&'o str, TokenStream>,
}

impl<'o> CondResolver<'o> {
    /// Creates a resolver. Reports invalid predicates, and symbols that no
    /// condition mentions.
    pub(super) fn new(
        schema: &CheckedSchema,
        conditions: &'o Conditions,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let mut predicates = BTreeMap::new();
        match conditions {
            Conditions::Ignore => {}
            Conditions::Config(defined) => {
                let symbols = symbols(schema);
                let unused = defined.iter().filter(|it| !symbols.contains(it.as_str()));
                let unused: Vec<String> = unused.cloned().collect();
                if !unused.is_empty() {
                    let similar = unused
                        .iter()
                        .find_map(|symbol| similar(symbol, &symbols, diagnostics));
                    let problem = OptionProblem::ConfigUnused {
                        symbols: unused,
                        similar,
                    };
                    diagnostics.report(problem.into(), None);
                }
            }
            Conditions::Cfg(names) => {
                let symbols = symbols(schema);
                predicates = names.parsed(&symbols, diagnostics);
                let by_default = symbols
                    .into_iter()
                    .filter(|symbol| !names.predicates.contains_key(*symbol));
                report_clashes(by_default, diagnostics);
            }
        }
        Self {
            conditions,
            predicates,
        }
    }

    /// Returns the configurations in which an item with this condition exists.
    pub(super) fn presence(&self, cond: Option<&Cond>) -> Presence {
        let Some(cond) = cond else {
            return Presence::Always;
        };
        match self.conditions {
            Conditions::Ignore => Presence::Always,
            Conditions::Config(defined) => match cond.holds(defined) {
                true => Presence::Always,
                false => Presence::Never,
            },
            Conditions::Cfg(_) => Presence::When(self.spelled(cond)),
        }
    }

    /// Returns the predicate for a condition. The recursion is bounded, because
    /// the parser limits how deeply conditions nest.
    fn spelled(&self, cond: &Cond) -> TokenStream {
        match cond.kind() {
            CondKind::Symbol(symbol) => match self.predicates.get(symbol.as_str()) {
                Some(predicate) => predicate.clone(),
                None => {
                    let feature = Literal::string(&feature(symbol));
                    quote!(feature = #feature)
                }
            },
            CondKind::Not(cond) => {
                let cond = self.spelled(cond);
                quote!(not(#cond))
            }
            CondKind::All(conds) => self.operator("all", conds),
            CondKind::Any(conds) => self.operator("any", conds),
        }
    }

    /// Returns the predicate for an operator, or for its operand if it has only
    /// one.
    fn operator(&self, name: &str, conds: &[Cond]) -> TokenStream {
        if let [cond] = conds {
            return self.spelled(cond);
        }
        let name = Ident::new(name, Span::call_site());
        let conds = conds.iter().map(|cond| self.spelled(cond));
        quote!(#name(#(#conds),*))
    }
}

/// Returns the Cargo feature for a symbol: `CONFIG_VNC_SASL` → `vnc-sasl`.
fn feature(symbol: &str) -> String {
    let name = symbol.strip_prefix("CONFIG_").unwrap_or(symbol);
    name.to_ascii_lowercase().replace('_', "-")
}

/// Reports symbols that become the same feature by default. Symbols for which
/// the caller chose the same feature are not passed to this function.
fn report_clashes<'s>(symbols: impl Iterator<Item = &'s str>, diagnostics: &mut Diagnostics) {
    let mut by_feature: BTreeMap<String, &str> = BTreeMap::new();
    for symbol in symbols {
        let feature = feature(symbol);
        match by_feature.get(&feature) {
            Some(other) => {
                let symbols = [(*other).to_owned(), symbol.to_owned()];
                let problem = RustProblem::FeatureClash { symbols, feature };
                diagnostics.report(problem.into(), None);
            }
            None => {
                by_feature.insert(feature, symbol);
            }
        }
    }
}

/// Returns the symbol of the schema that was probably meant by an unknown one.
fn similar(
    symbol: &str,
    symbols: &BTreeSet<&str>,
    diagnostics: &mut Diagnostics,
) -> Option<String> {
    // Leave out the beginning that most symbols share, because it would make all
    // short symbols similar.
    let stem = |symbol| str::strip_prefix(symbol, "CONFIG_").unwrap_or(symbol);
    let stems = symbols.iter().map(|symbol| stem(symbol));
    let found = diagnostics.similar(stem(symbol), stems)?;
    let symbol = symbols.iter().find(|symbol| stem(symbol) == found)?;
    Some((*symbol).to_owned())
}

/// The content of a `#[cfg(...)]`.
struct Predicate(TokenStream);

impl Parse for Predicate {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(LitBool) {
            return Ok(Self(input.parse::<LitBool>()?.into_token_stream()));
        }
        let meta: Meta = input.parse()?;
        check(&meta)?;
        Ok(Self(meta.into_token_stream()))
    }
}

/// Returns an error unless `#[cfg(...)]` accepts `meta`.
fn check(meta: &Meta) -> syn::Result<()> {
    let refuse = |reason: &str| Err(syn::Error::new_spanned(meta, reason));
    let name = meta.path().get_ident().map(ToString::to_string);
    match (name.as_deref(), meta) {
        (None, _) => refuse("expected a name"),
        (Some(_), Meta::Path(_)) => Ok(()),
        (Some(_), Meta::NameValue(pair)) => match &pair.value {
            Expr::Lit(literal) if matches!(literal.lit, Lit::Str(_)) => Ok(()),
            _ => refuse("expected a string after '='"),
        },
        (Some(operator), Meta::List(list)) => {
            let operands = Punctuated::<Predicate, Token![,]>::parse_terminated;
            let operands = operands.parse2(list.tokens.clone())?;
            match operator {
                "all" | "any" => Ok(()),
                "not" if operands.len() == 1 => Ok(()),
                "not" => refuse("expected one operand of 'not'"),
                _ => refuse("expected 'all', 'any' or 'not'"),
            }
        }
    }
}

/// Returns every symbol that a condition of the schema mentions.
fn symbols(schema: &CheckedSchema) -> BTreeSet<&str> {
    let mut symbols = BTreeSet::new();
    for cond in schema.conditions() {
        let mut pending = vec![cond];
        while let Some(cond) = pending.pop() {
            match cond.kind() {
                CondKind::Symbol(symbol) => {
                    symbols.insert(symbol.as_str());
                }
                CondKind::Not(cond) => pending.push(cond),
                CondKind::All(conds) | CondKind::Any(conds) => pending.extend(conds),
            }
        }
    }
    symbols
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_become_features() {
        let rows = [
            ("CONFIG_KVM", "kvm"),
            ("CONFIG_VNC_SASL", "vnc-sasl"),
            ("TARGET_S390X", "target-s390x"),
        ];
        for (symbol, expected) in rows {
            assert_eq!(feature(symbol), expected);
        }
    }

    fn predicate(text: &str) -> syn::Result<TokenStream> {
        syn::parse_str::<Predicate>(text).map(|predicate| predicate.0)
    }

    #[test]
    fn predicates_are_what_cfg_takes() {
        for text in [
            "unix",
            "false",
            "any()",
            "any(true, unix)",
            r#"target_os = "linux""#,
            r#"all(unix, not(any(feature = "a", windows)),)"#,
        ] {
            assert!(predicate(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "1",
            "true = \"x\"",
            "a b",
            "a::b",
            "feature = 1",
            "not()",
            "not(a, b)",
            "most(a)",
            "all(a; b)",
            "all(a, 1)",
            "a)",
        ] {
            assert!(predicate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn presence_is_simplified_when_one_item_is_unconditional() {
        let when = |text: &str| Presence::When(predicate(text).unwrap());
        let shown = |presence: &Presence| match presence {
            Presence::Always => "always".to_owned(),
            Presence::When(predicate) => predicate.to_string(),
            Presence::Never => "never".to_owned(),
        };
        let (a, b) = (when("a"), when("b"));
        let (always, never) = (Presence::Always, Presence::Never);
        let rows = [
            (Presence::any([&a, &a]), "a"),
            (Presence::any([&a, &b, &never]), "any (a , b)"),
            (Presence::any([&a, &always]), "always"),
            (Presence::any([&never]), "never"),
            (Presence::none_of([&a]), "not (a)"),
            (Presence::none_of([&a, &always]), "never"),
            (Presence::none_of([]), "always"),
            (a.and(&b), "all (a , b)"),
            (a.and(&always), "a"),
            (never.and(&a), "never"),
        ];
        for (presence, expected) in rows {
            assert_eq!(shown(&presence), expected);
        }
    }
}

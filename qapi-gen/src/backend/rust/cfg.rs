//! Conditions as Rust spells them.
//!
//! In: the conditions of the schema, and what the caller wants of them. Out:
//! for each item whether it is generated, and under which `#[cfg(...)]`. It
//! does not know what items there are.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{Expr, Lit, LitBool, Meta, Token};

use crate::diag::{Diagnostics, Problem};
use crate::schema::{CheckedSchema, Cond, CondKind};

/// What becomes of the schema's conditions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Conditions {
    /// Whatever is conditional is generated, without a condition.
    #[default]
    Ignore,
    /// What exists if exactly these configuration symbols are defined is
    /// generated, without a condition.
    Config(BTreeSet<String>),
    /// Whatever is conditional is generated with a `#[cfg(...)]`.
    Cfg(CfgNames),
}

/// What configuration symbols are called in `#[cfg(...)]`.
///
/// `CONFIG_VNC_SASL` is `feature = "vnc-sasl"` unless something else is said:
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
    /// The symbol is this Cargo feature.
    #[must_use]
    pub fn feature(self, symbol: impl Into<String>, feature: &str) -> Self {
        self.predicate(symbol, format!("feature = {feature:?}"))
    }

    /// The symbol is this predicate: anything that `#[cfg(...)]` may hold,
    /// `true` and `false` included.
    #[must_use]
    pub fn predicate(mut self, symbol: impl Into<String>, predicate: impl Into<String>) -> Self {
        self.predicates.insert(symbol.into(), predicate.into());
        self
    }
}

impl CfgNames {
    /// The predicates that somebody chose.
    pub(super) fn predicates(&self) -> impl Iterator<Item = &String> {
        self.predicates.values()
    }

    /// The predicates as tokens. Those that are none are reported, and those
    /// of symbols that are in no condition.
    fn parsed(
        &self,
        symbols: &BTreeSet<&str>,
        diagnostics: &mut Diagnostics,
    ) -> BTreeMap<&str, TokenStream> {
        let mut predicates = BTreeMap::new();
        for (symbol, text) in &self.predicates {
            if !symbols.contains(symbol.as_str()) {
                let problem = Problem::OptionUnknown {
                    option: "cfg",
                    name: symbol.clone(),
                    what: "configuration symbol",
                };
                diagnostics.report(problem, None);
            }
            match syn::parse_str(text) {
                Ok(Predicate(predicate)) => {
                    predicates.insert(symbol.as_str(), predicate);
                }
                Err(error) => {
                    let problem = Problem::OptionSyntax {
                        option: "cfg",
                        text: text.clone(),
                        what: "cfg predicate",
                        reason: error.to_string(),
                    };
                    diagnostics.report(problem, None);
                }
            }
        }
        predicates
    }
}

/// The condition of an item; as tokens the attribute that says it, if there is
/// need for one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cfg {
    predicate: Option<TokenStream>,
}

impl Cfg {
    /// The item is always there.
    pub(crate) const ALWAYS: Self = Self { predicate: None };

    fn when(predicate: TokenStream) -> Self {
        Self {
            predicate: Some(predicate),
        }
    }

    /// Whether the item is there in every configuration.
    pub(crate) fn is_always(&self) -> bool {
        self.predicate.is_none()
    }

    /// What has to hold; `None`: nothing.
    pub(crate) fn predicate(&self) -> Option<&TokenStream> {
        self.predicate.as_ref()
    }

    /// When both hold.
    pub(crate) fn and(&self, other: &Self) -> Self {
        match (&self.predicate, &other.predicate) {
            (Some(one), Some(two)) => Self::when(quote!(all(#one, #two))),
            (predicate, None) | (None, predicate) => Self {
                predicate: predicate.clone(),
            },
        }
    }

    /// When it does not hold; `None`: it always does.
    pub(crate) fn not(&self) -> Option<Self> {
        let predicate = self.predicate.as_ref()?;
        Some(Self::when(quote!(not(#predicate))))
    }

    /// When there is one of several items at least; `None`: there are none.
    pub(crate) fn any<'c>(items: impl IntoIterator<Item = &'c Self>) -> Option<Self> {
        let mut seen = BTreeSet::new();
        let mut predicates = Vec::new();
        let mut items = items.into_iter().peekable();
        items.peek()?;
        for item in items {
            let Some(predicate) = &item.predicate else {
                return Some(Self::ALWAYS);
            };
            if seen.insert(predicate.to_string()) {
                predicates.push(predicate);
            }
        }
        Some(Self::when(match predicates.as_slice() {
            [predicate] => predicate.to_token_stream(),
            _ => quote!(any(#(#predicates),*)),
        }))
    }

    /// When there is none of several items; `None`: there always is one.
    pub(crate) fn none_of<'c>(items: impl IntoIterator<Item = &'c Self>) -> Option<Self> {
        match Self::any(items) {
            Some(any) => any.not(),
            None => Some(Self::ALWAYS),
        }
    }

    /// An attribute that is there when this holds.
    pub(crate) fn attribute(&self, attribute: &TokenStream) -> TokenStream {
        match &self.predicate {
            Some(predicate) => quote!(#[cfg_attr(#predicate, #attribute)]),
            None => quote!(#[#attribute]),
        }
    }
}

impl ToTokens for Cfg {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        if let Some(predicate) = &self.predicate {
            tokens.extend(quote!(#[cfg(#predicate)]));
        }
    }
}

/// Tells which items are there, and when.
pub(super) struct Presence<'o> {
    conditions: &'o Conditions,
    /// By symbol: what the caller wants it to be.
    predicates: BTreeMap<&'o str, TokenStream>,
}

impl<'o> Presence<'o> {
    /// Reports predicates that are none, and symbols that are in no condition.
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
                    diagnostics.report(Problem::ConfigUnused(unused), None);
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

    /// When something under this condition is there; `None`: it is not
    /// generated.
    pub(super) fn of(&self, cond: Option<&Cond>) -> Option<Cfg> {
        let Some(cond) = cond else {
            return Some(Cfg::ALWAYS);
        };
        match self.conditions {
            Conditions::Ignore => Some(Cfg::ALWAYS),
            Conditions::Config(defined) => cond.holds(defined).then_some(Cfg::ALWAYS),
            Conditions::Cfg(_) => Some(Cfg::when(self.spelled(cond))),
        }
    }

    /// Conditions nest as deeply as the parser lets them.
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

    fn operator(&self, name: &str, conds: &[Cond]) -> TokenStream {
        if let [cond] = conds {
            return self.spelled(cond);
        }
        let name = Ident::new(name, Span::call_site());
        let conds = conds.iter().map(|cond| self.spelled(cond));
        quote!(#name(#(#conds),*))
    }
}

/// The feature for a symbol: `CONFIG_VNC_SASL` → `vnc-sasl`.
fn feature(symbol: &str) -> String {
    let name = symbol.strip_prefix("CONFIG_").unwrap_or(symbol);
    name.to_ascii_lowercase().replace('_', "-")
}

/// Reports symbols that become the same feature. If somebody said so of two,
/// that is what they want.
fn report_clashes<'s>(symbols: impl Iterator<Item = &'s str>, diagnostics: &mut Diagnostics) {
    let mut by_feature: BTreeMap<String, &str> = BTreeMap::new();
    for symbol in symbols {
        let feature = feature(symbol);
        match by_feature.get(&feature) {
            Some(other) => {
                let symbols = [(*other).to_owned(), symbol.to_owned()];
                diagnostics.report(Problem::FeatureClash { symbols, feature }, None);
            }
            None => {
                by_feature.insert(feature, symbol);
            }
        }
    }
}

/// What `#[cfg(...)]` may hold.
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

/// Every symbol that is in a condition of the schema.
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
    fn one_always_there_is_enough() {
        let cfg = |text: &str| Cfg::when(predicate(text).unwrap());
        let shown = |cfg: Option<Cfg>| cfg.map(|cfg| cfg.to_token_stream().to_string());
        let (a, b) = (cfg("a"), cfg("b"));
        let attribute = |text: &str| Some(shown(Some(cfg(text))).unwrap());
        assert_eq!(shown(Cfg::any([&a, &a])), attribute("a"));
        assert_eq!(shown(Cfg::any([&a, &b])), attribute("any(a, b)"));
        assert_eq!(shown(Cfg::any([&a, &Cfg::ALWAYS])), Some(String::new()));
        assert_eq!(shown(Cfg::any([])), None);
        assert_eq!(shown(Cfg::none_of([&a])), attribute("not(a)"));
        assert_eq!(shown(Cfg::none_of([&a, &Cfg::ALWAYS])), None);
        assert_eq!(shown(Cfg::none_of([])), Some(String::new()));
        assert_eq!(shown(Some(a.and(&b))), attribute("all(a, b)"));
        assert_eq!(shown(Some(a.and(&Cfg::ALWAYS))), attribute("a"));
    }
}

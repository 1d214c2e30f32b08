//! Derives and attributes that the caller adds to generated items.
//!
//! In: options. Out: the additions by definition and by member. The meaning of
//! an attribute is the caller's responsibility.

use std::collections::BTreeMap;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::Attribute;
use syn::parse::Parser as _;

use super::omission::Omissions;
use super::options::{Addition, Options};
use super::placeholder;
use crate::analysis::option_names::OptionNames;
use crate::diag::Diagnostics;
use crate::schema::{CheckedSchema, Entity};

/// The derives and attributes that the caller adds.
pub(super) struct UserAttributes {
    /// The traits to derive, by definition. `None` means all definitions.
    derives: BTreeMap<Option<Entity>, Vec<TokenStream>>,
    /// The attributes, by definition. `None` means all definitions.
    attributes: BTreeMap<Option<Entity>, TokenStream>,
    /// The attributes by definition and member.
    members: BTreeMap<(Entity, String), TokenStream>,
}

impl UserAttributes {
    pub(super) fn new(
        schema: &CheckedSchema,
        options: &Options,
        omissions: &Omissions<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let mut additions = Self {
            derives: BTreeMap::new(),
            attributes: BTreeMap::new(),
            members: BTreeMap::new(),
        };
        let mut names = OptionNames {
            schema,
            option: "derive",
            diagnostics,
        };
        for Addition { to, text } in &options.derives {
            let entity = to.as_deref().map(|name| {
                let entity = names.definition(name)?;
                omissions.require(entity, name, &mut names);
                Some(entity)
            });
            match syn::parse_str::<syn::Path>(text) {
                Ok(path) => {
                    let traits = additions.derives.entry(entity.flatten()).or_default();
                    traits.push(path.into_token_stream());
                }
                Err(error) => names.report_syntax(text, "path", &error),
            }
        }
        names.option = "attribute";
        for Addition { to, text } in &options.attributes {
            let place = to.as_deref().map(|name| {
                let (entity, member) = names.definition_or_member(name)?;
                omissions.require(entity, name, &mut names);
                Some((entity, member))
            });
            let attributes = match attributes(text) {
                Ok(attributes) => attributes,
                Err(error) => {
                    names.report_syntax(text, "attribute", &error);
                    continue;
                }
            };
            let all = match place.flatten() {
                Some((entity, Some(member))) => additions
                    .members
                    .entry((entity, member.to_owned()))
                    .or_default(),
                Some((entity, None)) => additions.attributes.entry(Some(entity)).or_default(),
                // An unknown name ends up here, too. That does no harm, because
                // its error stops the generation.
                None => additions.attributes.entry(None).or_default(),
            };
            all.extend(attributes);
        }
        additions
    }

    /// Returns the attribute that derives the traits in `anyway` and those that
    /// the caller adds for a definition.
    pub(super) fn derives(&self, entity: Entity, anyway: &[&str]) -> TokenStream {
        let mut added: Vec<(&TokenStream, String)> = Vec::new();
        for key in [None, Some(entity)] {
            for path in self.derives.get(&key).into_iter().flatten() {
                let text = path.to_string();
                // Skip traits that are derived already, because deriving a trait
                // twice does not compile, and a caller who adds a trait to all
                // types cannot know which of them derive it by default.
                let is_there = anyway.contains(&text.as_str())
                    || added.iter().any(|(_, other)| *other == text);
                if !is_there {
                    added.push((path, text));
                }
            }
        }
        let anyway = anyway
            .iter()
            .map(|name| Ident::new(name, Span::call_site()));
        let added = added.iter().map(|(path, _)| path);
        quote!(#[derive(#(#anyway),* #(, #added)*)])
    }

    /// Returns the attributes for a definition.
    pub(super) fn attributes(&self, entity: Entity) -> TokenStream {
        let keys = [None, Some(entity)];
        let attributes = keys.iter().filter_map(|key| self.attributes.get(key));
        quote!(#(#attributes)*)
    }

    /// Returns the attributes for a member, a value or a branch.
    pub(super) fn member(&self, entity: Entity, name: &str) -> TokenStream {
        if self.members.is_empty() {
            return TokenStream::new();
        }
        let key = (entity, name.to_owned());
        self.members.get(&key).cloned().unwrap_or_default()
    }
}

/// Parses the attributes that the caller wrote.
fn attributes(text: &str) -> syn::Result<TokenStream> {
    placeholder::require_free(text)?;
    let attributes = Attribute::parse_outer.parse_str(text)?;
    if attributes.is_empty() {
        return Err(syn::Error::new(Span::call_site(), "expected `#[...]`"));
    }
    Ok(quote!(#(#attributes)*))
}

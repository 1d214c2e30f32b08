//! Derives and attributes that the caller adds to generated items.
//!
//! In: options. Out: by definition and by member, what is added to each. What
//! an added attribute does is the caller's affair.

use std::collections::BTreeMap;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::Attribute;
use syn::parse::Parser as _;

use super::omission::Generated;
use super::options::{Addition, Options};
use crate::analysis::option_names::OptionNames;
use crate::diag::Diagnostics;
use crate::schema::{CheckedSchema, Entity};

/// The derives and attributes that the caller adds.
pub(super) struct Additions {
    /// By definition, `None` for all: traits to derive.
    derives: BTreeMap<Option<Entity>, Vec<TokenStream>>,
    /// By definition, `None` for all: attributes.
    attributes: BTreeMap<Option<Entity>, TokenStream>,
    /// By definition and member: attributes.
    members: BTreeMap<(Entity, String), TokenStream>,
}

impl Additions {
    pub(super) fn new(
        schema: &CheckedSchema,
        options: &Options,
        generated: &Generated<'_>,
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
                generated.require(entity, name, &mut names);
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
                generated.require(entity, name, &mut names);
                Some((entity, member))
            });
            let attributes = match Attribute::parse_outer.parse_str(text) {
                Ok(attributes) if attributes.is_empty() => {
                    let error = syn::Error::new(Span::call_site(), "expected `#[...]`");
                    names.report_syntax(text, "attribute", &error);
                    continue;
                }
                Ok(attributes) => quote!(#(#attributes)*),
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
                // Of a name that there is not, an error has been reported.
                None => additions.attributes.entry(None).or_default(),
            };
            all.extend(attributes);
        }
        additions
    }

    /// The attribute that derives a definition's traits: those that its items
    /// have anyway, and what the caller adds to these.
    pub(super) fn derives(&self, entity: Entity, anyway: &[&str]) -> TokenStream {
        let mut added: Vec<(&TokenStream, String)> = Vec::new();
        for key in [None, Some(entity)] {
            for path in self.derives.get(&key).into_iter().flatten() {
                let text = path.to_string();
                // Twice would be an error, and who wants it for all types does
                // not know which have it.
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

    /// The attributes of a definition's items.
    pub(super) fn attributes(&self, entity: Entity) -> TokenStream {
        let keys = [None, Some(entity)];
        let attributes = keys.iter().filter_map(|key| self.attributes.get(key));
        quote!(#(#attributes)*)
    }

    /// The attributes of a member, a value or a branch.
    pub(super) fn member(&self, entity: Entity, name: &str) -> TokenStream {
        if self.members.is_empty() {
            return TokenStream::new();
        }
        let key = (entity, name.to_owned());
        self.members.get(&key).cloned().unwrap_or_default()
    }
}

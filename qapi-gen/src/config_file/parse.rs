//! The keys and values of `qapi-gen.toml`.
//!
//! In: the text of a file, and the folder from which its paths count. Out: settings,
//! or an error with an offset.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::settings::Settings;
use crate::backend::rust::{Addition, CfgNames, Conditions, Layout};
use crate::diag::similar;

/// An error at an offset.
pub(super) struct Error {
    offset: usize,
    pub(super) message: String,
}

impl Error {
    fn at(span: &Range<usize>, message: String) -> Self {
        Self {
            offset: span.start,
            message,
        }
    }

    /// Returns the line and the column of the error, both from 1.
    pub(super) fn place_in(&self, text: &str) -> (usize, usize) {
        let before = text.get(..self.offset).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let (_, last) = before.rsplit_once('\n').unwrap_or(("", before));
        (line, last.chars().count() + 1)
    }
}

const KEYS: [&str; 4] = ["config", "include-folder", "rules", "rust"];

const RUST_KEYS: [&str; 17] = [
    "attribute",
    "attribute-for",
    "cfg",
    "cfg-feature",
    "cfg-predicate",
    "derive",
    "derive-for",
    "direct-reply",
    "docs",
    "except",
    "extern-module",
    "formatted",
    "introspection",
    "one-file",
    "only",
    "open-enum",
    "replace",
];

/// Parses the text of a file.
pub(super) fn parse(text: &str, folder: &Path) -> Result<Settings, Error> {
    let document = DeTable::parse(text).map_err(|error| Error {
        offset: error.span().map_or(0, |span| span.start),
        message: error.message().to_owned(),
    })?;
    let mut file = Settings::default();
    for entry in entries(document.get_ref()) {
        match entry.key {
            "config" => file.config = Some(entry.strings()?.into_iter().collect()),
            "include-folder" => {
                for (name, path) in entry.pairs()? {
                    let path = folder.join(path);
                    if !path.is_dir() {
                        let message = format!("'{name}': {} is not a folder", path.display());
                        return Err(entry.error(message));
                    }
                    file.include_folders.push((name, path));
                }
            }
            "rules" => {
                let text = entry.string()?;
                if text != "auto" {
                    let rules = text.parse::<crate::rules::Rules>();
                    file.rules = Some(rules.map_err(|error| entry.error(error.to_string()))?);
                }
            }
            "rust" => {
                for entry in entries(entry.table()?) {
                    rust(&mut file, &entry)?;
                }
            }
            _ => return Err(entry.unknown(&KEYS)),
        }
    }
    Ok(file)
}

/// Reads an entry of the section `rust`.
fn rust(file: &mut Settings, entry: &Entry<'_>) -> Result<(), Error> {
    let options = &mut file.rust;
    let cfg_names = |conditions: &Conditions| match conditions {
        Conditions::Cfg(names) => names.clone(),
        Conditions::Ignore | Conditions::Config(_) => CfgNames::default(),
    };
    match entry.key {
        "attribute" => {
            let attributes = entry.strings()?.into_iter().map(Addition::to_all);
            options.attributes.extend(attributes);
        }
        "attribute-for" => {
            let pairs = entry.pairs()?.into_iter();
            let attributes = pairs.map(|(name, attribute)| Addition::to(name, attribute));
            options.attributes.extend(attributes);
        }
        "cfg" => {
            if entry.bool()? {
                options.conditions = Conditions::Cfg(cfg_names(&options.conditions));
            }
        }
        "cfg-feature" => {
            let names = cfg_names(&options.conditions);
            let add = |names: CfgNames, (symbol, feature): (String, String)| {
                names.feature(symbol, &feature)
            };
            let names = entry.pairs()?.into_iter().fold(names, add);
            options.conditions = Conditions::Cfg(names);
        }
        "cfg-predicate" => {
            let names = cfg_names(&options.conditions);
            let add = |names: CfgNames, (symbol, predicate): (String, String)| {
                names.predicate(symbol, predicate)
            };
            let names = entry.pairs()?.into_iter().fold(names, add);
            options.conditions = Conditions::Cfg(names);
        }
        "derive" => {
            let derives = entry.strings()?.into_iter().map(Addition::to_all);
            options.derives.extend(derives);
        }
        "derive-for" => {
            let pairs = entry.pairs()?.into_iter();
            let derives = pairs.map(|(name, path)| Addition::to(name, path));
            options.derives.extend(derives);
        }
        "direct-reply" => options.direct_replies.extend(entry.strings()?),
        "docs" => options.docs = entry.bool()?,
        "except" => options.except.extend(entry.strings()?),
        "extern-module" => options.extern_modules.extend(entry.pairs()?),
        "formatted" => options.formatted = entry.bool()?,
        "introspection" => options.introspection = entry.bool()?,
        "one-file" => {
            if entry.bool()? {
                options.layout = Layout::OneFile;
            }
        }
        "only" => options.only.extend(entry.strings()?),
        "open-enum" => options.open_enums.extend(entry.strings()?),
        "replace" => options.replaced.extend(entry.pairs()?),
        _ => return Err(entry.unknown(&RUST_KEYS)),
    }
    Ok(())
}

/// A key with its value.
struct Entry<'a> {
    key: &'a str,
    key_span: Range<usize>,
    value: &'a Spanned<DeValue<'a>>,
}

/// Returns the entries of a table in the order of the file.
fn entries<'a>(table: &'a DeTable<'a>) -> Vec<Entry<'a>> {
    let mut entries: Vec<Entry<'a>> = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref(),
            key_span: key.span(),
            value,
        })
        .collect();
    entries.sort_by_key(|entry| entry.key_span.start);
    entries
}

impl Entry<'_> {
    fn error(&self, message: String) -> Error {
        Error::at(&self.value.span(), message)
    }

    fn must_be(&self, what: &str) -> Error {
        self.error(format!("'{}' must be {what}", self.key))
    }

    fn unknown(&self, known: &[&str]) -> Error {
        let key = self.key;
        let message = match similar(key, known.iter().copied()) {
            Some(meant) => format!("unknown key '{key}'; did you mean '{meant}'?"),
            None => format!("unknown key '{key}'; the keys are {}", known.join(", ")),
        };
        Error::at(&self.key_span, message)
    }

    fn bool(&self) -> Result<bool, Error> {
        let value = self.value.get_ref().as_bool();
        value.ok_or_else(|| self.must_be("true or false"))
    }

    fn string(&self) -> Result<&str, Error> {
        let value = self.value.get_ref().as_str();
        value.ok_or_else(|| self.must_be("a string"))
    }

    fn table(&self) -> Result<&DeTable<'_>, Error> {
        let value = self.value.get_ref().as_table();
        value.ok_or_else(|| self.must_be("a table"))
    }

    fn strings(&self) -> Result<Vec<String>, Error> {
        let must = || self.must_be("an array of strings");
        let array = self.value.get_ref().as_array().ok_or_else(must)?;
        let strings = array.iter().map(|element| {
            let text = element.get_ref().as_str().map(str::to_owned);
            text.ok_or_else(must)
        });
        strings.collect()
    }

    /// Returns names with strings for them. A name may have an array of strings.
    fn pairs(&self) -> Result<Vec<(String, String)>, Error> {
        let mut pairs = Vec::new();
        for entry in entries(self.table()?) {
            let values = match entry.value.get_ref() {
                DeValue::Array(_) => entry.strings()?,
                _ => vec![entry.string()?.to_owned()],
            };
            pairs.extend(
                values
                    .into_iter()
                    .map(|value| (entry.key.to_owned(), value)),
            );
        }
        Ok(pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_known() {
        // With a date, which no key takes, the error is about the value.
        for (section, keys) in [("", &KEYS[..]), ("[rust]\n", &RUST_KEYS)] {
            for key in keys {
                let text = format!("{section}{key} = 2000-01-01");
                let error = parse(&text, Path::new(".")).err().unwrap();
                assert!(error.message.contains("must be"), "{}", error.message);
            }
        }
    }
}

//! The choices of a VMM: the form of the text, a prefix and labels.
//!
//! In: names. Out: checked names. This file knows no statistic.

use std::error::Error;
use std::fmt;
use std::num::NonZeroUsize;

use super::names::{is_free_label, is_prefix};

/// The form of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus' text format 0.0.4.
    Prometheus,
}

impl Format {
    /// Returns the value of HTTP's header `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// The bounds of a histogram that are written. The others' counts are in the next bound
/// that is, so that all numbers stay exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Buckets {
    /// All bounds.
    #[default]
    All,
    /// The bounds of each n-th bucket, and that of the last one, which is infinite.
    Every(NonZeroUsize),
    /// Only the infinite bound.
    Infinite,
}

impl Buckets {
    /// Returns whether the bound of the bucket at `index` is written.
    #[must_use]
    pub fn has(self, index: usize) -> bool {
        match self {
            Self::All => true,
            Self::Every(step) => (index + 1) % step == 0,
            Self::Infinite => false,
        }
    }
}

/// The prefix of all names and the labels of all samples, which a VMM chooses.
#[derive(Clone, Debug)]
pub struct Options {
    prefix: String,
    labels: Vec<(String, String)>,
}

impl Options {
    /// Returns the defaults: names begin with `vmstats`, and samples have no labels
    /// but those of their objects.
    #[must_use]
    pub fn new() -> Self {
        Self {
            prefix: "vmstats".to_owned(),
            labels: Vec::new(),
        }
    }

    /// Sets what all names begin with.
    ///
    /// # Errors
    ///
    /// Fails if no name can begin with the prefix.
    pub fn prefix(self, prefix: &str) -> Result<Self, InvalidName> {
        if !is_prefix(prefix) {
            return Err(InvalidName(prefix.to_owned()));
        }
        let prefix = prefix.to_owned();
        Ok(Self { prefix, ..self })
    }

    /// Adds a label to all samples, such as `vm` with the name of the VM.
    ///
    /// # Errors
    ///
    /// Fails if a label cannot have the name, if the name is that of another label,
    /// or if samples have a label of this name themselves.
    pub fn label(mut self, name: &str, value: impl Into<String>) -> Result<Self, InvalidName> {
        if !is_free_label(name) || self.labels.iter().any(|(other, _)| other == name) {
            return Err(InvalidName(name.to_owned()));
        }
        self.labels.push((name.to_owned(), value.into()));
        Ok(self)
    }

    pub(super) fn name_prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn labels(&self) -> &[(String, String)] {
        &self.labels
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

/// The error that a name of a VMM's own cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidName(String);

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "'{}' cannot be a prefix or a label: use ASCII letters, digits and '_', no digit at \
             the beginning, each label once, and not the labels 'le', 'quantile', 'vcpu', \
             'qom_path' and those that begin with '__'",
            self.0.escape_debug()
        )
    }
}

impl Error for InvalidName {}

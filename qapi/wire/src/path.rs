//! The place of a value in the document that is being decoded, and the errors
//! that name it.
//!
//! In: steps from the root down. Out: errors in QEMU's words. The texts, and the
//! member names in them, are those of QEMU's `qobject-input-visitor.c` and of
//! the code its generator writes: a missing, unexpected or mistyped member is
//! named by its whole path; a value that is out of range, or unknown to an
//! enumeration, only by its last step, which for a list element is `null`.

use crate::compat::Policy;
use crate::context::{Context, Mode};
use crate::error::{Error, Result};
use crate::features::SpecialFeatures;

/// Where a value stands in the document that is being decoded.
#[derive(Clone, Copy, Debug)]
pub struct ValuePath<'a> {
    parent: Option<&'a ValuePath<'a>>,
    step: Step<'a>,
    context: &'a Context<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Root,
    Member(&'a str),
    Element(usize),
}

impl<'a> ValuePath<'a> {
    /// The whole document.
    #[must_use]
    pub fn root(context: &'a Context<'a>) -> Self {
        Self {
            parent: None,
            step: Step::Root,
            context,
        }
    }

    /// The member called `name` of the object that stands here.
    #[must_use]
    pub fn member<'b>(&'b self, name: &'b str) -> ValuePath<'b> {
        ValuePath {
            parent: Some(self),
            step: Step::Member(name),
            context: self.context,
        }
    }

    /// The element at `index` of the array that stands here.
    #[must_use]
    pub fn element(&self, index: usize) -> ValuePath<'_> {
        ValuePath {
            parent: Some(self),
            step: Step::Element(index),
            context: self.context,
        }
    }

    /// How strict to be.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.context.mode()
    }

    pub(crate) fn policy(&self) -> Policy {
        self.context.policy()
    }

    /// The error for a member that is not there.
    #[cold]
    #[must_use]
    pub fn missing(&self) -> Error {
        Error::generic(format!("Parameter '{}' is missing", self.path()))
    }

    /// The error for a member that the schema does not have.
    #[cold]
    #[must_use]
    pub fn unexpected(&self) -> Error {
        Error::generic(format!("Parameter '{}' is unexpected", self.path()))
    }

    /// The error for a value of another JSON type than `expected`.
    #[cold]
    #[must_use]
    pub fn invalid_type(&self, expected: &str) -> Error {
        Error::generic(format!(
            "Invalid parameter type for '{}', expected: {expected}",
            self.path()
        ))
    }

    /// The error for a value that is no `uint64`. It has the words for a number
    /// out of range, but the whole path.
    #[cold]
    #[must_use]
    pub fn invalid_uint64(&self) -> Error {
        Error::generic(format!("Parameter '{}' expects uint64", self.path()))
    }

    /// The error for a value that no branch of the alternate type called
    /// `expected` takes.
    #[cold]
    #[must_use]
    pub fn invalid_alternate(&self, expected: &str) -> Error {
        Error::generic(format!(
            "Invalid parameter type for '{}', expected: {expected}",
            self.last_name()
        ))
    }

    /// The error for a number outside the range of `expected`, a C type.
    #[cold]
    #[must_use]
    pub fn out_of_range(&self, expected: &str) -> Error {
        Error::generic(format!(
            "Parameter '{}' expects {expected}",
            self.last_name()
        ))
    }

    /// The error for a string that is no value of an enumeration.
    #[cold]
    #[must_use]
    pub fn invalid_value(&self, value: &str) -> Error {
        Error::generic(format!(
            "Parameter '{}' does not accept value '{value}'",
            self.last_name()
        ))
    }

    /// Whether an open enumeration takes a value that the schema does not
    /// list; the error if it does not.
    ///
    /// # Errors
    ///
    /// In strict mode, that the value is not accepted, unless it is
    /// registered.
    pub fn open_value(&self, enum_name: &str, value: &str) -> Result<()> {
        let accepted = match self.mode() {
            Mode::Tolerant => true,
            Mode::Strict => self.context.is_registered(enum_name, value),
        };
        if accepted {
            Ok(())
        } else {
            Err(self.invalid_value(value))
        }
    }

    /// Whether the policy takes a value of an enumeration that has special
    /// features; the error if it does not.
    ///
    /// # Errors
    ///
    /// That the value is disabled.
    pub fn special_value(&self, value: &str, special: SpecialFeatures) -> Result<()> {
        self.policy().value(value, special)
    }

    fn last_name(&self) -> &str {
        match self.step {
            Step::Member(name) => name,
            Step::Root | Step::Element(_) => "null",
        }
    }

    fn path(&self) -> String {
        let mut steps = Vec::new();
        let mut at = Some(self);
        while let Some(here) = at {
            steps.push(here.step);
            at = here.parent;
        }
        let mut path = String::new();
        for step in steps.iter().rev() {
            match step {
                Step::Root => {}
                Step::Member(name) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(name);
                }
                Step::Element(index) => path.push_str(&format!("[{index}]")),
            }
        }
        // A member's name may be empty, so that no text is a path too.
        if matches!(self.step, Step::Root) {
            path.push_str("<anonymous>");
        }
        path
    }
}

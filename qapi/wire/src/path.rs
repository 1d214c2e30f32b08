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

/// The path from the root of a document to the value that is being decoded.
///
/// A path lives on the stack of the decoder: each step refers to the one before.
/// Its text is only made for an error.
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
    /// Makes the path of a document's root.
    #[must_use]
    pub fn root(context: &'a Context<'a>) -> Self {
        Self {
            parent: None,
            step: Step::Root,
            context,
        }
    }

    /// Makes the path of the member called `name` of the object at this path.
    #[must_use]
    pub fn member<'b>(&'b self, name: &'b str) -> ValuePath<'b> {
        ValuePath {
            parent: Some(self),
            step: Step::Member(name),
            context: self.context,
        }
    }

    /// Makes the path of the element at `index` of the array at this path.
    #[must_use]
    pub fn element(&self, index: usize) -> ValuePath<'_> {
        ValuePath {
            parent: Some(self),
            step: Step::Element(index),
            context: self.context,
        }
    }

    /// Returns the mode of the decoding.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.context.mode()
    }

    pub(crate) fn policy(&self) -> Policy {
        self.context.policy()
    }

    /// Makes the error for a mandatory member that is missing.
    #[cold]
    #[must_use]
    pub fn missing(&self) -> Error {
        Error::generic(format!("Parameter '{}' is missing", self.path()))
    }

    /// Makes the error for a member that the schema does not have.
    #[cold]
    #[must_use]
    pub fn unexpected(&self) -> Error {
        Error::generic(format!("Parameter '{}' is unexpected", self.path()))
    }

    /// Makes the error for a value that does not have the JSON type `expected`.
    #[cold]
    #[must_use]
    pub fn invalid_type(&self, expected: &str) -> Error {
        Error::generic(format!(
            "Invalid parameter type for '{}', expected: {expected}",
            self.path()
        ))
    }

    /// Makes the error for a value that is not a `uint64`. Like QEMU's, it has the
    /// words for a number out of range, but the whole path.
    #[cold]
    #[must_use]
    pub fn invalid_uint64(&self) -> Error {
        Error::generic(format!("Parameter '{}' expects uint64", self.path()))
    }

    /// Makes the error for a value that no branch of the alternate type called
    /// `expected` accepts.
    #[cold]
    #[must_use]
    pub fn invalid_alternate(&self, expected: &str) -> Error {
        Error::generic(format!(
            "Invalid parameter type for '{}', expected: {expected}",
            self.last_name()
        ))
    }

    /// Makes the error for a number outside the range of the C type `expected`.
    #[cold]
    #[must_use]
    pub fn out_of_range(&self, expected: &str) -> Error {
        Error::generic(format!(
            "Parameter '{}' expects {expected}",
            self.last_name()
        ))
    }

    /// Makes the error for a string that is not a value of an enumeration.
    #[cold]
    #[must_use]
    pub fn invalid_value(&self, value: &str) -> Error {
        Error::generic(format!(
            "Parameter '{}' does not accept value '{value}'",
            self.last_name()
        ))
    }

    /// Checks that an open enumeration accepts a value which the schema does not
    /// list.
    ///
    /// # Errors
    ///
    /// Fails in strict mode if the value is not registered.
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

    /// Checks that the policy accepts a value of an enumeration that has special
    /// features.
    ///
    /// # Errors
    ///
    /// Fails if the policy disables the value.
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
        // Do not test for an empty path: a member's name may be empty as well.
        if matches!(self.step, Step::Root) {
            path.push_str("<anonymous>");
        }
        path
    }
}

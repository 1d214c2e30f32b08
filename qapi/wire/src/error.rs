//! The error of a command, as it is sent to the peer.
//!
//! In: a class and a description. Out: the same. Nothing here knows JSON.

use std::fmt;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The class of an error reply. Clients may act on the class, but not on the
/// description.
///
/// The values are those of `QapiErrorClass` in QEMU's `qapi/error.json`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorClass {
    /// `GenericError`: any error without a class of its own.
    GenericError,
    /// `CommandNotFound`: the command does not exist or cannot be executed now.
    CommandNotFound,
    /// `DeviceNotActive`.
    DeviceNotActive,
    /// `DeviceNotFound`.
    DeviceNotFound,
    /// `KVMMissingCap`.
    KvmMissingCap,
    /// A class that only a newer peer knows.
    Unknown(Box<str>),
}

impl ErrorClass {
    /// Returns the name on the wire.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::GenericError => "GenericError",
            Self::CommandNotFound => "CommandNotFound",
            Self::DeviceNotActive => "DeviceNotActive",
            Self::DeviceNotFound => "DeviceNotFound",
            Self::KvmMissingCap => "KVMMissingCap",
            Self::Unknown(name) => name,
        }
    }
}

impl From<&str> for ErrorClass {
    fn from(name: &str) -> Self {
        match name {
            "GenericError" => Self::GenericError,
            "CommandNotFound" => Self::CommandNotFound,
            "DeviceNotActive" => Self::DeviceNotActive,
            "DeviceNotFound" => Self::DeviceNotFound,
            "KVMMissingCap" => Self::KvmMissingCap,
            _ => Self::Unknown(name.into()),
        }
    }
}

/// An error reply: a class, and a description for people.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    // Boxed, so that the results of decoding are small.
    inner: Box<(ErrorClass, String)>,
}

impl Error {
    /// Makes an error of the given class.
    #[must_use]
    pub fn new(class: ErrorClass, desc: impl Into<String>) -> Self {
        Self {
            inner: Box::new((class, desc.into())),
        }
    }

    /// Makes an error of class `GenericError`.
    #[must_use]
    pub fn generic(desc: impl Into<String>) -> Self {
        Self::new(ErrorClass::GenericError, desc)
    }

    /// Makes an error of class `CommandNotFound`.
    #[must_use]
    pub fn command_not_found(desc: impl Into<String>) -> Self {
        Self::new(ErrorClass::CommandNotFound, desc)
    }

    /// Returns the class.
    #[must_use]
    pub fn class(&self) -> &ErrorClass {
        &self.inner.0
    }

    /// Returns the description.
    #[must_use]
    pub fn desc(&self) -> &str {
        &self.inner.1
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.desc())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("class", self.class())
            .field("desc", &self.desc())
            .finish()
    }
}

impl std::error::Error for Error {}

/// The error of a name that a closed enumeration does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownValue {
    name: String,
}

impl UnknownValue {
    /// Makes the error for `name`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
        }
    }
}

impl fmt::Display for UnknownValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no value '{}'", self.name)
    }
}

impl std::error::Error for UnknownValue {}

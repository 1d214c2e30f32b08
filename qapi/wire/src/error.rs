//! Why a command failed, as the peer is told: a class and a description.

use std::fmt;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The class of an error reply. Clients may act on it; on descriptions they
/// may not.
///
/// The values are those of `QapiErrorClass` in QEMU's `qapi/error.json`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorClass {
    /// `GenericError`: everything that has no class of its own.
    GenericError,
    /// `CommandNotFound`: no such command, or not now.
    CommandNotFound,
    /// `DeviceNotActive`.
    DeviceNotActive,
    /// `DeviceNotFound`.
    DeviceNotFound,
    /// `KVMMissingCap`.
    KvmMissingCap,
    /// A class of a newer peer.
    Unknown(Box<str>),
}

impl ErrorClass {
    /// The name on the wire.
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

/// An error reply: a class and a description for people.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    // Boxed, so that the results of decoding stay small.
    inner: Box<(ErrorClass, String)>,
}

impl Error {
    /// An error of the given class.
    #[must_use]
    pub fn new(class: ErrorClass, desc: impl Into<String>) -> Self {
        Self {
            inner: Box::new((class, desc.into())),
        }
    }

    /// An error of class `GenericError`.
    #[must_use]
    pub fn generic(desc: impl Into<String>) -> Self {
        Self::new(ErrorClass::GenericError, desc)
    }

    /// An error of class `CommandNotFound`.
    #[must_use]
    pub fn command_not_found(desc: impl Into<String>) -> Self {
        Self::new(ErrorClass::CommandNotFound, desc)
    }

    /// The class.
    #[must_use]
    pub fn class(&self) -> &ErrorClass {
        &self.inner.0
    }

    /// The description.
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

/// A name that a closed enumeration does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownValue {
    name: String,
}

impl UnknownValue {
    /// The error for `name`.
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

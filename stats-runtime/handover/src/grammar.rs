//! The words of the protocol: both sides check the same text by the same rules.
//!
//! In: the text of one field. Out: the reason why the field is not valid. This file
//! knows neither sockets nor files.

use std::fmt;

/// The first line of every packet, without its end.
pub const VERSION: &str = "stats-handover/1";
/// The most files of one packet, which is the kernel's limit (`SCM_MAX_FD`).
pub const PACKET_FILES_MAX: usize = 253;
/// The most bytes of one packet's text.
pub const PACKET_SIZE_MAX: usize = 64 * 1024;
/// The most bytes of a VM's name.
pub const NAME_SIZE_MAX: usize = 255;
/// The most bytes of the QOM path of a vCPU or another object.
pub const PATH_SIZE_MAX: usize = 255;
/// The most bytes of a provider's name.
pub const PROVIDER_SIZE_MAX: usize = 64;
/// The highest index of a vCPU.
pub const VCPU_INDEX_MAX: u32 = 4095;

/// Names that a provider of objects must not have: statistics of these names come
/// from elsewhere, and a provider's target has the provider's name.
pub(crate) const RESERVED_PROVIDERS: &[&str] = &["cryptodev", "kvm", "sched", "vcpu", "vm"];

const UUID_GROUPS: [usize; 5] = [8, 4, 4, 4, 12];

/// The reason why the text of a field is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The text is empty.
    Empty,
    /// The text is too long.
    TooLong {
        /// The length in bytes.
        size: usize,
        /// The most bytes of the field.
        max: usize,
    },
    /// The text has a control character, such as the end of a line.
    ControlCharacter,
    /// The text is not a UUID.
    NotUuid,
    /// The text is not a valid QAPI name.
    NotAName,
    /// The provider's name has a meaning already.
    Reserved,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty"),
            Self::TooLong { size, max } => write!(f, "has {size} bytes; at most {max} are allowed"),
            Self::ControlCharacter => f.write_str("has a control character"),
            Self::NotUuid => f.write_str(
                "is not a UUID of 36 characters: hexadecimal digits in groups of 8, 4, 4, 4 and \
                 12, with - between them",
            ),
            Self::NotAName => f.write_str(
                "is not a letter followed by letters, digits, hyphens, underscores and dots",
            ),
            Self::Reserved => {
                f.write_str("is reserved; choose another than ")?;
                f.write_str(&RESERVED_PROVIDERS.join(", "))
            }
        }
    }
}

/// Checks the name of a VM.
pub(crate) fn check_name(text: &str) -> Result<(), Fault> {
    check_free_text(text, NAME_SIZE_MAX)
}

/// Checks the QOM path of an object.
pub(crate) fn check_path(text: &str) -> Result<(), Fault> {
    check_free_text(text, PATH_SIZE_MAX)
}

/// Checks the UUID of a VM.
pub(crate) fn check_uuid(text: &str) -> Result<(), Fault> {
    let mut groups = text.split('-');
    let is_uuid = UUID_GROUPS.iter().all(|len| {
        let is_group =
            |group: &str| group.len() == *len && group.bytes().all(|byte| byte.is_ascii_hexdigit());
        groups.next().is_some_and(is_group)
    });
    if is_uuid && groups.next().is_none() {
        Ok(())
    } else {
        Err(Fault::NotUuid)
    }
}

/// Checks the name of a provider of objects.
pub(crate) fn check_provider(text: &str) -> Result<(), Fault> {
    check_size(text, PROVIDER_SIZE_MAX)?;
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if !text.starts_with(|first: char| first.is_ascii_alphabetic()) || !text.bytes().all(is_inner) {
        return Err(Fault::NotAName);
    }
    if RESERVED_PROVIDERS.contains(&text) {
        return Err(Fault::Reserved);
    }
    Ok(())
}

fn check_free_text(text: &str, max: usize) -> Result<(), Fault> {
    check_size(text, max)?;
    if text.contains(char::is_control) {
        return Err(Fault::ControlCharacter);
    }
    Ok(())
}

fn check_size(text: &str, max: usize) -> Result<(), Fault> {
    match text.len() {
        0 => Err(Fault::Empty),
        size if size > max => Err(Fault::TooLong { size, max }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuid_is_accepted_when_its_groups_are_hexadecimal() {
        for text in [
            "4f9f0a2e-9b5c-4b7e-8a55-0d6f3f6f2f11",
            "4F9F0A2E-9B5C-4B7E-8A55-0D6F3F6F2F11",
        ] {
            assert_eq!(check_uuid(text), Ok(()), "{text}");
        }
        for text in [
            "",
            "4f9f0a2e9b5c4b7e8a550d6f3f6f2f11",
            "4f9f0a2e-9b5c-4b7e-8a55-0d6f3f6f2f1",
            "4f9f0a2e-9b5c-4b7e-8a55-0d6f3f6f2f11-",
            "4f9f0a2g-9b5c-4b7e-8a55-0d6f3f6f2f11",
            "{4f9f0a2e-9b5c-4b7e-8a55-0d6f3f6f2f1}",
        ] {
            assert_eq!(check_uuid(text), Err(Fault::NotUuid), "{text}");
        }
    }

    #[test]
    fn provider_is_accepted_when_it_is_a_name_of_qapi() {
        for text in ["block", "x-net.0_a", "B"] {
            assert_eq!(check_provider(text), Ok(()), "{text}");
        }
        for text in ["0a", "-a", "a b", "é", "a/b", "a\n"] {
            assert_eq!(check_provider(text), Err(Fault::NotAName), "{text}");
        }
        assert_eq!(check_provider(""), Err(Fault::Empty));
        assert_eq!(check_provider("kvm"), Err(Fault::Reserved));
        let size = PROVIDER_SIZE_MAX + 1;
        assert!(matches!(
            check_provider(&"a".repeat(size)),
            Err(Fault::TooLong { .. })
        ));
    }

    #[test]
    fn text_is_refused_when_it_would_end_its_line() {
        for text in ["a\nb", "a\rb", "\0", "\u{7f}", "\u{85}"] {
            assert_eq!(check_name(text), Err(Fault::ControlCharacter), "{text:?}");
        }
        assert_eq!(check_name(""), Err(Fault::Empty));
        assert_eq!(check_path(&"é".repeat(127)), Ok(()));
        assert!(check_path(&"é".repeat(128)).is_err());
        assert_eq!(check_path("/a path with spaces"), Ok(()));
    }
}

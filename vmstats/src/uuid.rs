//! A virtual machine's UUID, as an argument.
//!
//! In: the text form (RFC 9562, section 4). Out: the same text with lower-case
//! digits, as QEMU prints it. UUIDs of every version are accepted.

use std::fmt;
use std::str::FromStr;

/// A UUID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uuid(String);

impl FromStr for Uuid {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let groups: Vec<&str> = text.split('-').collect();
        let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
        let is_hexadecimal = |group: &&str| group.bytes().all(|digit| digit.is_ascii_hexdigit());
        if lengths != [8, 4, 4, 4, 12] || !groups.iter().all(is_hexadecimal) {
            return Err("expected 32 hexadecimal digits, as in \
                        01234567-89ab-cdef-0123-456789abcdef"
                .to_owned());
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Uuid;

    #[test]
    fn uuid_is_parsed_only_from_its_text_form() {
        let uuid: Result<Uuid, _> = "01234567-89AB-cdef-0123-456789abcdef".parse();
        let text = uuid.map(|uuid| uuid.to_string());
        assert_eq!(text.as_deref(), Ok("01234567-89ab-cdef-0123-456789abcdef"));
        for wrong in [
            "",
            "0123456789abcdef0123456789abcdef",
            "01234567-89ab-cdef-0123-456789abcdeg",
            "01234567-89ab-cdef-0123-456789abcdef-",
            "1234567-89ab-cdef-0123-456789abcdef0",
        ] {
            assert!(wrong.parse::<Uuid>().is_err(), "{wrong}");
        }
    }
}

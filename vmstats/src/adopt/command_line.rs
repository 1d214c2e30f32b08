//! The name and the UUID of a virtual machine, from the command line of its QEMU.
//!
//! In: the bytes of `/proc/PID/cmdline`, which the owner of the process chose. Out: texts
//! that the protocol of hand-overs accepts. This file reads no file.

use stats_handover::NAME_SIZE_MAX;

use crate::printable::is_unsafe;
use crate::uuid::Uuid;

/// The name and the UUID of a virtual machine, as far as its command line has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Identity {
    /// The name, with at most [`NAME_SIZE_MAX`] bytes and no control character. `None` if
    /// the command line has none.
    pub(super) name: Option<String>,
    /// The UUID in lower case. `None` if the command line has none.
    pub(super) uuid: Option<String>,
}

impl Identity {
    /// Reads the options `-name`, `-uuid` and `-smbios type=1,uuid=`. Of options that occur
    /// several times, the last one counts, as it does for QEMU.
    pub(super) fn parse(command_line: &[u8]) -> Self {
        let mut words = command_line.split(|byte| *byte == 0).skip(1);
        let mut identity = Self::default();
        let mut smbios_uuid = None;
        while let Some(word) = words.next() {
            let option = word.strip_prefix(b"-").unwrap_or_default();
            // QEMU reads `--option` as `-option`.
            match option.strip_prefix(b"-").unwrap_or(option) {
                b"name" => {
                    let parameters = parameters(words.next().unwrap_or_default(), "guest");
                    let name = last(&parameters, "guest").and_then(accepted_name);
                    identity.name = name.or(identity.name);
                }
                b"uuid" => {
                    let uuid = String::from_utf8_lossy(words.next().unwrap_or_default());
                    identity.uuid = accepted_uuid(&uuid).or(identity.uuid);
                }
                b"smbios" => {
                    let parameters = parameters(words.next().unwrap_or_default(), "type");
                    let is_system = ["1", "type1"].map(Some);
                    if is_system.contains(&last(&parameters, "type")) {
                        smbios_uuid = last(&parameters, "uuid")
                            .and_then(accepted_uuid)
                            .or(smbios_uuid);
                    }
                }
                _ => {}
            }
        }
        identity.uuid = identity.uuid.or(smbios_uuid);
        identity
    }
}

/// Splits the value of an option at its commas; two commas in a row mean one comma in
/// the value. A first part without `=` is the value of the parameter `implied`.
fn parameters(value: &[u8], implied: &str) -> Vec<(String, String)> {
    let value = String::from_utf8_lossy(value);
    let mut rest = &*value;
    let mut parameters = Vec::new();
    while !rest.is_empty() {
        let key_end = rest.find(['=', ',']).unwrap_or(rest.len());
        let (before, after) = rest.split_at(key_end);
        let key = match after.strip_prefix('=') {
            Some(text) => {
                rest = text;
                before
            }
            None if parameters.is_empty() => implied,
            // A flag such as `debug-threads`, whose value has no meaning here.
            None => {
                rest = after.strip_prefix(',').unwrap_or_default();
                continue;
            }
        };
        let (text, end) = unescaped(rest);
        parameters.push((key.to_owned(), text));
        rest = rest.get(end..).unwrap_or_default();
    }
    parameters
}

/// Returns a value up to its comma, and the offset of the text after that comma.
fn unescaped(text: &str) -> (String, usize) {
    let mut value = String::new();
    let mut letters = text.char_indices().peekable();
    while let Some((offset, letter)) = letters.next() {
        if letter == ',' && letters.next_if(|(_, next)| *next == ',').is_none() {
            return (value, offset + 1);
        }
        value.push(letter);
    }
    (value, text.len())
}

fn last<'a>(parameters: &'a [(String, String)], key: &str) -> Option<&'a str> {
    let mut found = parameters.iter().rev().filter(|(name, _)| name == key);
    found.next().map(|(_, value)| &**value)
}

fn accepted_uuid(text: &str) -> Option<String> {
    let uuid: Option<Uuid> = text.parse().ok();
    uuid.map(|uuid| uuid.to_string())
}

/// Replaces the characters that a hand-over or a terminal does not take, and cuts the name
/// at its maximum. Returns `None` if the name is empty.
fn accepted_name(text: &str) -> Option<String> {
    let mut name = String::new();
    for letter in text.chars() {
        let letter = if is_unsafe(letter) {
            char::REPLACEMENT_CHARACTER
        } else {
            letter
        };
        if name.len() + letter.len_utf8() > NAME_SIZE_MAX {
            break;
        }
        name.push(letter);
    }
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use stats_handover::Handover;

    use super::*;

    const UUID: &str = "4f9f0a2e-9b5c-4b7e-8a55-0d6f3f6f2f11";
    const OTHER: &str = "aaaaaaaa-9b5c-4b7e-8a55-0d6f3f6f2f11";

    /// Returns the identity of a command line whose words are separated by blanks.
    fn identity(words: &str) -> (Option<String>, Option<String>) {
        let line = format!("qemu-system-x86_64 {words}").replace(' ', "\0");
        let Identity { name, uuid } = Identity::parse(line.as_bytes());
        (name, uuid)
    }

    #[test]
    fn name_is_found_when_launchers_write_it_in_their_ways() {
        for (words, expected) in [
            // libvirt, with the machine's own folder for secrets.
            (
                "-name guest=web1,debug-threads=on -S -object secret,id=a",
                "web1",
            ),
            ("-name web1", "web1"),
            ("--name web1", "web1"),
            // Proxmox.
            ("-id 100 -name web1,debug-threads=on -no-shutdown", "web1"),
            // kata.
            (
                "-name sandbox-0a1b,debug-threads=on -uuid x",
                "sandbox-0a1b",
            ),
            ("-name a,,b", "a,b"),
            ("-name a,,b=c", "a,b=c"),
            ("-name guest=a,,,,b,,,process=x", "a,,b,"),
            ("-name debug-threads=on,guest=a", "a"),
            ("-name a -name b", "b"),
            ("-name a -name process=p", "a"),
            ("-name guest=é", "é"),
        ] {
            assert_eq!(identity(words).0.as_deref(), Some(expected), "{words}");
        }
        for words in [
            "",
            "-name",
            "-name ",
            "-name process=p",
            "-names a",
            "name a",
        ] {
            assert_eq!(identity(words).0, None, "{words}");
        }
    }

    #[test]
    fn uuid_of_the_machine_is_preferred_to_that_of_its_firmware() {
        let upper = UUID.to_uppercase();
        for words in [
            format!("-uuid {UUID}"),
            format!("--uuid {upper}"),
            format!("-smbios type=1,uuid={UUID}"),
            format!("-smbios type1,uuid={UUID}"),
            format!("-smbios type=1,manufacturer=a,,b,uuid={UUID} -smbios type=2,uuid={OTHER}"),
            format!("-uuid {UUID} -smbios type=1,uuid={OTHER}"),
            format!("-smbios type=1,uuid={OTHER} -uuid {OTHER} -uuid {UUID}"),
        ] {
            assert_eq!(identity(&words).1.as_deref(), Some(UUID), "{words}");
        }
        for words in [
            "-uuid",
            "-uuid 1",
            "-smbios type=1",
            "-smbios type=0,uuid=4f9f0a2e-9b5c-4b7e-8a55-0d6f3f6f2f11",
        ] {
            assert_eq!(identity(words).1, None, "{words}");
        }
    }

    #[test]
    fn name_fits_a_hand_over_when_the_command_line_is_hostile() {
        let long = "é".repeat(1 << 20);
        let cases: [(&[u8], &str); 6] = [
            (b"-name\0a\nuuid b\0", "a\u{fffd}uuid b"),
            (b"-name\0\xff\xfea\0", "\u{fffd}\u{fffd}a"),
            (b"-name\0\x1b[31m\x7f\0", "\u{fffd}[31m\u{fffd}"),
            ("-name\0a\u{202e}b".as_bytes(), "a\u{fffd}b"),
            (
                &[b"-name\0guest=", long.as_bytes()].concat(),
                &"é".repeat(127),
            ),
            (&[&[b','; 1 << 20][..], b"\0-name\0x"].concat(), "x"),
        ];
        for (words, expected) in cases {
            let identity = Identity::parse(&[b"qemu\0", words].concat());
            let name = identity.name.unwrap();
            assert_eq!(name, expected);
            if kvm_stats::keeps_vm_alive() {
                assert!(Handover::new(&name).is_ok(), "{name:?}");
            }
        }
    }
}

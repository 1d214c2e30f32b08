//! Telnet's commands, which a QEMU with `telnet` sends before its greeting.
//!
//! In: bytes, cut anywhere. Out: the same bytes without the commands (RFC 854).

/// The byte that begins a command. JSON, which is UTF-8, never has it.
const COMMAND: u8 = 255;
const WILL: u8 = 251;
const DONT: u8 = 254;
const BEGIN_SUBNEGOTIATION: u8 = 250;
const END_SUBNEGOTIATION: u8 = 240;

/// The part of a command in which the bytes so far have ended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Telnet {
    /// Outside commands.
    #[default]
    Text,
    /// The byte that says which command it is comes next.
    Command,
    /// Before the last byte, which is the number of an option.
    Option,
    /// In the arguments of an option.
    Subnegotiation,
    /// In the arguments of an option, after the first byte of a command.
    SubnegotiationCommand,
}

impl Telnet {
    /// Removes commands from the next bytes of a stream.
    pub(super) fn strip(&mut self, bytes: &mut Vec<u8>) {
        bytes.retain(|byte| {
            let was_text = matches!(self, Self::Text);
            *self = self.after(*byte);
            was_text && matches!(self, Self::Text)
        });
    }

    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Text, COMMAND) => Self::Command,
            (Self::Command, WILL..=DONT) => Self::Option,
            (Self::Command, BEGIN_SUBNEGOTIATION) => Self::Subnegotiation,
            (Self::Subnegotiation, COMMAND) => Self::SubnegotiationCommand,
            (Self::SubnegotiationCommand, END_SUBNEGOTIATION)
            | (Self::Text | Self::Command | Self::Option, _) => Self::Text,
            (Self::Subnegotiation | Self::SubnegotiationCommand, _) => Self::Subnegotiation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Telnet;

    #[test]
    fn commands_are_removed_wherever_the_bytes_are_cut() {
        let stream = b"\xff\xfb\x01{\xff\xfd\x03\"a\xff\xf1\":\xff\xfa\x18\x01\xff\xff\xff\xf01}";
        for cut in 0..stream.len() {
            let (first, second) = stream.split_at(cut);
            let mut telnet = Telnet::default();
            let mut text = Vec::new();
            for part in [first, second] {
                let mut part = part.to_vec();
                telnet.strip(&mut part);
                text.extend(part);
            }
            assert_eq!(text, b"{\"a\":1}", "{cut}");
        }
    }
}

//! The limits of a JSON message.
//!
//! In: the choices of a server or a client. Out: numbers that the scanner and
//! the parser keep to.

/// The most brackets that may be open at once: QEMU's limit. [`Limits`] can
/// only lower it.
pub const NESTING_MAX: usize = 1 << 10;

/// The maximum size of a message, whatever its [`Limits`] say: a
/// document stores 32-bit offsets.
pub const MESSAGE_BYTES_MAX: usize = u32::MAX as usize;

/// How much one message may hold.
///
/// # Memory
///
/// Reading and parsing a message of `b` bytes and `t` tokens takes at most
/// `9/8 b + 16 t` bytes of memory at any time, and some KiB: the buffer with
/// its spare room, which becomes the document's text; then 8 bytes per token
/// for the document's values; and as many again while the parser compares the
/// names of an object with very many members. The parsed document keeps
/// `b + 8 t` bytes. An allocator that cannot extend a block in place briefly
/// holds the buffer twice while it grows.
///
/// With the default limits these are 104 MiB for the longest message that is
/// accepted, and 80 MiB for its document. [`MessageReader::held_bytes`] and
/// [`Document::held_bytes`] return the exact numbers at any time. If the memory
/// cannot be had, the message is refused with an error.
///
/// [`MessageReader::held_bytes`]: super::MessageReader::held_bytes
/// [`Document::held_bytes`]: crate::Document::held_bytes
///
/// # Example
///
/// ```
/// use qapi_wire::json::Limits;
///
/// let limits = Limits::default().with_message_bytes_max(1 << 20);
/// assert_eq!(limits.message_bytes_max, 1 << 20);
/// assert_eq!(limits.tokens_max, 2 << 20);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The bytes of a message, blanks within it included; at most
    /// [`MESSAGE_BYTES_MAX`].
    pub message_bytes_max: usize,
    /// The tokens of a message: brackets, commas, colons and scalars.
    pub tokens_max: usize,
    /// The brackets that are open at once; at most [`NESTING_MAX`].
    pub nesting_max: usize,
}

impl Default for Limits {
    /// Returns QEMU's limits: 64 MiB, 2 Mi tokens, 1,024 open brackets.
    fn default() -> Self {
        Self {
            message_bytes_max: 64 << 20,
            tokens_max: 2 << 20,
            nesting_max: NESTING_MAX,
        }
    }
}

impl Limits {
    /// Returns these limits with another number of bytes.
    #[must_use]
    pub const fn with_message_bytes_max(self, message_bytes_max: usize) -> Self {
        Self {
            message_bytes_max,
            ..self
        }
    }

    /// Returns these limits with another number of tokens.
    #[must_use]
    pub const fn with_tokens_max(self, tokens_max: usize) -> Self {
        Self { tokens_max, ..self }
    }

    /// Returns these limits with another number of open brackets.
    #[must_use]
    pub const fn with_nesting_max(self, nesting_max: usize) -> Self {
        Self {
            nesting_max,
            ..self
        }
    }
}

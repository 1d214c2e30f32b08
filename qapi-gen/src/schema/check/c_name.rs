//! Names as QEMU's C code spells them.
//!
//! In: names. Out: whether they are the same in C.

use std::borrow::Cow;

/// Returns the C identifier of a name, without the prefix that C's keywords
/// get. Names with the same identifier clash in QEMU's generated code.
pub(super) fn c_name(name: &str) -> Cow<'_, str> {
    if name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    {
        return name.into();
    }
    name.replace(|c: char| !c.is_ascii_alphanumeric(), "_")
        .into()
}

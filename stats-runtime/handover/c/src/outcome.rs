//! Results as C has them: a number, and a text for each thread.
//!
//! In: errors of `stats-handover`. Out: negative numbers of errno.h, and the last
//! error's text. This file knows no pointer of a caller.

use std::cell::RefCell;
use std::ffi::{CString, c_char, c_int};

use rustix::io::Errno;
use stats_handover::Error;

/// The reason why a function fails.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An error of the hand-over.
    Handover(Error),
    /// An argument that is not valid in C's terms.
    Argument(Errno, &'static str),
    /// The error of an earlier call, whose text stays.
    Earlier(c_int),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Handover(error)
    }
}

thread_local! {
    static LAST: RefCell<CString> = RefCell::default();
}

/// Returns the number of a result, and keeps the text of an error.
pub(crate) fn number(result: Result<c_int, Failure>) -> c_int {
    let (errno, text) = match result {
        Ok(number) => return number,
        Err(Failure::Earlier(number)) => return number,
        Err(Failure::Argument(errno, text)) => (errno, format!("hand-over of statistics: {text}")),
        Err(Failure::Handover(error)) => (errno(&error), error.to_string()),
    };
    // A C path has no NUL, but the text of an error may have one, and CString refuses
    // it.
    let text = CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default();
    LAST.set(text);
    -errno.raw_os_error()
}

/// Returns the text of the calling thread's last error, which is empty before the
/// first.
pub(crate) fn last_text() -> *const c_char {
    LAST.with_borrow(|text| text.as_ptr())
}

fn errno(error: &Error) -> Errno {
    match error {
        Error::OldKernel => Errno::OPNOTSUPP,
        Error::PathTaken { .. } => Errno::EXIST,
        Error::Absent { .. } => Errno::NOENT,
        _ => error
            .errno()
            .filter(|errno| *errno > 0)
            .map_or(Errno::INVAL, Errno::from_raw_os_error),
    }
}

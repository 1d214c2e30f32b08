//! Lists in messages.
//!
//! In: names. Out: the names as a sentence lists them.

use std::fmt;

/// Returns the plural ending of a noun, or an empty string for one item.
pub(crate) fn plural<T>(items: &[T]) -> &'static str {
    if items.len() > 1 { "s" } else { "" }
}

/// Items in quotes, separated by commas.
pub(crate) struct Quoted<'a, T>(pub(crate) &'a [T]);

impl<T: fmt::Display> fmt::Display for Quoted<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, item) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}'{item}'")?;
        }
        Ok(())
    }
}

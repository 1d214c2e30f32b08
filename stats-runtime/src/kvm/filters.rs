//! The columns of a layout that clients ask for by name, kept for the next
//! time.
//!
//! In: a query. Out: its columns. It knows no values.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::columns::Columns;
use crate::provider::StatsQuery;

/// How many choices of names are kept; the oldest makes room.
const CHOICES_MAX: usize = 16;

/// A choice of more names is not kept.
const NAMES_MAX: usize = 512;

/// Choices of names that clients made lately.
#[derive(Debug, Default)]
pub(super) struct Filters {
    choices: Mutex<VecDeque<Choice>>,
}

#[derive(Debug)]
struct Choice {
    /// Sorted, as the client gave them.
    names: Box<[String]>,
    columns: Arc<Columns>,
}

impl Filters {
    /// Those of `all` columns that `query` wants. Nothing is allocated for a
    /// choice that is known.
    pub(super) fn choose(&self, all: &Arc<Columns>, query: &StatsQuery<'_>) -> Arc<Columns> {
        let Some(names) = query.names() else {
            return Arc::clone(all);
        };
        let choices = || self.choices.lock().unwrap_or_else(PoisonError::into_inner);
        let known = |choice: &&Choice| choice.is(names);
        if let Some(choice) = choices().iter().find(known) {
            return Arc::clone(&choice.columns);
        }
        let columns = Arc::new(all.only(|name| query.wants_name(name)));
        if names.len() <= NAMES_MAX {
            let choice = Choice {
                names: names.into(),
                columns: Arc::clone(&columns),
            };
            let mut choices = choices();
            if choices.len() >= CHOICES_MAX {
                choices.pop_front();
            }
            choices.push_back(choice);
        }
        columns
    }
}

impl Choice {
    fn is(&self, names: &[String]) -> bool {
        *self.names == *names
    }
}

//! The columns of a layout that clients ask for by name, kept for the next
//! time.
//!
//! In: a query. Out: its columns. It knows no values.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::provider::StatsQuery;
use crate::sink::Columns;

/// How many choices of names are kept; the oldest makes room.
const CHOICES_MAX: usize = 16;

/// A choice of more names is not kept, nor one of more bytes: a client is not
/// to have the provider hold what it sends.
const NAMES_MAX: usize = 512;
const NAME_BYTES_MAX: usize = 32 << 10;

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
        let name_bytes: usize = names.iter().map(String::len).sum();
        if names.len() <= NAMES_MAX && name_bytes <= NAME_BYTES_MAX {
            let choice = Choice {
                names: names.into(),
                columns: Arc::clone(&columns),
            };
            let mut choices = choices();
            // Another thread may have been quicker.
            if choices.iter().any(|other| known(&other)) {
                return columns;
            }
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

#[cfg(test)]
mod tests {
    use qapi_stats::stats::StatsTarget;

    use super::*;
    use crate::sink::Column;

    fn kept(filters: &Filters) -> usize {
        filters.choices.lock().unwrap().len()
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let all = Arc::new(Columns::new([
            Column::number("a", 0),
            Column::number("b", 1),
        ]));
        let filters = Filters::default();
        let choose = |names: &[String]| {
            let query = StatsQuery::new(&StatsTarget::Vm, Some(names), None);
            filters.choose(&all, &query)
        };
        let first = choose(&["a".into()]);
        assert_eq!(first.iter().len(), 1);
        assert!(Arc::ptr_eq(&first, &choose(&["a".into()])));
        assert_eq!(kept(&filters), 1);
        // Too many, and too long: answered, and forgotten.
        let many: Vec<String> = (0..=NAMES_MAX).map(|n| format!("c{n:04}")).collect();
        assert!(choose(&many).is_empty());
        let long = ["b".to_owned(), "c".repeat(NAME_BYTES_MAX)];
        assert_eq!(choose(&long).iter().len(), 1);
        assert_eq!(kept(&filters), 1);
        for n in 0..CHOICES_MAX {
            choose(&["b".to_owned(), format!("n{n}")]);
        }
        assert_eq!(kept(&filters), CHOICES_MAX);
        // The first has made room.
        assert!(!Arc::ptr_eq(&first, &choose(&["a".into()])));
    }
}

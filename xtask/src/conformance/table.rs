//! The results of all comparisons.
//!
//! In: pairs of texts. Out: the first differences of each kind, and a table
//! with their number.

use crate::tools::Failure;

/// The comparisons so far.
pub(super) struct Table {
    rows: Vec<Row>,
    show: usize,
}

struct Row {
    kind: &'static str,
    same: usize,
    different: usize,
}

impl Table {
    pub(super) fn new(show: usize) -> Self {
        Self {
            rows: Vec::new(),
            show,
        }
    }

    fn row(&mut self, kind: &'static str) -> &mut Row {
        let found = self.rows.iter().position(|row| row.kind == kind);
        let index = found.unwrap_or(self.rows.len());
        if index == self.rows.len() {
            self.rows.push(Row {
                kind,
                same: 0,
                different: 0,
            });
        }
        #[expect(clippy::indexing_slicing, reason = "the row was found or pushed")]
        &mut self.rows[index]
    }

    pub(super) fn count(&mut self, kind: &'static str) {
        self.row(kind).same += 1;
    }

    /// Counts a comparison and prints a difference. Returns true if the texts
    /// are equal, or if enough differences have been printed.
    pub(super) fn compare(
        &mut self,
        kind: &'static str,
        name: &str,
        ours: &str,
        theirs: &str,
    ) -> bool {
        let show = self.show;
        let row = self.row(kind);
        if ours == theirs {
            row.same += 1;
            return true;
        }
        row.different += 1;
        if row.different > show {
            return true;
        }
        println!(
            "{kind}: {name}\n  ours:   {}\n  theirs: {}",
            excerpt(ours, theirs),
            excerpt(theirs, ours)
        );
        false
    }

    pub(super) fn finish(self) -> Result<(), Failure> {
        println!("\n{:<48} {:>8} {:>10}", "", "equal", "different");
        for row in &self.rows {
            println!("{:<48} {:>8} {:>10}", row.kind, row.same, row.different);
        }
        let different: usize = self.rows.iter().map(|row| row.different).sum();
        if different == 0 {
            Ok(())
        } else {
            Err(format!("{different} differences"))
        }
    }
}

/// Returns the part of a text around the first difference from another text.
fn excerpt(text: &str, other: &str) -> String {
    const CHARACTERS: usize = 300;
    let same = text
        .chars()
        .zip(other.chars())
        .take_while(|(a, b)| a == b)
        .count();
    let from = same.saturating_sub(CHARACTERS / 3);
    let part: String = text.chars().skip(from).take(CHARACTERS).collect();
    format!("{}{part:?}", if from > 0 { "..." } else { "" })
}

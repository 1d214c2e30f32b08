//! The columns of the list of virtual machines.
//!
//! In: words of the command line. Out: columns, with their titles and widths. This file
//! knows no values.

use crate::nearest::hint;

/// The statistic by which a list is sorted at first, and whose trend it shows.
pub(super) const EXITS: &str = "exits";

/// A column of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// The name of the virtual machine, or the number of a vCPU.
    Name,
    /// The number of vCPUs.
    Vcpus,
    /// The rate of a statistic, or its value if it has no rate.
    Stat(String),
    /// The share of time in which a vCPU waited for a processor.
    Steal,
    /// The share of time in which a vCPU's thread was on a processor.
    Run,
    /// The share of time in which a vCPU slept in a halt.
    Halt,
    /// The bucket of the 99th percentile of the sleeps in a halt.
    Wait,
    /// The time that the last sample took: the cost of observing.
    Query,
    /// The rate of exits over the last minutes.
    Trend,
    /// The state of the virtual machine: whether it answers.
    State,
}

/// The words for columns that are not the name of a statistic.
const WORDS: [(&str, Column); 8] = [
    ("name", Column::Name),
    ("vcpus", Column::Vcpus),
    ("steal", Column::Steal),
    ("run", Column::Run),
    ("halt", Column::Halt),
    ("wait", Column::Wait),
    ("query", Column::Query),
    ("state", Column::State),
];

/// The rates that a wide list shows, with their titles.
const RATES: [(&str, &str); 7] = [
    (EXITS, "EXITS/s"),
    ("halt_exits", "HALTS/s"),
    ("io_exits", "IO/s"),
    ("mmio_exits", "MMIO/s"),
    ("irq_injections", "IRQS/s"),
    ("tlb_flush", "TLB/s"),
    ("signal_exits", "SIGNALS/s"),
];

impl Column {
    /// Returns the column that a word means: one of the fixed ones, else a statistic.
    pub(super) fn parse(word: &str) -> Self {
        let folded = word.to_lowercase();
        let fixed = WORDS.iter().find(|(name, _)| *name == folded);
        fixed.map_or_else(|| Self::Stat(word.to_owned()), |(_, column)| column.clone())
    }

    /// Returns the columns of a list, the most important ones first after the name. The
    /// column of `sort` is among them.
    pub(super) fn all(sort: Option<&Self>) -> Vec<Self> {
        let rate = |name: &str| Self::Stat(name.to_owned());
        let mut columns = vec![Self::Name, Self::Vcpus, rate(EXITS)];
        columns.extend([Self::Steal, Self::Run, Self::Halt, Self::Wait, Self::Query]);
        columns.extend([Self::Trend, Self::State]);
        let rates = RATES.iter().skip(1).map(|(name, _)| rate(name));
        // Before the trend, so that numbers are together.
        let at = columns.len() - 3;
        columns.splice(at..at, rates);
        if let Some(sort) = sort.filter(|sort| !columns.contains(sort)) {
            columns.insert(2, sort.clone());
        }
        columns
    }

    /// Returns the title in a heading.
    pub(super) fn title(&self) -> String {
        let fixed = match self {
            Self::Name => "NAME",
            Self::Vcpus => "VCPU",
            Self::Steal => "STEAL%",
            Self::Run => "RUN%",
            Self::Halt => "HALT%",
            Self::Wait => "p99 SLEEP",
            Self::Query => "QUERY",
            Self::Trend => "TREND",
            Self::State => "STATE",
            Self::Stat(name) => {
                let known = RATES.iter().find(|(stat, _)| stat == name);
                return known.map_or_else(|| name.to_uppercase(), |(_, title)| (*title).into());
            }
        };
        fixed.to_owned()
    }

    /// Returns the number of cells that the values need.
    pub(super) fn width(&self) -> u16 {
        let width = match self {
            Self::Name => 16,
            Self::Vcpus => 4,
            Self::Steal | Self::Run | Self::Halt => 6,
            Self::Wait => 12,
            Self::Query => 8,
            Self::Trend => 10,
            Self::State => 18,
            Self::Stat(_) => 10,
        };
        width.max(u16::try_from(self.title().chars().count()).unwrap_or(width))
    }

    /// Returns the rank by which columns are left out of a narrow list: the highest
    /// first. Columns with the rank 0 remain.
    pub(super) fn rank(&self) -> usize {
        match self {
            Self::Name | Self::State => 0,
            Self::Steal => 1,
            Self::Stat(name) if name == EXITS => 2,
            Self::Query => 3,
            Self::Halt => 4,
            Self::Wait => 5,
            Self::Run => 6,
            Self::Vcpus => 7,
            Self::Trend => 8,
            Self::Stat(name) => 9 + RATES.iter().position(|(stat, _)| stat == name).unwrap_or(0),
        }
    }

    /// Returns whether values are aligned to the left.
    pub(super) fn is_text(&self) -> bool {
        matches!(self, Self::Name | Self::State | Self::Trend)
    }

    /// Returns whether the list can be sorted by this column.
    pub(super) fn is_sortable(&self) -> bool {
        !matches!(self, Self::Trend)
    }
}

/// Returns the complaint about a word that is neither a column nor one of the names of
/// statistics.
pub(super) fn unknown<'a>(word: &str, stats: impl IntoIterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = WORDS.iter().map(|(name, _)| *name).collect();
    names.extend(stats);
    format!(
        "no column and no statistic '{word}' ({})",
        hint(word, &names)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_is_a_column_or_a_statistic() {
        assert_eq!(Column::parse("STEAL"), Column::Steal);
        let stat = Column::parse("pf_taken");
        assert_eq!(stat.title(), "PF_TAKEN");
        assert!(Column::all(Some(&stat)).contains(&stat));
        for (word, column) in &WORDS {
            assert_eq!(Column::parse(word), *column);
            assert!(Column::all(None).contains(column), "{word}");
        }
    }

    #[test]
    fn complaint_names_the_nearest_when_a_word_is_unknown() {
        let text = unknown("steall", ["exits", "halt_exits"]);
        let begin = "no column and no statistic 'steall' (did you mean 'steal'";
        assert!(text.starts_with(begin), "{text}");
    }
}

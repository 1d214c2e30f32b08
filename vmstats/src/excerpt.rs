//! A part of a recording, as commands read it.
//!
//! In: a folder with a part of it, as words. Out: its samples in the order of time, and
//! which names of statistics it has. Nothing here computes.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use crate::failure::{Failure, warn};
use crate::intervals::Intervals;
use crate::recording::{Recorded, Recording};
use crate::sample::{Identity, Timestamp};
use crate::selection::Selection;
use crate::time_span::{Moment, Part, PlacedPart};

/// An opened part of a recording.
#[derive(Debug)]
pub struct Excerpt {
    /// The recording.
    pub recording: Recording,
    /// The first and the last moment of the part.
    pub span: (Timestamp, Timestamp),
    /// The moment whose neighbours are the part; `None` for a span.
    at: Option<Timestamp>,
}

impl Excerpt {
    /// Opens a recording, and finds the part in it.
    ///
    /// # Errors
    ///
    /// Returns an error if the recording is missing or empty, or the part is outside.
    pub fn open(place: &PlacedPart) -> Result<Self, Failure> {
        let (recording, whole) = open(&place.folder)?;
        let outside =
            |problem: String| Failure::other(format!("{}: {problem}", place.folder.display()));
        let moment = |moment: Moment| moment.within(whole).map_err(outside);
        let (span, at) = match place.part {
            Part::All => (whole, None),
            Part::Between(from, to) => {
                let from = from.map_or(Ok(whole.0), moment)?;
                let to = to.map(|to| to.within_from(from, whole).map_err(outside));
                ((from, to.unwrap_or(Ok(whole.1))?), None)
            }
            Part::At(at) => {
                let at = moment(at)?;
                ((at, at), Some(at))
            }
        };
        if span.0 > span.1 {
            return Err(outside("the part ends before it begins".to_owned()));
        }
        let mut excerpt = Self {
            recording,
            span,
            at,
        };
        if let Some(at) = at {
            let reach = excerpt.intervals().gap_min(at);
            excerpt.span = (at.minus(reach), at.plus(reach));
        }
        Ok(excerpt)
    }

    /// Returns the times from one sample to the next.
    #[must_use]
    pub fn intervals(&self) -> &Intervals {
        &self.recording.about().intervals
    }

    /// Returns the identities of the virtual machines, by their names in the recording.
    #[must_use]
    pub fn identities(&self) -> HashMap<Arc<str>, Identity> {
        let vms = self.recording.vms().iter();
        vms.map(|one| (Arc::from(one.vm.as_str()), one.identity.clone()))
            .collect()
    }

    /// Calls `take` with each sample of the part, in the order of time. Tells on the
    /// standard error stream which lines of the recording cannot be read.
    ///
    /// # Errors
    ///
    /// Returns an error that names the file which is damaged, or the error of `take`.
    pub fn each(
        &mut self,
        mut take: impl FnMut(Recorded) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let (from, to) = self.span;
        for damage in self.recording.damage() {
            warn(damage);
        }
        let samples = self.recording.samples(from);
        let samples = samples.take_while(|one| match one {
            Ok(recorded) => recorded.sample.window.begin <= to,
            Err(_) => true,
        });
        let Some(at) = self.at else {
            for recorded in samples {
                take(recorded?)?;
            }
            return Ok(());
        };
        let mut before: HashMap<Arc<str>, Recorded> = HashMap::new();
        for recorded in samples {
            let recorded = recorded?;
            let vm = Arc::clone(&recorded.vm);
            if recorded.sample.window.begin <= at {
                before.insert(vm, recorded);
            } else if let Some(before) = before.remove(&vm) {
                // The first sample after the moment; later ones find no entry and are skipped.
                take(before)?;
                take(recorded)?;
            }
        }
        Ok(())
    }

    /// Checks that each pattern matches the name of a recorded statistic.
    ///
    /// # Errors
    ///
    /// Returns an error about the patterns that match nothing.
    pub fn check_names(&self, names: &Selection) -> Result<(), Failure> {
        let schemas = self.recording.layouts().iter();
        let schemas: Vec<_> = schemas.map(|layout| layout.schema()).collect();
        let problems = names.plan(&schemas).problems;
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Failure::other(problems.join("; ")))
        }
    }
}

/// Opens a recording that has samples, and returns its ends.
///
/// # Errors
///
/// Returns an error if the recording is missing or empty.
pub fn open(folder: &Path) -> Result<(Recording, (Timestamp, Timestamp)), Failure> {
    let recording = Recording::open(folder)?;
    let Some(whole) = recording.span() else {
        let folder = folder.display();
        return Err(Failure::other(format!(
            "{folder}: the recording has no samples yet"
        )));
    };
    Ok((recording, whole))
}

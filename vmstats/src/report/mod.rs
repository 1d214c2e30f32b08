//! `vmstats report`: a recording as one page for an incident's review.
//!
//! In: a recording. Out: an HTML file that loads nothing and needs no script, of a bounded
//! size: who was recorded, what changed, plots, heat maps and tables.

mod columns;
mod page;
mod plot;
#[cfg(feature = "record")]
mod run;
mod section;

pub use columns::Grid;
pub use page::{Facts, page};
#[cfg(feature = "record")]
pub use run::run;
pub use section::{Section, SectionBuilder};

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use qapi_stats::stats::{StatsProvider, StatsSchemaValue, StatsTarget};

    use super::*;
    use crate::sample::{
        Identity, Object, ObjectId, Sample, Stat, Table, Timestamp, Value, Window,
    };

    const SECOND: u64 = 1_000_000_000;
    const BEGIN: u64 = 1_795_860_000 * SECOND;

    fn table(provider: StatsProvider, stats: &[StatsSchemaValue]) -> Arc<Table> {
        Arc::new(Table {
            provider,
            target: StatsTarget::Vcpu,
            stats: stats.iter().cloned().map(Stat::new).collect(),
        })
    }

    /// Makes samples of a machine of two vCPUs whose exits double in the second half,
    /// with a restart at a third and a gap at two thirds.
    fn samples(count: u64) -> impl Iterator<Item = Sample> {
        let kvm = table(
            StatsProvider::Kvm,
            &[
                StatsSchemaValue::cumulative("exits"),
                StatsSchemaValue::instant("<b>pages"),
                StatsSchemaValue::log2_histogram("halt_wait_hist").seconds(-9),
            ],
        );
        let sched = table(
            StatsProvider::Unknown("sched".into()),
            &[StatsSchemaValue::cumulative("run_delay_ns").seconds(-9)],
        );
        let gap = count * 2 / 3..count * 2 / 3 + 20;
        (0..count)
            .filter(move |second| !gap.contains(second))
            .map(move |second| {
                let time = Timestamp(BEGIN + second * SECOND);
                let window = Window {
                    begin: time,
                    end: Timestamp(time.0 + 1_000_000),
                };
                let exits = second * 900 + second.saturating_sub(count / 2) * 1_100;
                let mut buckets = [0; 32];
                buckets[12 + usize::try_from(second * 8 / count).unwrap()] = second;
                buckets[20] = second * 3;
                let objects = (0..2).flat_map(|index| {
                    let object = |table: &Arc<Table>, values| Object {
                        table: Arc::clone(table),
                        id: ObjectId {
                            index: Some(index),
                            qom_path: None,
                        },
                        window,
                        values,
                    };
                    [
                        object(
                            &kvm,
                            vec![
                                Value::Number(exits),
                                Value::Number(40 + second % 7),
                                Value::Buckets(buckets.into()),
                            ],
                        ),
                        object(&sched, vec![Value::Number(second * second * 400_000)]),
                    ]
                });
                Sample {
                    window,
                    run: u32::from(second > count / 3),
                    objects: objects.collect(),
                    absences: Vec::new(),
                }
            })
    }

    /// Makes a page about machines of the same samples.
    fn page_of(names: &[&str], count: u64) -> String {
        let end = Timestamp(BEGIN + (count - 1) * SECOND);
        let split = Timestamp(BEGIN + count / 2 * SECOND);
        let grid = Grid::new(Timestamp(BEGIN), end, count);
        let sections = names.iter().map(|name| {
            let identity = Identity {
                endpoint: format!("/run/{name}"),
                name: Some((*name).to_owned()),
                ..Identity::default()
            };
            let mut section =
                SectionBuilder::new(identity, grid, split, Duration::from_secs(1).into());
            samples(count).for_each(|sample| section.add(&Arc::new(sample)));
            section.finish()
        });
        let sections: Vec<Section> = sections.collect();
        let facts = Facts {
            recording: "rec<img src=x>".to_owned(),
            host: Some("host".to_owned()),
            intervals: vec![Duration::from_secs(1)],
            grid,
            split,
            told: vec![(split, "the clock <b>".to_owned())],
        };
        page(&facts, &sections)
    }

    #[test]
    fn page_has_no_markup_of_names_and_loads_nothing() {
        let page = page_of(&["<script>alert(1)</script>", "\"><b>x"], 200);
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
        for forbidden in [
            "<script", "<img", "\"><b>x", "<b>pages", "http://", "https://", "url(",
        ] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        for expected in [
            "class=\"restart\"",
            "class=\"gap\"",
            "after 20s without any",
            "the VM was started again",
            "<svg class=\"heat\"",
            "Exits from the guest to KVM, for any reason.",
            "vCPU 1",
            "×2.2",
        ] {
            assert!(page.contains(expected), "{expected}");
        }
    }

    #[test]
    fn steal_counts_each_vcpu_for_as_long_as_it_was_there() {
        let [end, split] = [99, 50].map(|second| Timestamp(BEGIN + second * SECOND));
        let grid = Grid::new(Timestamp(BEGIN), end, 100);
        let mut section = SectionBuilder::new(
            Identity::default(),
            grid,
            split,
            Duration::from_secs(1).into(),
        );
        for mut sample in samples(100) {
            let second = (sample.window.begin.0 - BEGIN) / SECOND;
            // vCPU 1 is plugged in for ten seconds of each part.
            let is_plugged = (10..20).contains(&second) || second >= 90;
            sample
                .objects
                .retain(|object| object.id.index == Some(0) || is_plugged);
            for object in &mut sample.objects {
                if object.table.provider.name() == "sched" {
                    object.values = vec![Value::Number(second * SECOND / 2)];
                }
            }
            section.add(&Arc::new(sample));
        }
        assert_eq!(section.finish().steal, [Some(0.5); 2]);
    }

    #[test]
    fn page_is_bounded_when_the_recording_is_long() {
        let short = page_of(&["a"], 2_000).len();
        let long = page_of(&["a"], 20_000).len();
        assert!(long < short * 5 / 4, "{short} and {long} bytes");
    }
}

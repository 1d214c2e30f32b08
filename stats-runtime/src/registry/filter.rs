//! From a client's filter to what each provider is asked.
//!
//! In: a `StatsFilter` and the registered providers' names. Out: the questions
//! in the order in which they are asked. Pure: no provider is called.

use qapi_stats::stats::{StatsFilter, StatsFilterBranch, StatsProvider, StatsTarget};

/// A client's filter, prepared so that looking a name up is fast. It can be
/// used again and again.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    target: StatsTarget,
    vcpus: Option<Vec<String>>,
    requests: Option<Vec<Request>>,
}

/// What is wanted of one provider.
#[derive(Clone, Debug)]
struct Request {
    provider: StatsProvider,
    names: Option<Vec<String>>,
}

/// A question for the provider at `index` of the registered ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Question<'s> {
    /// Which provider.
    pub(super) index: usize,
    /// The statistics wanted, sorted; `None`: all.
    pub(super) names: Option<&'s [String]>,
}

impl Selection {
    /// Prepares a filter.
    pub(super) fn new(filter: &StatsFilter) -> Self {
        let vcpus = match &filter.target {
            StatsFilterBranch::Vcpu(branch) => branch.vcpus.as_deref().map(sorted),
            _ => None,
        };
        let requests = filter.providers.as_ref().map(|requests| {
            requests
                .iter()
                .map(|request| Request {
                    provider: request.provider.clone(),
                    names: request.names.as_deref().map(sorted),
                })
                .collect()
        });
        Self {
            target: filter.target.tag(),
            vcpus,
            requests,
        }
    }

    /// The kind of objects that are asked about.
    pub(super) fn target(&self) -> &StatsTarget {
        &self.target
    }

    /// The QOM paths of the vCPUs wanted, sorted; `None`: all.
    pub(super) fn vcpus(&self) -> Option<&[String]> {
        self.vcpus.as_deref()
    }

    /// The questions for the registered `providers`, in the order in which
    /// their answers go out.
    ///
    /// That is QEMU's, whose list of results grows at its head: the last
    /// request first, and without requests the provider registered last.
    /// Nothing is asked where the client said `[]`, for nothing can be wanted.
    pub(super) fn questions<'s>(
        &'s self,
        providers: &'s [StatsProvider],
    ) -> impl Iterator<Item = Question<'s>> + 's {
        let count = match &self.requests {
            _ if self.vcpus.as_ref().is_some_and(Vec::is_empty) => 0,
            Some(requests) => requests.len(),
            None => providers.len(),
        };
        (0..count).rev().filter_map(|index| {
            let Some(requests) = &self.requests else {
                return Some(Question { index, names: None });
            };
            let request = requests.get(index)?;
            let names = request.names.as_deref();
            if names.is_some_and(<[String]>::is_empty) {
                return None;
            }
            // By name: a value that the schema lists may come as `Unknown` too.
            let wanted = request.provider.name();
            let index = providers.iter().position(|name| name.name() == wanted)?;
            Some(Question { index, names })
        })
    }
}

fn sorted(names: &[String]) -> Vec<String> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use qapi_stats::stats::{StatsRequest, StatsVCPUFilter};

    use super::*;

    /// A provider, and the names wanted of it.
    type Wanted<'a> = (StatsProvider, Option<&'a [&'a str]>);

    fn filter(requests: Option<&[Wanted<'_>]>) -> StatsFilter {
        let request = |(provider, names): &Wanted<'_>| StatsRequest {
            provider: provider.clone(),
            names: names.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
        };
        StatsFilter {
            target: StatsFilterBranch::Vm,
            providers: requests.map(|requests| requests.iter().map(request).collect()),
        }
    }

    fn check(filter: &StatsFilter, expected: &[(usize, Option<&[&str]>)]) {
        let registered = [
            StatsProvider::Kvm,
            StatsProvider::Cryptodev,
            StatsProvider::Unknown("xyz".into()),
        ];
        let selection = Selection::new(filter);
        let questions: Vec<_> = selection
            .questions(&registered)
            .map(|q| (q.index, q.names))
            .collect();
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let expected: Vec<(usize, Option<Vec<String>>)> = expected
            .iter()
            .map(|(index, names)| (*index, names.map(owned)))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(index, names)| (*index, names.as_deref()))
            .collect();
        assert_eq!(questions, expected);
    }

    #[test]
    fn providers_and_names() {
        use StatsProvider::{Cryptodev, Kvm, Unknown};
        check(&filter(None), &[(2, None), (1, None), (0, None)]);
        check(&filter(Some(&[])), &[]);
        check(
            &filter(Some(&[(Kvm, None), (Unknown("xyz".into()), None)])),
            &[(2, None), (0, None)],
        );
        check(
            &filter(Some(&[(Kvm, None), (Kvm, Some(&["b", "a"]))])),
            &[(0, Some(&["a", "b"])), (0, None)],
        );
        check(&filter(Some(&[(Cryptodev, Some(&[]))])), &[]);
        check(&filter(Some(&[(Unknown("abc".into()), None)])), &[]);
    }

    #[test]
    fn no_vcpus_wanted_means_nothing_asked() {
        let mut filter = filter(None);
        filter.target = StatsFilterBranch::Vcpu(StatsVCPUFilter {
            vcpus: Some(Vec::new()),
        });
        check(&filter, &[]);
        filter.target = StatsFilterBranch::Vcpu(StatsVCPUFilter { vcpus: None });
        check(&filter, &[(2, None), (1, None), (0, None)]);
    }
}

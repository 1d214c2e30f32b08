//! From a client's filter to what each provider is asked.
//!
//! In: a `StatsFilter` and the registered providers' names. Out: the questions
//! in the order in which they are asked. Pure: no provider is called.

use qapi::stats::{StatsFilter, StatsFilterBranch, StatsProvider, StatsTarget};

/// A client's filter, prepared so that looking a name up is fast.
#[derive(Clone, Debug)]
pub struct Selection<'f> {
    target: StatsTarget,
    vcpus: Option<Vec<&'f str>>,
    requests: Option<Vec<Request<'f>>>,
}

/// What is wanted of one provider.
#[derive(Clone, Debug)]
struct Request<'f> {
    provider: &'f StatsProvider,
    names: Option<Vec<&'f str>>,
}

/// A question for the provider at `index` of the registered ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question<'s> {
    /// Which provider.
    pub index: usize,
    /// The statistics wanted, sorted; `None`: all.
    pub names: Option<&'s [&'s str]>,
}

impl<'f> Selection<'f> {
    /// Prepares a filter.
    #[must_use]
    pub fn new(filter: &'f StatsFilter) -> Self {
        let vcpus = match &filter.target {
            StatsFilterBranch::Vcpu(branch) => branch.vcpus.as_deref().map(sorted),
            _ => None,
        };
        let requests = filter.providers.as_ref().map(|requests| {
            requests
                .iter()
                .map(|request| Request {
                    provider: &request.provider,
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
    #[must_use]
    pub fn target(&self) -> &StatsTarget {
        &self.target
    }

    /// The QOM paths of the vCPUs wanted, sorted; `None`: all.
    #[must_use]
    pub fn vcpus(&self) -> Option<&[&'f str]> {
        self.vcpus.as_deref()
    }

    /// The questions for the registered `providers`, in the order in which
    /// their answers go out.
    ///
    /// That is QEMU's, whose list of results grows at its head: the last
    /// request first, and without requests the provider registered last.
    /// Nothing is asked where the client said `[]`, for nothing can be wanted.
    pub fn questions<'s>(
        &'s self,
        providers: &'s [StatsProvider],
    ) -> Box<dyn Iterator<Item = Question<'s>> + 's> {
        if self.vcpus.as_ref().is_some_and(Vec::is_empty) {
            return Box::new(std::iter::empty());
        }
        let Some(requests) = &self.requests else {
            let all = 0..providers.len();
            return Box::new(all.rev().map(|index| Question { index, names: None }));
        };
        Box::new(requests.iter().rev().filter_map(|request| {
            let names = request.names.as_deref();
            if names.is_some_and(<[&str]>::is_empty) {
                return None;
            }
            // By name: a value that the schema lists may come as `Unknown` too.
            let wanted = request.provider.name();
            let index = providers.iter().position(|name| name.name() == wanted)?;
            Some(Question { index, names })
        }))
    }
}

fn sorted(names: &[String]) -> Vec<&str> {
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use qapi::stats::{StatsRequest, StatsVCPUFilter};

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

//! From a client's filter to the requests for the providers.
//!
//! In: a `StatsFilter`, and the names of the registered providers. Out: one
//! request after the other, in the order of the reply. This file calls no
//! provider.

use qapi_stats::stats::{StatsFilter, StatsFilterBranch, StatsProvider, StatsTarget};

/// A client's filter with sorted lists, so that a name is found by binary
/// search.
#[derive(Clone, Debug)]
pub(super) struct PreparedFilter {
    target: StatsTarget,
    vcpus: Option<Vec<String>>,
    requests: Option<Vec<RequestedNames>>,
}

/// A provider and the names that a client wants from it; `None` means all
/// names.
#[derive(Clone, Debug)]
struct RequestedNames {
    provider: StatsProvider,
    names: Option<Vec<String>>,
}

/// A request for one of the registered providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProviderRequest<'s> {
    /// The provider's index among the registered ones.
    pub(super) index: usize,
    /// The sorted names of the wanted statistics; `None` means all.
    pub(super) names: Option<&'s [String]>,
    /// `true` if the client named the provider, and `false` if it asked all of them.
    pub(super) is_named: bool,
}

impl PreparedFilter {
    /// Prepares a client's filter.
    pub(super) fn new(filter: &StatsFilter) -> Self {
        let vcpus = match &filter.target {
            StatsFilterBranch::Vcpu(branch) => branch.vcpus.as_deref().map(sorted),
            _ => None,
        };
        let requests = filter.providers.as_ref().map(|requests| {
            requests
                .iter()
                .map(|request| RequestedNames {
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

    /// Returns the kind of objects whose statistics are wanted.
    pub(super) fn target(&self) -> &StatsTarget {
        &self.target
    }

    /// Returns the sorted QOM paths of the wanted vCPUs, or `None` if all are
    /// wanted.
    pub(super) fn vcpus(&self) -> Option<&[String]> {
        self.vcpus.as_deref()
    }

    /// Returns the requests for the registered `providers`, in the order of the
    /// reply.
    ///
    /// QEMU's list of results grows at its head. Therefore the client's last
    /// request comes first, and without requests the provider that was
    /// registered last; the test `filter_yields_requests_in_reverse_order` pins
    /// both. An empty list of vCPUs or names wants nothing, so it
    /// yields no request.
    pub(super) fn provider_requests<'s>(
        &'s self,
        providers: &'s [StatsProvider],
    ) -> impl Iterator<Item = ProviderRequest<'s>> + 's {
        let count = match &self.requests {
            _ if self.vcpus.as_ref().is_some_and(Vec::is_empty) => 0,
            Some(requests) => requests.len(),
            None => providers.len(),
        };
        (0..count).rev().filter_map(|index| {
            let Some(requests) = &self.requests else {
                return Some(ProviderRequest {
                    index,
                    names: None,
                    is_named: false,
                });
            };
            let request = requests.get(index)?;
            let names = request.names.as_deref();
            if names.is_some_and(<[String]>::is_empty) {
                return None;
            }
            // Compare names, because a provider of the schema may also come as
            // `Unknown`.
            let wanted = request.provider.name();
            let index = providers.iter().position(|name| name.name() == wanted)?;
            Some(ProviderRequest {
                index,
                names,
                is_named: true,
            })
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
        let prepared = PreparedFilter::new(filter);
        let requests: Vec<_> = prepared
            .provider_requests(&registered)
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
        assert_eq!(requests, expected);
    }

    #[test]
    fn filter_yields_requests_in_reverse_order() {
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
    fn filter_yields_no_request_when_the_list_of_vcpus_is_empty() {
        let mut filter = filter(None);
        filter.target = StatsFilterBranch::Vcpu(StatsVCPUFilter {
            vcpus: Some(Vec::new()),
        });
        check(&filter, &[]);
        filter.target = StatsFilterBranch::Vcpu(StatsVCPUFilter { vcpus: None });
        check(&filter, &[(2, None), (1, None), (0, None)]);
    }
}

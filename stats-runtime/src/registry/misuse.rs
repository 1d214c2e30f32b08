//! The errors of providers that break their contract.
//!
//! In: a provider's name. Out: the error for the client.

use qapi_stats::stats::StatsProvider;

use crate::provider::ProviderError;

/// The fault of a provider whose answer does not end.
pub(super) const TOO_MUCH: &str = "too much";

/// Returns the error that a provider gave something that it must not give.
pub(super) fn misuse(provider: &StatsProvider, what: &str) -> ProviderError {
    ProviderError::new(format!("Provider '{provider}' gave {what}"))
}

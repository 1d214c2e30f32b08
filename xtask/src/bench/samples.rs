//! Statistics of samples, and their text.
//!
//! In: figures of several turns. Out: quantiles, formatted.

/// Returns the value at the fraction `at` of the sorted values; NaN without
/// values.
pub(super) fn quantile(values: &mut [f64], at: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "the index is at most that of the last value"
    )]
    let index = (values.len().saturating_sub(1) as f64 * at).round() as usize;
    values.get(index).copied().unwrap_or(f64::NAN)
}

/// Formats the median of ratios with the other quartiles.
pub(super) fn spread(mut ratios: Vec<f64>) -> String {
    let [low, median, high] = [0.25, 0.5, 0.75].map(|at| quantile(&mut ratios, at));
    format!("{median:.2} [{low:.2}, {high:.2}]")
}

/// Formats nanoseconds.
pub(super) fn time(ns: f64) -> String {
    if ns < 10_000.0 {
        format!("{ns:.0} ns")
    } else {
        format!("{:.1} us", ns / 1000.0)
    }
}

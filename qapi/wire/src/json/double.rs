//! Doubles as JSON numbers.
//!
//! In: a double. Out: its digits as C's `%.17g` writes them, which is how QEMU
//! does.

/// Writes a double as C's `%.17g` does. JSON has no infinite numbers, which are
/// written as a number so large that it reads back as infinite, and no NaN, which
/// is written as `null`.
pub(crate) fn write(number: f64, out: &mut Vec<u8>) {
    if number.is_nan() {
        out.extend_from_slice(b"null");
    } else if number.is_infinite() {
        out.extend_from_slice(if number > 0.0 { b"1e999" } else { b"-1e999" });
    } else {
        out.extend_from_slice(general_format(number).as_bytes());
    }
}

/// Formats a finite number like `%.17g`: with 17 significant digits, without
/// trailing zeros, and in exponential form if the exponent is below -4 or above
/// 16.
fn general_format(number: f64) -> String {
    let scientific = format!("{number:.16e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..17).contains(&exponent) {
        let decimals = usize::try_from(16 - exponent).unwrap_or(0);
        return without_trailing_zeros(&format!("{number:.decimals$}")).to_owned();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!(
        "{}e{sign}{:02}",
        without_trailing_zeros(mantissa),
        exponent.unsigned_abs()
    )
}

fn without_trailing_zeros(digits: &str) -> &str {
    if digits.contains('.') {
        digits.trim_end_matches('0').trim_end_matches('.')
    } else {
        digits
    }
}

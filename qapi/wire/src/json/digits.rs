//! Integers as decimal digits.
//!
//! In: a number. Out: its digits at the end of a buffer. Eight digits at a time
//! are computed in a register and stored at once. A library that writes digits to
//! its own memory first would be slower, because a copy that is wider than the
//! preceding stores has to wait for them.

/// The number of digits in a word.
const WORD_DIGITS: usize = 8;

/// The first number that has too many digits for a word.
const WORD_LIMIT: u64 = 100_000_000;

const ZEROS: u64 = u64::from_ne_bytes([b'0'; 8]);

/// Writes a number without leading zeros at the end of a buffer.
#[inline]
pub fn write(number: u64, out: &mut Vec<u8>) {
    if number < WORD_LIMIT {
        write_leading(number, out);
    } else {
        write_long(number, out);
    }
}

#[cold]
#[inline(never)]
fn write_long(number: u64, out: &mut Vec<u8>) {
    write(number / WORD_LIMIT, out);
    let word = digits(number % WORD_LIMIT) | ZEROS;
    out.extend_from_slice(&word.to_le_bytes());
}

/// Writes a number of at most eight digits.
#[inline]
fn write_leading(number: u64, out: &mut Vec<u8>) {
    let digits = digits(number);
    // The first digit is in the lowest byte. Set a bit in the last digit's byte, so
    // that the last digit of 0 is not taken for a leading zero.
    let zero_bits = (digits | 1 << 56).trailing_zeros() & !7;
    let word = (digits | ZEROS) >> zero_bits;
    let end = out.len() + WORD_DIGITS - zero_bits as usize / 8;
    out.extend_from_slice(&word.to_le_bytes());
    out.truncate(end);
}

/// Returns the eight digits of a number below [`WORD_LIMIT`], one in each byte,
/// the first in the lowest byte. The number is split into two halves of four
/// digits, these into halves of two, and these into digits, with all halves of a
/// step in one word. Divisions by a constant are a multiplication and a shift,
/// which are exact for numbers as small as these.
#[inline]
fn digits(number: u64) -> u64 {
    const BY_100: (u64, u32, u64) = (10_486, 20, 0x0000_007F_0000_007F);
    const BY_10: (u64, u32, u64) = (103, 10, 0x000F_000F_000F_000F);
    // Puts the remainder above the quotient: number - quotient * divisor is added
    // in the upper part, and the quotient in the lower one, in a single step.
    let join = |number: u64, quotient: u64, divisor: u64, width: u32| {
        (number << width) - quotient * ((divisor << width) - 1)
    };
    let split = |numbers: u64, (factor, shift, mask): (u64, u32, u64), divisor: u64, width: u32| {
        join(
            numbers,
            ((numbers * factor) >> shift) & mask,
            divisor,
            width,
        )
    };
    let fours = join(number, number / 10_000, 10_000, 32);
    let twos = split(fours, BY_100, 100, 16);
    split(twos, BY_10, 10, 8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::write;

    fn text(number: u64) -> String {
        let mut out = b"x".to_vec();
        write(number, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_number_of_four_digits_in_both_halves() {
        for number in (0..10_000).flat_map(|n| [n, n * 10_000, n * 10_001]) {
            assert_eq!(text(number), format!("x{number}"));
        }
    }

    #[test]
    fn around_every_power_of_ten_and_of_two() {
        let tens = (0..20).filter_map(|power| 10_u64.checked_pow(power));
        let twos = (0..64).map(|power| 1_u64 << power);
        for power in tens.chain(twos).chain([u64::MAX]) {
            for number in [power - 1, power, power.saturating_add(1)] {
                assert_eq!(text(number), format!("x{number}"));
            }
        }
    }

    proptest! {
        #[test]
        fn any_number(number: u64, shift in 0..64) {
            let number = number >> shift;
            prop_assert_eq!(text(number), format!("x{number}"));
        }
    }
}

//! Replies of two servers that read the same counters.
//!
//! In: a reply, and replies of another server before and after it. Out: whether
//! every value of the first lies between the others', so that a constant is
//! equal and a counter is current.

use serde_json::Value;

/// Returns whether the three values are equal except for flags, and for numbers
/// of which the first value's lies between the others'.
pub(super) fn is_between(value: &Value, before: &Value, after: &Value) -> bool {
    match (value, before, after) {
        (Value::Array(list), Value::Array(before), Value::Array(after)) => {
            list.len() == before.len()
                && list.len() == after.len()
                && list
                    .iter()
                    .zip(before.iter().zip(after))
                    .all(|(value, (before, after))| is_between(value, before, after))
        }
        (Value::Object(members), Value::Object(before), Value::Object(after)) => {
            let is_member_between = |(name, value): (&String, &Value)| {
                let outer = before.get(name).zip(after.get(name));
                outer.is_some_and(|(before, after)| is_between(value, before, after))
            };
            members.len() == before.len()
                && members.len() == after.len()
                && members.iter().all(is_member_between)
        }
        (Value::Number(number), Value::Number(_), Value::Number(_)) => {
            match (number.as_u64(), before.as_u64(), after.as_u64()) {
                (Some(number), Some(before), Some(after)) => {
                    (before.min(after)..=before.max(after)).contains(&number)
                }
                // A negative number is an exponent, which is constant.
                _ => value == before && value == after,
            }
        }
        (Value::Bool(_), Value::Bool(_), Value::Bool(_)) => true,
        _ => value == before && value == after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reply_is_accepted_when_its_values_lie_between_two_others() {
        let check = |[value, before, after]: [&str; 3], expected: bool| {
            let [value, before, after] =
                [value, before, after].map(|text| serde_json::from_str(text).unwrap());
            let outcome = is_between(&value, &before, &after);
            assert_eq!(outcome, expected, "{value} {before} {after}");
        };
        for (value, expected) in [
            ("99", true),
            ("101", true),
            ("98", false),
            ("102", false),
            ("[99]", false),
            ("true", false),
        ] {
            let [value, before, after] = [value, "99", "101"]
                .map(|value| format!("{{\"name\": \"a\", \"value\": {value}}}"));
            check([&value, &before, &after], expected);
        }
        check(["-9", "-9", "-9"], true);
        check(["-8", "-9", "-7"], false);
        check(["true", "false", "false"], true);
        check(["[1, 2]", "[1, 2]", "[1, 2, 3]"], false);
        check(["[1, 2]", "[1, 1]", "[1, 3]"], true);
        check(["\"a\"", "\"b\"", "\"b\""], false);
        check(["{\"a\": 1}", "{\"b\": 1}", "{\"b\": 1}"], false);
    }
}

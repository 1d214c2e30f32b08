//! Decoding: QEMU's texts, its order, and the two modes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use qapi_wire::{
    Context, Decode, DecodeMembers, Members, Node, OpenValues, Result, ValuePath, decode_object,
    from_json,
};

/// What generated code looks like for `{ 'name': 'str', '*level': 'int8',
/// '*inner': ['Inner'] }`.
#[derive(Debug, PartialEq)]
struct Inner {
    name: String,
    level: Option<i8>,
    inner: Option<Vec<Inner>>,
}

impl DecodeMembers for Inner {
    fn decode_members(members: &mut Members<'_>) -> Result<Self> {
        Ok(Self {
            name: members.required("name")?,
            level: members.optional("level")?,
            inner: members.optional("inner")?,
        })
    }
}

impl Decode for Inner {
    fn decode(value: Node<'_>, at: ValuePath<'_>) -> Result<Self> {
        decode_object(value, at)
    }
}

fn refused(text: &str) -> String {
    from_json::<Inner>(text.as_bytes(), &Context::strict())
        .unwrap_err()
        .desc()
        .to_owned()
}

#[test]
fn error_names_the_member_as_qemu_does_when_it_does_not_fit() {
    assert_eq!(refused("{}"), "Parameter 'name' is missing");
    assert_eq!(
        refused("{'name': 1}"),
        "Invalid parameter type for 'name', expected: string"
    );
    assert_eq!(
        refused("{'name': null}"),
        "Invalid parameter type for 'name', expected: string"
    );
    assert_eq!(
        refused("{'name': 'x', 'level': null}"),
        "Invalid parameter type for 'level', expected: integer"
    );
    assert_eq!(
        refused("{'name': 'x', 'level': 128}"),
        "Parameter 'level' expects int8_t"
    );
    assert_eq!(
        refused("{'name': 'x', 'inner': {}}"),
        "Invalid parameter type for 'inner', expected: array"
    );
    assert_eq!(
        refused("{'name': 'x', 'inner': [{'name': 'y'}, 1]}"),
        "Invalid parameter type for 'inner[1]', expected: object"
    );
    assert_eq!(
        refused("{'name': 'x', 'inner': [{'name': 'y', 'inner': [{}]}]}"),
        "Parameter 'inner[0].inner[0].name' is missing"
    );
    assert_eq!(
        refused("{'name': 'x', 'inner': [{'name': 'y', 'z': 1}], 'zz': 1}"),
        "Parameter 'inner[0].z' is unexpected"
    );
    assert_eq!(
        refused("{'name': 'x', 'zz': 1}"),
        "Parameter 'zz' is unexpected"
    );
    assert_eq!(
        refused("1"),
        "Invalid parameter type for '<anonymous>', expected: object"
    );
}

#[test]
fn client_ignores_members_that_it_does_not_know() {
    let inner: Inner = from_json(b"{'name': 'x', 'new': [1]}", &Context::tolerant()).unwrap();
    assert_eq!(
        inner,
        Inner {
            name: "x".into(),
            level: None,
            inner: None
        }
    );
}

#[test]
fn integers_have_qemus_ranges() {
    let strict = Context::strict();
    assert_eq!(from_json::<u64>(b"-1", &strict), Ok(u64::MAX));
    assert_eq!(
        from_json::<u64>(b"18446744073709551615", &strict),
        Ok(u64::MAX)
    );
    assert_eq!(
        from_json::<f64>(b"18446744073709551615", &strict),
        Ok(18446744073709551615.0)
    );
    assert!(from_json::<i64>(b"9223372036854775808", &strict).is_err());
    assert!(from_json::<u32>(b"-1", &strict).is_err());
    assert!(from_json::<u8>(b"1.0", &strict).is_err());
    assert_eq!(from_json::<()>(b"null", &strict), Ok(()));
}

#[test]
fn registered_values_are_looked_up_in_strict_mode_only() {
    struct Registered;
    impl OpenValues for Registered {
        fn is_registered(&self, enum_name: &str, value: &str) -> bool {
            (enum_name, value) == ("Provider", "xyz")
        }
    }
    let registered = Context::strict_with(&Registered);
    let accepts = |context: &Context<'_>, value| {
        let root = ValuePath::root(context);
        let list = root.member("providers");
        list.element(0)
            .member("provider")
            .open_value("Provider", value)
    };
    assert!(accepts(&registered, "xyz").is_ok());
    assert!(accepts(&Context::tolerant(), "abc").is_ok());
    assert_eq!(
        accepts(&registered, "abc").unwrap_err().desc(),
        "Parameter 'provider' does not accept value 'abc'"
    );
    assert!(accepts(&Context::strict(), "xyz").is_err());
}

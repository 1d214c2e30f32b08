//! Every type, command and event of QEMU's schemas: what the schema takes goes
//! through the generated code and comes out the same, and what it refuses is
//! refused in QEMU's words.
//!
//! Values come from the schema alone, and so does what is expected.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;

use full_schema::{Codec, QGA_SCHEMA, QMP_SCHEMA, qga_table, qmp_table};
use qapi_gen::schema::{CheckedSchema, Entity, TypeId};
use qapi_gen::{CheckOptions, FsLoader, Style, check_with};
use qapi_wire::{Context, Document, ErrorClass, Node, Value, to_json};
use schema_oracle::{Random, SchemaOracle};

/// Values of each type, command and event.
const ROUNDS: usize = 40;
/// How deeply they nest, where they can.
const DEPTH: usize = 4;

/// A schema and what was generated from it.
struct Whole {
    schema: CheckedSchema,
    tables: [&'static [(&'static str, Codec)]; 3],
}

impl Whole {
    fn load(path: &str, tables: [&'static [(&'static str, Codec)]; 3]) -> Self {
        let options = CheckOptions {
            style: Style::Warn,
            ..CheckOptions::default()
        };
        let schema = check_with(path, &FsLoader, options).schema.unwrap();
        Self { schema, tables }
    }

    fn qmp() -> Self {
        Self::load(
            QMP_SCHEMA,
            [qmp_table::TYPES, qmp_table::COMMANDS, qmp_table::EVENTS],
        )
    }

    fn qga() -> Self {
        Self::load(
            QGA_SCHEMA,
            [qga_table::TYPES, qga_table::COMMANDS, qga_table::EVENTS],
        )
    }

    /// Everything that has a Rust type, with the type whose values it takes.
    fn subjects<'s>(&'s self, oracle: &SchemaOracle<'s>) -> Vec<(&'static str, TypeId, Codec)> {
        let rows = self.tables.iter().flat_map(|table| table.iter());
        rows.map(|(name, codec)| {
            let ty = match self.schema.entity_named(name).unwrap() {
                Entity::Type(id) => id,
                Entity::Command(id) => oracle.arguments(self.schema.command(id).arg).unwrap(),
                Entity::Event(id) => oracle.arguments(self.schema.event(id).arg).unwrap(),
            };
            (*name, ty, *codec)
        })
        .collect()
    }
}

/// The same value however its numbers are written and its members ordered.
fn canonical(value: Value) -> Value {
    match value {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "only where nothing is lost"
        )]
        Value::Double(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
            Value::Int(number as i64)
        }
        Value::Array(elements) => Value::Array(elements.into_iter().map(canonical).collect()),
        Value::Object(dict) => {
            let members = dict.into_iter();
            let mut members: Vec<_> = members
                .map(|(name, value)| (name, canonical(value)))
                .collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(members.into_iter().collect())
        }
        value => value,
    }
}

fn parsed(text: &str) -> Value {
    qapi_wire::json::parse(text.as_bytes()).unwrap()
}

/// The same value with its members in another order.
fn shuffled(value: Value, random: &mut Random) -> Value {
    match value {
        Value::Array(elements) => {
            let elements = elements.into_iter();
            Value::Array(elements.map(|value| shuffled(value, random)).collect())
        }
        Value::Object(dict) => {
            let mut members: Vec<_> = dict.into_iter().collect();
            for last in (1..members.len()).rev() {
                members.swap(last, random.below(last + 1));
            }
            let members = members.into_iter();
            Value::Object(
                members
                    .map(|(name, value)| (name, shuffled(value, random)))
                    .collect(),
            )
        }
        value => value,
    }
}

/// A value comes out of the generated code as it went in, whichever way.
fn round_trip(name: &str, codec: Codec, value: &Value, random: &mut Random) {
    let text = to_json(value);
    let strict = (codec.round_trip)(value.clone(), &Context::strict());
    assert_eq!(strict.as_deref(), Ok(text.as_str()), "{name}");
    let tolerant = (codec.round_trip)(value.clone(), &Context::tolerant());
    assert_eq!(tolerant, strict, "{name}");
    let other = shuffled(value.clone(), random);
    let reordered = (codec.round_trip)(other, &Context::strict());
    let expected = canonical(value.clone());
    assert_eq!(reordered.map(|text| canonical(parsed(&text))), Ok(expected));
    if let Some(serde) = codec.serde {
        let by_serde = serde(&text).unwrap_or_else(|error| panic!("{name}: {error}: {text}"));
        assert_eq!(
            canonical(parsed(&by_serde)),
            canonical(value.clone()),
            "{name}"
        );
    }
}

fn every_value_round_trips(whole: &Whole) -> usize {
    let oracle = SchemaOracle::new(&whole.schema, None);
    let mut random = Random::new(1);
    let mut values = 0;
    for (name, ty, codec) in whole.subjects(&oracle) {
        for round in 0..ROUNDS {
            let Some(value) = oracle.generate(ty, &mut random, round % (DEPTH + 1)) else {
                panic!("{name} has no values")
            };
            assert_eq!(
                oracle.validate(ty, &value),
                Ok(()),
                "{name}: {}",
                to_json(&value)
            );
            round_trip(name, codec, &value, &mut random);
            values += 1;
        }
    }
    values
}

#[test]
fn value_round_trips_for_every_type_of_qmp() {
    let values = every_value_round_trips(&Whole::qmp());
    println!("{values} values of QEMU's schema");
}

#[test]
fn value_round_trips_for_every_type_of_the_guest_agent() {
    let values = every_value_round_trips(&Whole::qga());
    println!("{values} values of the guest agent's schema");
}

/// What is wrong is refused as the schema says; returns how often it was.
fn every_fault_is_refused(whole: &Whole) -> usize {
    let oracle = SchemaOracle::new(&whole.schema, None);
    let mut random = Random::new(2);
    let mut refusals = 0;
    for (name, ty, codec) in whole.subjects(&oracle) {
        for round in 0..ROUNDS {
            let mut value = oracle
                .generate(ty, &mut random, round % (DEPTH + 1))
                .unwrap();
            // Of several faults the first one is told of.
            for _ in 0..=random.below(3) {
                oracle.corrupt(ty, &mut value, &mut random);
            }
            let expected = oracle.validate(ty, &value).map_err(|refusal| refusal.desc);
            let said = (codec.round_trip)(value.clone(), &Context::strict());
            let class = said.as_ref().err().map(|error| error.class().clone());
            assert_eq!(
                said.map(drop).map_err(|error| error.desc().to_owned()),
                expected,
                "{name}: {}",
                to_json(&value)
            );
            if let Some(class) = class {
                assert_eq!(class, ErrorClass::GenericError);
                refusals += 1;
            }
        }
    }
    refusals
}

#[test]
fn fault_is_refused_for_every_type_of_qmp() {
    let refusals = every_fault_is_refused(&Whole::qmp());
    println!("{refusals} refusals by QEMU's schema");
    assert!(refusals > 10_000);
}

#[test]
fn fault_is_refused_for_every_type_of_the_guest_agent() {
    let refusals = every_fault_is_refused(&Whole::qga());
    println!("{refusals} refusals by the guest agent's schema");
}

fn codec(whole: &Whole, name: &str) -> Codec {
    let rows = whole.tables.iter().flat_map(|table| table.iter());
    rows.copied().find(|(of, _)| *of == name).unwrap().1
}

/// Unions have values of their discriminator for which the schema gives no
/// branch; the members then are the base's.
#[test]
fn union_round_trips_when_its_value_has_no_branch() {
    let whole = Whole::qmp();
    let oracle = SchemaOracle::new(&whole.schema, None);
    let mut random = Random::new(3);
    let unbranched = oracle.unbranched();
    for (union, tag) in &unbranched {
        let name = &whole.schema.ty(*union).common.name;
        for _ in 0..ROUNDS {
            let value = oracle.make_case(*union, tag, &mut random, DEPTH).unwrap();
            round_trip(name, codec(&whole, name), &value, &mut random);
        }
    }
    let named: Vec<String> = unbranched
        .iter()
        .map(|(union, tag)| format!("{}:{tag}", whole.schema.ty(*union).common.name))
        .collect();
    let unions: BTreeSet<TypeId> = unbranched.iter().map(|(union, _)| *union).collect();
    println!("{} values of {} unions", named.len(), unions.len());
    assert!(unions.len() >= 15);
    for expected in ["StatsFilter:vm", "StatsFilter:cryptodev"] {
        assert!(named.iter().any(|name| name == expected), "{expected}");
    }
}

/// A client ignores members, and keeps values of enumerations that servers
/// send, of which its schema knows nothing.
#[test]
fn client_keeps_values_of_a_newer_server() {
    let whole = Whole::qmp();
    let oracle = SchemaOracle::new(&whole.schema, None);
    let mut random = Random::new(4);
    let sent = oracle.sent_by_servers();
    for (name, ty, codec) in whole.subjects(&oracle) {
        let value = oracle.generate(ty, &mut random, DEPTH).unwrap();
        let text = to_json(&value);
        match value {
            Value::Object(mut dict) => {
                dict.push("x-new", Value::Null);
                let kept = (codec.round_trip)(Value::Object(dict), &Context::tolerant());
                assert_eq!(kept.as_deref(), Ok(text.as_str()), "{name}");
            }
            Value::String(_) if oracle.is_enum(ty) => {
                let new = Value::from("x-new");
                let kept = (codec.round_trip)(new.clone(), &Context::tolerant());
                if sent.contains(&ty) {
                    assert_eq!(kept, Ok(to_json(&new)), "{name}");
                } else {
                    assert!(kept.is_err(), "{name}");
                }
            }
            _ => {}
        }
    }
}

/// The enum of all events finds each by its name.
#[test]
fn event_is_found_by_name() {
    let whole = Whole::qmp();
    let oracle = SchemaOracle::new(&whole.schema, None);
    let mut random = Random::new(5);
    for event in oracle.events() {
        let ty = oracle.arguments(event.arg).unwrap();
        let data = oracle.generate(ty, &mut random, DEPTH).unwrap();
        let data = Document::try_from(&data).unwrap();
        let name = event.common.name.as_str();
        let decoded =
            full_schema::qmp::Event::decode(name, data.root(), &Context::strict()).unwrap();
        assert_eq!(decoded.name(), name);
        assert!(!matches!(decoded, full_schema::qmp::Event::Unlisted { .. }));
    }
    let unlisted =
        full_schema::qmp::Event::decode("X_NEW", Node::empty_object(), &Context::tolerant());
    assert_eq!(unlisted.unwrap().name(), "X_NEW");
}

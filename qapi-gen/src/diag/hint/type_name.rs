//! Hints on names that are not types.
//!
//! In: an unknown name and the part of a definition that uses it as a type. Out:
//! the QAPI for what the name means in other languages. The types of the schema
//! are not known here.

use crate::diag::definition_part::DefinitionPart;

/// The names of built-in types in other languages.
const FOREIGN_NAMES: [(&str, &str); 16] = [
    ("string", "str"),
    ("text", "str"),
    ("integer", "int"),
    ("long", "int"),
    ("boolean", "bool"),
    ("float", "number"),
    ("double", "number"),
    ("f32", "number"),
    ("f64", "number"),
    ("byte", "uint8"),
    ("uint", "uint64"),
    ("usize", "size"),
    ("size_t", "size"),
    ("isize", "int64"),
    ("object", "any"),
    ("json", "any"),
];

/// Returns a hint on a name that is written as in another language, or as a
/// member's name is.
pub(super) fn hint(name: &str, user: &DefinitionPart) -> Option<String> {
    if let Some(ty) = name.strip_prefix('*').or_else(|| optional(name)) {
        let ty = builtin(ty).unwrap_or(ty);
        return Some(match user {
            DefinitionPart::Member(member, _)
            | DefinitionPart::BaseMember(member, _)
            | DefinitionPart::Parameter(member, _) => {
                format!("the '*' of an optional member is before its name: '*{member}': '{ty}'")
            }
            _ => "only members are optional, with a '*' before the member's name".to_owned(),
        });
    }
    if let Some(element) = array(name) {
        let element = builtin(element).unwrap_or(element);
        return Some(format!("an array is written [ '{element}' ]"));
    }
    Some(format!("did you mean '{}'?", builtin(name)?))
}

/// Returns the built-in type that has the name in another language.
fn builtin(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    if let Some(&(_, builtin)) = FOREIGN_NAMES.iter().find(|(word, _)| *word == lower) {
        return Some(builtin);
    }
    let sized = lower.strip_suffix("_t").unwrap_or(&lower);
    Some(match sized {
        "u8" | "uint8" => "uint8",
        "u16" | "uint16" => "uint16",
        "u32" | "uint32" => "uint32",
        "u64" | "uint64" => "uint64",
        "i8" | "int8" => "int8",
        "i16" | "int16" => "int16",
        "i32" | "int32" => "int32",
        "i64" | "int64" => "int64",
        _ => return None,
    })
}

/// Returns the type in `Option<T>` or `T?`.
fn optional(name: &str) -> Option<&str> {
    within(name, "Option<", ">").or_else(|| within(name, "", "?"))
}

/// Returns the element type of an array as other languages write it.
fn array(name: &str) -> Option<&str> {
    let element = [
        ("[", "]"),
        ("", "[]"),
        ("Vec<", ">"),
        ("List<", ">"),
        ("list<", ">"),
        ("array of ", ""),
        // QEMU's name of the array type in C.
        ("", "List"),
    ]
    .into_iter()
    .find_map(|(start, end)| within(name, start, end))?;
    // Do not suggest an array for types that have such a name by chance.
    let is_name = !element.is_empty() && !element.contains(['[', '<', '\'']);
    is_name.then_some(element.trim_matches([' ', '"']))
}

fn within<'a>(name: &'a str, start: &str, end: &str) -> Option<&'a str> {
    name.strip_prefix(start)?.strip_suffix(end)
}

//! From a message to a request.
//!
//! In: a parsed message. Out: a request, or the error for one that is
//! malformed. It looks no command up. The checks, their order and their texts
//! are those of QEMU's `qmp-dispatch.c`.

use qapi_stats::wire::{Dict, Error, Value};

/// A well-formed request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) id: Option<Value>,
    pub(super) command: String,
    pub(super) arguments: Dict,
    /// Whether it asks to be executed out of band.
    pub(super) oob: bool,
}

/// A request that is malformed, with the id to answer under.
#[derive(Debug)]
pub(super) struct Malformed {
    pub(super) id: Option<Value>,
    pub(super) error: Error,
}

impl Request {
    /// Checks the shape of a message. `exec-oob` counts only where the client
    /// has switched the capability on.
    pub(super) fn new(message: Value, oob_enabled: bool) -> Result<Self, Malformed> {
        let Value::Object(mut dict) = message else {
            return Err(Malformed {
                id: None,
                error: malformed("must be a JSON object"),
            });
        };
        let id = dict.take("id");
        match Self::from_members(dict, oob_enabled) {
            Ok((command, arguments, oob)) => Ok(Self {
                id,
                command,
                arguments,
                oob,
            }),
            Err(error) => Err(Malformed { id, error }),
        }
    }

    fn from_members(dict: Dict, oob_enabled: bool) -> Result<(String, Dict, bool), Error> {
        let mut command = None;
        let mut arguments = Dict::new();
        for (name, value) in dict {
            match (name.as_str(), value) {
                ("execute", value) => set_command(&mut command, "execute", value)?,
                ("exec-oob", value) if oob_enabled => {
                    set_command(&mut command, "exec-oob", value)?;
                }
                ("arguments", Value::Object(members)) => arguments = members,
                ("arguments", _) => return Err(malformed("member 'arguments' must be an object")),
                _ => return Err(malformed(&format!("member '{name}' is unexpected"))),
            }
        }
        let (key, command) = command.ok_or_else(|| malformed("lacks member 'execute'"))?;
        Ok((command, arguments, key == "exec-oob"))
    }
}

fn set_command(
    command: &mut Option<(&'static str, String)>,
    key: &'static str,
    value: Value,
) -> Result<(), Error> {
    let Value::String(name) = value else {
        return Err(malformed(&format!("member '{key}' must be a string")));
    };
    if command.is_some() {
        // QEMU's texts name the two in the order of its hash table.
        return Err(malformed("member 'execute' clashes with 'exec-oob'"));
    }
    *command = Some((key, name));
    Ok(())
}

fn malformed(what: &str) -> Error {
    Error::generic(format!("QMP input {what}"))
}

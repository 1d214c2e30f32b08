//! A small schema as generated code has it, written by hand: `qapi-wire` cannot
//! depend on the compiler.

use qapi_wire::command::{CommandInfo, Empty, Request};
use qapi_wire::{EncodeMembers, ObjectWriter};

/// `{ 'command': 'sizes', 'data': { '*of': 'str' }, 'returns': ['int'] }`
#[derive(Default)]
pub(crate) struct Sizes {
    pub(crate) of: Option<String>,
}

impl EncodeMembers for Sizes {
    fn encode_members(&self, out: &mut ObjectWriter<'_, '_>) {
        out.optional("of", &self.of);
    }
}

impl Request for Sizes {
    type Reply = Vec<i64>;
    const INFO: &'static CommandInfo = &CommandInfo::new("sizes");
}

macro_rules! without_arguments {
    ($name:ident, $info:expr) => {
        pub(crate) struct $name;

        impl EncodeMembers for $name {
            fn encode_members(&self, _: &mut ObjectWriter<'_, '_>) {}
        }

        impl Request for $name {
            type Reply = Empty;
            const INFO: &'static CommandInfo = &$info;
        }
    };
}

// { 'command': 'yank', 'allow-oob': true }
without_arguments!(Yank, CommandInfo::new("yank").allow_oob());
// { 'command': 'leave', 'success-response': false }
without_arguments!(Leave, CommandInfo::new("leave").no_success_response());

//! Any bytes as a packet of a hand-over, with any number of files: every file has one
//! statement, or the packet is refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stats_handover::receive::{Message, Statement};

fuzz_target!(|input: (u8, &[u8])| {
    let (files, text) = (usize::from(input.0), input.1);
    match Message::parse(text, files) {
        Ok(message) => {
            let files_taken = message.statements.iter().filter_map(|statement| match statement {
                Statement::Process { file }
                | Statement::Vm { file }
                | Statement::Vcpu { file, .. }
                | Statement::Object { file, .. } => Some(*file),
                _ => None,
            });
            assert!(files_taken.eq(0..files));
        }
        Err(error) => assert!(error.to_string().len() < 1024, "{error}"),
    }
});

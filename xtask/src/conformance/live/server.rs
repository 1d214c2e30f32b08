//! A server that is generated from a schema, whose handlers do nothing.
//!
//! In: generated files and requests. Out: answers. The server is built and run
//! as a program of its own.

use std::process::Command;

use proc_macro2::TokenStream;
use qapi_gen::GeneratedFile;
use quote::quote;
use syn::{Item, TraitItem};

use super::monitor::Answer;
use crate::conformance::compile::generated;
use crate::process::Answerer;
use crate::tools::{Failure, output, target};

const NAME: &str = "qapi-server";

/// The source of the program. An input line has the name and the arguments of a
/// command; an output line has an array of the class and the description of an
/// error, which is empty on success.
const PROGRAM: &str = r#"//! Answers requests, a line each.
use std::io::Write as _;
use qapi_wire::{Context, Document, Error, Writer, command::Call, to_json};
mod schema;

/// Handles everything by doing nothing.
pub struct Server;

fn answer(name: &str, arguments: &str) -> Result<(), Error> {
    let arguments = Document::parse(arguments.as_bytes())?;
    let context = Context::strict();
    let call = Call { name, arguments: arguments.root(), context: &context };
    let mut reply = Vec::new();
    match schema::execute(&Server, call, &mut Writer::new(&mut reply)) {
        Err(error) if error.desc() == "accepted" => Ok(()),
        answer => answer,
    }
}

fn main() -> std::io::Result<()> {
    let mut output = std::io::stdout();
    for line in std::io::stdin().lines() {
        let line = line?;
        let (name, arguments) = line.split_once('\t').unwrap_or((&line, "{}"));
        let words = match answer(name, arguments) {
            Ok(()) => Vec::new(),
            Err(error) => vec![error.class().name().to_owned(), error.desc().to_owned()],
        };
        writeln!(output, "{}", to_json(&words))?;
        output.flush()?;
    }
    Ok(())
}
"#;

/// A running server.
pub(super) struct Server(Answerer);

impl Server {
    pub(super) fn build(mut files: Vec<GeneratedFile>) -> Result<Self, Failure> {
        for file in &mut files {
            let handlers = handlers(&file.text).map_err(|why| format!("{}: {why}", file.name))?;
            file.text.push_str(&handlers.to_string());
        }
        let target = target()?;
        let scratch = generated(NAME, ("main.rs", PROGRAM), files)?;
        output(&mut scratch.cargo("build", &target))?;
        let program = target.join("debug").join(NAME);
        Ok(Self(Answerer::start(&mut Command::new(program))?))
    }

    pub(super) fn ask(&mut self, command: &str, arguments: &str) -> Result<Answer, Failure> {
        let line = self.0.ask(&format!("{command}\t{arguments}"))?;
        let words: Vec<String> = serde_json::from_str(&line)
            .map_err(|error| format!("the generated server answers '{line}': {error}"))?;
        let mut words = words.into_iter();
        Ok(match (words.next(), words.next()) {
            (Some(class), Some(desc)) => Answer::Refused { class, desc },
            _ => Answer::Accepted,
        })
    }
}

/// Returns handlers for the commands of a generated module, each of which
/// answers that it would execute its command.
fn handlers(text: &str) -> Result<TokenStream, Failure> {
    let file = syn::parse_file(text).map_err(|error| error.to_string())?;
    let commands = file.items.iter().find_map(|item| match item {
        Item::Trait(item) if item.ident == "Commands" => Some(&item.items),
        _ => None,
    });
    // The root's trait combines those of the modules and has no methods.
    let Some(methods) = commands.filter(|methods| !methods.is_empty()) else {
        return Ok(quote!());
    };
    let methods = methods.iter().filter_map(|item| match item {
        TraitItem::Fn(method) => {
            let signature = &method.sig;
            Some(quote!(#signature { Err(wire::Error::generic("accepted")) }))
        }
        _ => None,
    });
    Ok(quote! {
        #[allow(unused_variables, reason = "nothing is done")]
        impl Commands for crate::Server { #(#methods)* }
    })
}

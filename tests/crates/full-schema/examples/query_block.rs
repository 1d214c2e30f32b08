//! Prints the block devices of a QEMU:
//! `cargo run -p full-schema --example query_block -- qmp.sock`

use full_schema::qmp::block_core::commands::QueryBlock;
use qapi_wire::client::{Client, Options};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let socket = std::env::args().nth(1).ok_or("the socket is missing")?;
    let mut client = Client::connect_unix(socket, Options::default())?;
    for block in client.execute(&QueryBlock {})? {
        let file = block.inserted.map(|medium| medium.file);
        println!("{}: {}", block.device, file.as_deref().unwrap_or("empty"));
    }
    Ok(())
}

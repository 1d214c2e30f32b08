//! The conversation in docs/schema-language.md, held with the code generated from
//! the schema of that page. The page's Rust is tested as documentation.

#![allow(clippy::unwrap_used, reason = "tests")]

use qapi_wire::Context;
use stats_runtime::NoHost;
use stats_runtime::host::Host as _;
use stats_runtime::qmp::Session;
use tests::schema_language::Dispatcher;
use tests::schema_language::lamps::commands::{FlashLamp, QuerySupply, SetLamp};
use tests::schema_language::lamps::{Battery, Commands, LampRef, RoomLamp, Supply, SupplyBranch};

/// The lamp of the page.
struct Lamps;

impl Commands for Lamps {
    fn query_lamps(&self) -> qapi_wire::Result<Vec<RoomLamp>> {
        Ok(vec![RoomLamp {
            name: "desk".to_owned(),
            brightness: 80,
            color: None,
            tags: Vec::new(),
            room: "office".to_owned(),
        }])
    }

    fn set_lamp(&self, arguments: SetLamp) -> qapi_wire::Result<()> {
        assert_eq!(arguments.lamps, LampRef::One("desk".to_owned()));
        assert_eq!(arguments.brightness, Some(30));
        Ok(())
    }

    fn query_supply(&self, arguments: QuerySupply) -> qapi_wire::Result<Supply> {
        assert_eq!(arguments.name, "desk");
        Ok(Supply {
            kind: SupplyBranch::Battery(Battery { percent: 70 }),
        })
    }

    fn flash_lamp(&self, _: FlashLamp) -> qapi_wire::Result<()> {
        Ok(())
    }
}

#[test]
fn page_shows_the_replies_that_a_session_gives() {
    let page = include_str!("../../docs/schema-language.md");
    let (_, conversation) = page.split_once("```session\n").unwrap();
    let (conversation, _) = conversation.split_once("```").unwrap();
    let server = Dispatcher(Lamps);
    let mut session = Session::new(&NoHost.version(), Default::default());
    session.receive(b"{'execute': 'qmp_capabilities'}");
    session.run(&server, &Context::strict());
    session.sent(session.output().len());
    let mut shown = String::new();
    for line in conversation.lines() {
        let Some(request) = line.strip_prefix("-> ") else {
            continue;
        };
        session.receive(request.as_bytes());
        session.run(&server, &Context::strict());
        let reply = String::from_utf8(session.output().to_vec()).unwrap();
        session.sent(reply.len());
        shown.push_str(&format!("-> {request}\n<- {}\n", reply.trim_end()));
    }
    assert_eq!(shown, conversation);
    assert_eq!(shown.lines().count(), 8);
}

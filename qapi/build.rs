//! Compiles the schema, so that editing it and building is all it takes.

fn main() {
    qapi_gen::Builder::new("schema/qapi-schema.json")
        .open_enum("StatsProvider")
        .direct_reply("query-stats")
        .direct_reply("query-stats-schemas")
        .compile();
}

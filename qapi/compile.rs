//! The way in which the shipped schema is compiled, for the build script and for
//! the test that compares the reviewed code with it.

/// Returns the compiler of `schema/*.json`. The current folder must be the
/// package's.
pub(crate) fn builder() -> qapi_gen::Builder {
    qapi_gen::Builder::new("schema/qapi-schema.json")
        .open_enum("StatsProvider")
        .attribute_for("StatsSchemaValue", "#[non_exhaustive]")
        .direct_reply("query-qmp-schema")
        .direct_reply("query-stats")
        .direct_reply("query-stats-schemas")
}

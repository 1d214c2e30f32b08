//! The kinds of changes, with their levels and explanations in one table.
//!
//! In: nothing. Out: for each code its name, its level in either direction, and the
//! reason. The sources are QEMU's docs/devel/qapi-code-gen.rst ("Compatibility
//! considerations") and docs/interop/qmp-spec.rst; where these are silent, the reason
//! says what we decided.

use std::fmt;
use std::str::FromStr;

use super::change::{Category, Direction, Level};
use crate::coded::coded;

macro_rules! codes {
    ($($code:ident $name:literal $category:ident $send:ident $receive:ident $reason:literal;)*) => {
        coded! {
            /// The kind of a change.
            Code {$($code $name $reason;)*}
        }

        impl Code {
            /// Returns who notices the change.
            #[must_use]
            pub fn category(self) -> Category {
                match self {$(Self::$code => Category::$category,)*}
            }

            /// Returns the level of the change where JSON is sent or received. A
            /// change without direction has one level.
            #[must_use]
            pub fn level(self, direction: Option<Direction>) -> Level {
                match (self, direction) {$(
                    (Self::$code, Some(Direction::Receive)) => Level::$receive,
                    (Self::$code, _) => Level::$send,
                )*}
            }
        }
    };
}

codes! {
    CommandAdded "command-added" Wire Compatible Compatible
        "A client that does not know a command does not send it.";
    CommandRemoved "command-removed" Wire Breaking Breaking
        "A client that sends the command gets the error CommandNotFound.";
    EventAdded "event-added" Wire Compatible Compatible
        "A client must ignore events that it does not know.";
    EventRemoved "event-removed" Wire Breaking Breaking
        "A client may wait for the event. Waive it if what the event reports can no longer happen.";
    MemberAdded "member-added" Wire Compatible Compatible
        "A client may leave an optional argument out, and must ignore members of a reply that it does not know.";
    MandatoryAdded "mandatory-added" Wire Breaking Compatible
        "A request without the new mandatory argument is refused.";
    MemberRemoved "member-removed" Wire Breaking Breaking
        "A request with an unknown argument is refused; a client may rely on a mandatory member of a reply. An optional member of a reply is only risky: harmless if it could not be sent any more.";
    BecameOptional "became-optional" Wire Compatible Breaking
        "A client may rely on a member that was in every reply.";
    BecameMandatory "became-mandatory" Wire Breaking Compatible
        "A request that leaves the argument out is refused.";
    ValueAdded "value-added" Wire Compatible Compatible
        "A client must expect values that it does not know.";
    ValueRemoved "value-removed" Wire Breaking Risky
        "A request with the value is refused. In a reply the removal is harmless if the value could not be sent any more.";
    StructToUnion "struct-to-union" Wire Risky Risky
        "The members may depend on the value of the tag now. What this means for each member is reported as well.";
    TagChanged "tag-changed" Wire Breaking Breaking
        "Another member selects the branch, so that the members of branches go with other values.";
    UnionToStruct "union-to-struct" Wire Compatible Risky
        "The members no longer depend on a tag.";
    AlternateTypeAdded "alternate-type-added" Wire Compatible Breaking
        "A client may not expect a value of the new JSON type in a reply.";
    AlternateTypeRemoved "alternate-type-removed" Wire Breaking Compatible
        "A request with a value of the JSON type is refused.";
    TypeToAlternate "type-to-alternate" Wire Compatible Breaking
        "A client may not expect a value of another JSON type in a reply.";
    AlternateToType "alternate-to-type" Wire Breaking Compatible
        "A request with a value of one of the other types is refused.";
    StringToEnum "string-to-enum" Wire Risky Compatible
        "A request with another string is refused. Harmless if such strings were refused before.";
    EnumToString "enum-to-string" Wire Compatible Risky
        "A client may not expect other strings in a reply.";
    IntToNumber "int-to-number" Wire Compatible Breaking
        "A client may not expect a fraction in a reply.";
    NumberToInt "number-to-int" Wire Breaking Compatible
        "A request with a fraction is refused.";
    TypeToAny "type-to-any" Wire Compatible Breaking
        "A client may not expect a value of another type in a reply.";
    AnyToType "any-to-type" Wire Breaking Compatible
        "A request with a value of another type is refused.";
    TypeChanged "type-changed" Wire Breaking Breaking
        "The JSON type is another.";
    RangeNarrowed "range-narrowed" Wire Risky Compatible
        "A request with an integer outside of the new range is refused.";
    RangeWidened "range-widened" Wire Compatible Risky
        "A client may have no room for the integers that a reply may contain now.";
    FeatureAdded "feature-added" Wire Compatible Compatible
        "A feature tells clients of something new.";
    FeatureRemoved "feature-removed" Wire Risky Risky
        "A client may look for the feature.";
    Deprecated "deprecated" Wire Compatible Compatible
        "Clients should stop using the part, which will be removed.";
    NotDeprecated "not-deprecated" Wire Compatible Compatible
        "The part stays.";
    BecameUnstable "became-unstable" Wire Risky Risky
        "The part may change without notice from now on.";
    BecameStable "became-stable" Wire Compatible Compatible
        "The part keeps to the compatibility rules from now on.";
    OobRemoved "oob-removed" Wire Breaking Breaking
        "A request with exec-oob is refused.";
    OobAdded "oob-added" Wire Compatible Compatible
        "The command can be executed out of band.";
    PreconfigRemoved "preconfig-removed" Wire Breaking Breaking
        "The command is refused before the machine is set up. Replies to query-qmp-schema do not tell it.";
    PreconfigAdded "preconfig-added" Wire Compatible Compatible
        "The command is accepted before the machine is set up.";
    ArgumentsClosed "arguments-closed" Wire Risky Risky
        "The command no longer takes arguments that the schema does not list ('gen': false).";
    ArgumentsOpened "arguments-opened" Wire Compatible Compatible
        "The command takes arguments that the schema does not list ('gen': false).";
    SuccessResponseChanged "success-response-changed" Wire Breaking Breaking
        "A client waits for a reply that does not come, or takes one for the reply of its next request.";
    ConditionAdded "condition-added" Wire Risky Risky
        "Builds without the condition lack the part. Give --config to judge one build.";
    ConditionNarrowed "condition-narrowed" Wire Risky Risky
        "Some builds lose the part. Give --config to judge one build.";
    ConditionWidened "condition-widened" Wire Compatible Compatible
        "Every build that had the part keeps it.";
    ConditionRemoved "condition-removed" Wire Compatible Compatible
        "Every build has the part.";
    RustRemoved "rust-removed" Rust Breaking Breaking
        "The Rust item of the definition is gone. A definition that was renamed leaves and comes under another name.";
    RustAdded "rust-added" Rust Compatible Compatible
        "A Rust item is new.";
    RustMoved "rust-moved" Rust Breaking Breaking
        "The Rust item is in another module.";
    RustKind "rust-kind" Rust Breaking Breaking
        "The Rust item is of another kind.";
    RustFieldAdded "rust-field-added" Rust Breaking Breaking
        "Code that lists all fields of the struct no longer compiles.";
    RustFieldRemoved "rust-field-removed" Rust Breaking Breaking
        "Code that uses the field no longer compiles.";
    RustFieldType "rust-field-type" Rust Breaking Breaking
        "The field has another Rust type.";
    RustVariantAdded "rust-variant-added" Rust Breaking Breaking
        "A match over all variants no longer compiles, unless it has a case for the others.";
    RustVariantRemoved "rust-variant-removed" Rust Breaking Breaking
        "Code that names the variant no longer compiles.";
}

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(name: &str) -> Result<Self, UnknownCode> {
        let code = Self::ALL.iter().find(|code| code.name() == name);
        code.copied().ok_or(UnknownCode)
    }
}

/// The error of a name that no code has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCode;

impl fmt::Display for UnknownCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no change has this code; `qapi-gen explain` lists all codes")
    }
}

impl std::error::Error for UnknownCode {}

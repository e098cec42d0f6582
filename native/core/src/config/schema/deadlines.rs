//! `[deadlines]`

use super::{Default, Key, Section, SECONDS};

/// `[deadlines]`
pub const DEADLINES: Section = Section {
    header: "[deadlines]",
    keys: &[
        Key::new("connect_secs", SECONDS, Default::Is("5"), "To connect to an upstream."),
        Key::new("first_byte_secs", SECONDS, Default::Is("120"), "To write the request, and then again to the first byte of the answer; of an engine, to what it says first."),
        Key::new("idle_secs", SECONDS, Default::Is("60"), "Between two reads of an answer."),
        Key::new("total_secs", SECONDS, Default::Is("600"), "A whole exchange; of a stream, until its first content."),
        Key::new("body_secs", SECONDS, Default::Is("30"), "For the caller's body to arrive."),
        Key::new("caller_stall_secs", SECONDS, Default::Is("60"), "A caller that takes nothing for so long is cut off (under hoosh serve)."),
    ],
};

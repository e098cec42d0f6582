//! Callers of Gemini in front of Gemini, and the array that some of them read.

use hoosh_core::ledger::Ending;

use super::{header, one, text, CONTENTS, GENERATED};

#[test]
fn gemini_passes_to_gemini_byte_for_byte_and_its_array_is_made_of_events() {
    let mut world = one("gemini");
    let mut call = world.post("/v1beta/models/m:generateContent", CONTENTS);
    let (u, request) = call.sent(&mut world);
    assert_eq!((text(&request.target), text(request.body.bytes())), ("/v1beta/models/m:generateContent", CONTENTS));
    assert_eq!(header(&request, "x-goog-api-key"), Some("sk-one"));
    call.answer(u, 200, "application/json", GENERATED);
    assert_eq!(text(&call.reply(&mut world).body), GENERATED);
    call.over(&mut world);
    assert_eq!(world.rows()[0].usage.total(), 10);
    let events = format!("data: {GENERATED}\r\n\r\n");
    for (query, is_array) in [("?alt=sse", false), ("", true)] {
        let mut world = one("gemini");
        let mut call = world.post(&format!("/v1beta/models/m:streamGenerateContent{query}"), CONTENTS);
        let (u, request) = call.sent(&mut world);
        assert_eq!(text(&request.target), "/v1beta/models/m:streamGenerateContent?alt=sse");
        call.answer(u, 200, "text/event-stream", &events);
        let stream = call.stream(&mut world);
        call.over(&mut world);
        if is_array {
            let all: serde_json::Value = serde_json::from_str(&stream).unwrap();
            assert_eq!(all[0]["candidates"][0]["content"]["parts"][0]["text"], "hello", "{stream}");
        } else {
            assert_eq!(stream, events);
        }
        let row = &world.rows()[0];
        assert_eq!((row.usage.total(), row.ending, row.terminator_added), (10, Ending::Completed, false));
    }
}

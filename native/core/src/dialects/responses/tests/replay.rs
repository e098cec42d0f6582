//! A kept response told as a stream.

use serde_json::json;

use super::{
    calls, custom, decode, encode, events, finish, joined, json as parsed, reply, text, thinks, whole, OpenAiResponses,
    USAGE,
};
use crate::dialects::neutral::Item;
use crate::dialects::responses::replay::events_of;
use crate::dialects::{Answer, Fed, Protocol};

fn said() -> [Vec<Item>; 4] {
    let refusal = Item::Refusal { choice: 0, text: "No.".into() };
    let annotation = "{\"type\":\"url_citation\",\"url_citation\":{\"end_index\":2,\"start_index\":0,\"title\":\"E\",\"url\":\"https://e.com\"}}";
    let cited = Item::Annotation { choice: 0, json: annotation.into() };
    [
        vec![thinks("Hm."), text("Hi \"you\"\n"), cited, calls(0, "call_1", "f", "{\"a\":1}"), finish("tool_calls")],
        vec![custom(0, Some(("call_2", "c")), "plain"), finish("tool_calls")],
        vec![refusal, finish("stop")],
        vec![text("Too long"), finish("length")],
    ]
}

#[test]
fn it_is_told_as_it_was_streamed_but_for_the_pieces() {
    for items in said() {
        let response = OpenAiResponses.write_answer(&reply(), &items, &USAGE);
        let replayed = events_of(&response, None).unwrap();
        assert_eq!(events(&replayed), events(&encode(&items)));
        let (end, read) = decode(&replayed);
        assert_eq!(end, Fed::Done);
        let (answer, wanted) = whole(&parsed(&response));
        assert_eq!((answer, joined(&read)), (Answer::Whole, joined(&wanted)));
    }
}

#[test]
fn whoever_saw_its_beginning_gets_the_rest_and_whoever_saw_more_the_end() {
    let response = OpenAiResponses.write_answer(&reply(), &said()[0], &USAGE);
    let all = events_of(&response, None).unwrap();
    let number = |events: &str| events.matches("\"sequence_number\":").count();
    let all = String::from_utf8(all).unwrap();
    for after in [0, 1] {
        let rest = String::from_utf8(events_of(&response, Some(after)).unwrap()).unwrap();
        assert!(all.ends_with(&rest) && number(&rest) == number(&all) - after as usize - 1, "{rest}");
    }
    for (after, told) in [(2, number(&all) as u64 - 1), (1_000, 1_001), (u32::MAX, 1 << 32)] {
        let rest = String::from_utf8(events_of(&response, Some(after)).unwrap()).unwrap();
        assert_eq!(number(&rest), 1, "{rest}");
        assert!(rest.starts_with(&format!(
            "event: response.completed\ndata: {{\"type\":\"response.completed\",\"sequence_number\":{told},"
        )));
    }
}

#[test]
fn what_is_no_response_that_ended_is_not_told() {
    for body in
        [json!({"status": "queued", "output": []}), json!({"status": "completed"}), json!([]), json!({"status": 1})]
    {
        assert_eq!(events_of(body.to_string().as_bytes(), None), None, "{body}");
    }
}

use super::*;
use crate::constrain::{Calls, Function, Text};

fn chat(more: &str) -> Result<Ask, Refusal> {
    let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}]{more}}}"#);
    Ask::read(Endpoint::Chat, &Bytes::from(body), &Sampling::default())
}

fn refused(more: &str) -> (&'static str, String) {
    let refusal = chat(more).expect_err("refused");
    assert_eq!(refusal.status, 400);
    (refusal.code, refusal.message)
}

#[test]
fn a_plain_request_has_the_defaults_of_openai() {
    let ask = chat("").expect("read");
    assert_eq!((ask.choices, ask.max_tokens, ask.seed), (1, None, None));
    assert_eq!(ask.sampling, Sampling::default());
    let body = serde_json::json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    assert_eq!(ask.prompt, Prompt::Chat(body));
}

#[test]
fn null_is_as_good_as_absent() {
    let ask = chat(r#","temperature":null,"stop":null,"tools":null,"seed":null,"what":null"#).expect("read");
    let plain = chat("").expect("read");
    assert_eq!(Ask { prompt: plain.prompt.clone(), ..ask }, plain);
}

#[test]
fn every_parameter_is_read() {
    let ask = chat(
        r#","temperature":0.5,"top_p":0.9,"top_k":40,"min_p":0.1,"seed":-1,"frequency_penalty":-1,"presence_penalty":1,
        "repetition_penalty":1.5,"logit_bias":{"5":-100},"logprobs":true,"top_logprobs":3,"n":2,"stop":["a","b"],
        "max_completion_tokens":7,"max_tokens":9,"stream":true,"user":"u""#,
    )
    .expect("read");
    let sampling = Sampling {
        temperature: 0.5,
        top_p: 0.9,
        top_k: 40,
        min_p: 0.1,
        penalties: Penalties { frequency: -1.0, presence: 1.0, repetition: 1.5 },
        bias: vec![(5, -100.0)],
        logprobs: Some(3),
    };
    assert_eq!(ask.sampling, sampling);
    assert_eq!((ask.seed, ask.choices, ask.max_tokens), (Some(u64::MAX), 2, Some(7)));
    assert_eq!(ask.stops, ["a", "b"]);
}

#[test]
fn what_is_out_of_range_is_refused_by_its_name() {
    for (more, code, field) in [
        (r#","temperature":2.1"#, "out_of_range", "temperature"),
        (r#","temperature":"1""#, "invalid_type", "temperature"),
        (r#","top_p":0"#, "out_of_range", "top_p"),
        (r#","top_k":-2"#, "invalid_type", "top_k"),
        (r#","min_p":1.5"#, "out_of_range", "min_p"),
        (r#","n":0"#, "out_of_range", "n"),
        (r#","n":1.5"#, "invalid_type", "n"),
        (r#","max_tokens":0"#, "out_of_range", "max_tokens"),
        (r#","seed":0.5"#, "invalid_type", "seed"),
        (r#","stop":[""]"#, "out_of_range", "stop"),
        (r#","stop":[1]"#, "invalid_type", "stop"),
        (r#","logit_bias":{"x":1}"#, "invalid_value", "logit_bias"),
        (r#","logit_bias":{"1":101}"#, "out_of_range", "logit_bias"),
        (r#","top_logprobs":2"#, "invalid_value", "top_logprobs"),
        (r#","logprobs":true,"top_logprobs":21"#, "out_of_range", "top_logprobs"),
    ] {
        let (got, message) = refused(more);
        assert_eq!(got, code, "{more}");
        assert!(message.starts_with(&format!("`{field}`")), "{more}: {message}");
    }
}

#[test]
fn what_would_change_the_answer_is_not_ignored() {
    for more in [
        r#","response_format":{"type":"grammar"}"#,
        r#","tool_choice":{"type":"allowed_tools"}"#,
        r#","modalities":["audio"]"#,
        r#","what":1"#,
    ] {
        let (code, _) = refused(more);
        assert!(code.starts_with("unsupported_"), "{more}: {code}");
    }
    assert!(chat(r#","response_format":{"type":"text"},"tool_choice":"auto""#).is_ok());
}

#[test]
fn a_prompt_is_text_or_tokens() {
    let read = |prompt: &str| {
        let body = format!(r#"{{"model":"m","prompt":{prompt}}}"#);
        Ask::read(Endpoint::Completions, &Bytes::from(body), &Sampling::default()).map(|ask| ask.prompt)
    };
    assert_eq!(read(r#""hi""#), Ok(Prompt::Text("hi".into())));
    assert_eq!(read(r#"["hi"]"#), Ok(Prompt::Text("hi".into())));
    assert_eq!(read("[1,2]"), Ok(Prompt::Tokens(vec![1, 2])));
    for prompt in [r#"["a","b"]"#, "[[1],[2]]", "[1,-2]", "5", "null"] {
        assert_eq!(read(prompt).expect_err(prompt).status, 400, "{prompt}");
    }
}

#[test]
fn embeddings_are_refused_in_plain_words() {
    let refusal =
        Ask::read(Endpoint::Embeddings, &Bytes::from_static(b"{}"), &Sampling::default()).expect_err("refused");
    assert_eq!((refusal.status, refusal.code), (400, "unsupported_endpoint"));
}

const PARAMETERS: &str = r#"{"type":"object","properties":{"x":{"type":"integer"}}}"#;

fn tool(name: &str, strict: bool) -> String {
    format!(r#"{{"type":"function","function":{{"name":"{name}","strict":{strict},"parameters":{PARAMETERS}}}}}"#)
}

/// The form that a request with more fields is held to.
fn form(more: &str) -> Option<Form> {
    chat(&format!(",{more}")).expect("read").form
}

fn function(name: &str, strict: bool) -> Function {
    let parameters = serde_json::from_str(PARAMETERS).expect("JSON");
    Function { name: name.into(), parameters: Some(parameters), strict }
}

#[test]
fn a_response_format_is_a_form() {
    assert_eq!(form(r#""response_format":{"type":"text"}"#), None);
    let object = Text::Json(serde_json::json!({ "type": "object" }));
    assert_eq!(form(r#""response_format":{"type":"json_object"}"#), Some(Form { text: object, calls: None }));
    let schema = Text::Json(serde_json::from_str(PARAMETERS).expect("JSON"));
    let format = format!(
        r#""response_format":{{"type":"json_schema","json_schema":{{"name":"n","strict":true,"schema":{PARAMETERS}}}}}"#
    );
    assert_eq!(form(&format), Some(Form { text: schema.clone(), calls: None }));
    let both = form(&format!(r#"{format},"tools":[{}]"#, tool("f", false))).expect("a form");
    let calls = Calls { functions: vec![function("f", false)], several: true };
    assert_eq!(both, Form { text: schema, calls: Some(calls) });
}

#[test]
fn tools_are_a_form_where_something_is_to_be_seen_to() {
    let (lenient, strict) = (tool("f", false), tool("g", true));
    let both = format!(r#""tools":[{lenient},{strict}]"#);
    let calls = |several| Some(Calls { functions: vec![function("f", false), function("g", true)], several });
    assert_eq!(form(&format!(r#""tools":[{lenient}]"#)), None);
    assert_eq!(form(&format!(r#"{both},"tool_choice":"none""#)), None);
    assert_eq!(form(&both), Some(Form { text: Text::Free, calls: calls(true) }));
    let single = form(&format!(r#"{both},"parallel_tool_calls":false"#));
    assert_eq!(single, Some(Form { text: Text::Free, calls: calls(false) }));
    let required = form(&format!(r#"{both},"tool_choice":"required""#));
    assert_eq!(required, Some(Form { text: Text::Never, calls: calls(true) }));
    let named = form(&format!(r#"{both},"tool_choice":{{"type":"function","function":{{"name":"g"}}}}"#));
    let only = Calls { functions: vec![function("g", true)], several: false };
    assert_eq!(named, Some(Form { text: Text::Never, calls: Some(only) }));
}

#[test]
fn a_form_that_makes_no_sense_is_refused_by_its_field() {
    let tools = format!(r#""tools":[{}]"#, tool("f", true));
    let many = vec![tool("f", true); 129].join(",");
    for (more, code, field) in [
        (r#""response_format":"json""#.into(), "unsupported_value", "response_format"),
        (r#""response_format":{"type":"json_schema"}"#.into(), "invalid_schema", "response_format"),
        (r#""tool_choice":"required""#.into(), "invalid_value", "tool_choice"),
        (format!(r#"{tools},"tool_choice":{{"type":"function"}}"#), "invalid_value", "tool_choice"),
        (
            format!(r#"{tools},"tool_choice":{{"type":"function","function":{{"name":"g"}}}}"#),
            "invalid_value",
            "tool_choice",
        ),
        (format!(r#"{tools},"tool_choice":"never""#), "unsupported_value", "tool_choice"),
        (format!(r#"{tools},"parallel_tool_calls":1"#), "invalid_type", "parallel_tool_calls"),
        (format!(r#""tools":[{}]"#, tool("no name", true)), "invalid_value", "tools"),
        (format!(r#""tools":[{many}]"#), "out_of_range", "tools"),
        (r#""tools":[{"type":"custom"}],"tool_choice":"required""#.into(), "unsupported_value", "tools"),
        (r#""tools":{}"#.into(), "invalid_type", "tools"),
    ] {
        let (got, message) = refused(&format!(",{more}"));
        assert_eq!(got, code, "{more}");
        assert!(message.starts_with(&format!("`{field}`")), "{more}: {message}");
    }
}

use super::*;

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
        r#","response_format":{"type":"json_object"}"#,
        r#","tool_choice":"required""#,
        r#","parallel_tool_calls":false"#,
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

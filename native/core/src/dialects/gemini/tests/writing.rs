//! Requests to upstreams.

use serde_json::json;

use super::*;

fn user() -> Json {
    json!({"role":"user","content":"Hi"})
}

#[test]
fn a_neutral_request_with_everything_is_written() {
    let neutral = json!({
        "model":"alias","stream":true,"stream_options":{"include_usage":true},
        "messages":[{"role":"system","content":"Be brief."},
            {"role":"user","content":[{"type":"text","text":"See"},
                {"type":"image_url","image_url":{"url":"https://h/x.webp"}},
                {"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}},
                {"type":"file","file":{"file_data":"data:application/pdf;base64,AAAA"}}]}],
        "temperature":1,"top_p":0.5,"max_completion_tokens":50,"n":1,"stop":"END","seed":3,"logprobs":true,"top_logprobs":2,
        "response_format":{"type":"json_object"},"tool_choice":"required","parallel_tool_calls":true,
        "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"a":{}}}}}]});
    let (written, lost) = write("gemini-3.5-flash", &neutral);
    assert_eq!(
        written,
        json!({
            "contents":[{"role":"user","parts":[{"text":"See"},
                {"fileData":{"mimeType":"image/webp","fileUri":"https://h/x.webp"}},
                {"inlineData":{"mimeType":"audio/wav","data":"AAAA"}},
                {"inlineData":{"mimeType":"application/pdf","data":"AAAA"}}]}],
            "systemInstruction":{"parts":[{"text":"Be brief."}]},
            "tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"type":"object","properties":{"a":{}}}}]}],
            "toolConfig":{"functionCallingConfig":{"mode":"ANY"}},
            "generationConfig":{"temperature":1,"topP":0.5,"candidateCount":1,"stopSequences":["END"],"seed":3,
                "responseLogprobs":true,"logprobs":2,"responseMimeType":"application/json","maxOutputTokens":50}})
    );
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn the_lowest_cap_counts() {
    let neutral = json!({"messages":[user()],"max_tokens":50}).to_string();
    for (cap, written) in [(None, 50), (Some(9), 9), (Some(90), 50)] {
        let to = To { cap, ..to("m") };
        let body = Gemini.write_request(&to, neutral.as_bytes(), &mut Loss::default()).unwrap();
        assert_eq!(super::json(&body)["generationConfig"]["maxOutputTokens"], written);
    }
}

/// Each member that `docs/dialects.md` lists, and those of OpenAI's: what is not in the body is in the report.
#[test]
fn every_neutral_member_survives_or_is_reported() {
    let plain = write("gemini-2.5-pro", &json!({"messages":[user()]})).0;
    for (member, value) in [
        ("top_k", json!(4)),
        ("min_p", json!(0.1)),
        ("thinking", json!({"type":"enabled","budget_tokens":500})),
        ("thinking", json!({"type":"adaptive"})),
        ("reasoning_effort", json!("low")),
        ("reasoning_effort", json!("enormous")),
        ("safety_settings", json!([])),
        ("metadata", json!({"a":"b"})),
        ("metadata", json!({"a":1})),
        ("user", json!("u")),
        ("service_tier", json!("priority")),
        ("service_tier", json!("scale")),
        ("seed", json!(5_000_000_000_u64)),
        ("logprobs", json!(true)),
        ("top_logprobs", json!(50)),
        ("n", json!(2)),
        ("stop", json!(["1", "2", "3", "4", "5", "6"])),
        ("response_format", json!({"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}})),
        ("response_format", json!({"type":"grammar"})),
        ("logit_bias", json!({"1":2})),
        ("parallel_tool_calls", json!(false)),
        ("web_search_options", json!({})),
        ("store", json!(true)),
        ("modalities", json!(["text", "image"])),
        ("audio", json!({"voice":"a"})),
        ("prediction", json!({})),
        ("verbosity", json!("low")),
        ("tools", json!([{"type":"native","origin":"anthropic","value":{}}])),
        ("tools", json!([{"type":"custom","custom":{"name":"c"}}])),
        ("tool_choice", json!({"type":"function","function":{"name":"f"}})),
        ("of_tomorrow", json!(1)),
    ] {
        let (written, lost) = write("gemini-2.5-pro", &json!({"messages":[user()], member:value}));
        assert!(written != plain || !lost.is_empty(), "{member}: {value}");
    }
    for (member, value) in [
        ("name", json!("x")),
        ("cache_control", json!({"type":"ephemeral"})),
        ("of_tomorrow", json!(1)),
        ("thoughts", json!([{"origin":"anthropic","type":"signature","signature":"s"}])),
        ("content", json!([{"type":"video_url"}])),
        ("content", json!([{"type":"file","file":{"file_id":"file-1"}}])),
        ("content", json!([{"type":"image_url","image_url":{"url":"https://h/x"}}])),
        ("content", json!([{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}])),
    ] {
        let (_, lost) = write("m", &json!({"messages":[user(), {"role":"assistant", member:value}]}));
        assert!(!lost.is_empty(), "{member}: {value}");
    }
}

#[test]
fn system_messages_go_before_the_conversation_and_it_is_said() {
    let neutral = json!({"messages":[{"role":"developer","content":"A"},user(),{"role":"system","content":"B"}]});
    let (written, lost) = write("m", &neutral);
    assert_eq!(written["systemInstruction"]["parts"], json!([{"text":"A"},{"text":"B"}]));
    assert_eq!(lost, ["approximated messages[].role:system"]);
    let alone = json!({"messages":[{"role":"system","content":"A"}]}).to_string();
    let failure = Gemini.write_request(&to("m"), alone.as_bytes(), &mut Loss::default()).unwrap_err();
    assert_eq!(failure.param.as_deref(), Some("messages"));
}

#[test]
fn parallel_results_are_one_content() {
    let neutral = json!({"messages":[user(),
        {"role":"assistant","content":null,"tool_calls":[
            {"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},
            {"id":"b","type":"function","function":{"name":"g","arguments":""}}]},
        {"role":"tool","tool_call_id":"b","content":"{\"n\":1}"},
        {"role":"tool","tool_call_id":"a","content":[{"type":"text","text":"no"},
            {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}],"is_error":true},
        {"role":"user","content":"Go on"}]});
    let (written, lost) = write("gemini-3-pro-image", &neutral);
    assert_eq!(
        written["contents"],
        json!([{"role":"user","parts":[{"text":"Hi"}]},
            {"role":"model","parts":[{"functionCall":{"id":"a","name":"f","args":{"x":1}}},
                {"functionCall":{"id":"b","name":"g","args":{}}}]},
            {"role":"user","parts":[{"functionResponse":{"id":"b","name":"g","response":{"n":1}}},
                {"functionResponse":{"id":"a","name":"f","response":{"error":"no"},
                    "parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}}]},
            {"role":"user","parts":[{"text":"Go on"}]}])
    );
    assert!(lost.is_empty(), "{lost:?}");
}

/// Google refuses two turns of one role behind each other where the model is strict; a user's words stay apart from results.
#[test]
fn neighbours_of_one_role_are_one_content() {
    let neutral = json!({"messages":[{"role":"assistant","content":"Hello."}, user(), user(),
        {"role":"assistant","content":"I look."},
        {"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"a","content":"x"}, user(), {"role":"system","content":"S"}, user()]});
    let (written, _) = write("gemini-2.5-flash", &neutral);
    let hi = json!({"text":"Hi"});
    assert_eq!(
        written["contents"],
        json!([{"role":"user","parts":[{"text":""}]}, {"role":"model","parts":[{"text":"Hello."}]},
            {"role":"user","parts":[hi, hi]},
            {"role":"model","parts":[{"text":"I look."},{"functionCall":{"id":"a","name":"f","args":{}}}]},
            {"role":"user","parts":[{"functionResponse":{"id":"a","name":"f","response":{"output":"x"}}}]},
            {"role":"user","parts":[hi, hi]}])
    );
}

#[test]
fn a_result_of_no_call_is_refused() {
    let neutral = json!({"messages":[user(),{"role":"tool","tool_call_id":"z","content":"x"}]}).to_string();
    let failure = Gemini.write_request(&to("m"), neutral.as_bytes(), &mut Loss::default()).unwrap_err();
    assert_eq!(failure.param.as_deref(), Some("messages[1].tool_call_id"));
}

/// Portkey-AI/gateway#1275, #1399, #1442; 8monkey-ai/hebo-gateway#226.
#[test]
fn thought_signatures_come_back_as_they_were() {
    let call = |signature: Json| {
        json!({"messages":[user(),{"role":"assistant","tool_calls":[{"id":"a","type":"function",
            "function":{"name":"f","arguments":"{}"},"extra_content":signature}]},
            {"role":"tool","tool_call_id":"a","content":"x"}]})
    };
    let signed = call(json!({"google":{"thought_signature":"Cg-_8="}}));
    let (written, lost) = write("gemini-3-pro", &signed);
    assert_eq!(written["contents"][1]["parts"][0]["thoughtSignature"], "Cg-_8=");
    assert!(lost.is_empty(), "{lost:?}");
    // A call of another model's: Gemini 3 wants something, and the report says what it gets.
    let (written, lost) = write("gemini-3-pro", &call(Json::Null));
    assert_eq!(written["contents"][1]["parts"][0]["thoughtSignature"], "skip_thought_signature_validator");
    assert_eq!(lost, ["emulated messages[].tool_calls[].extra_content.google.thought_signature"]);
    let (written, lost) = write("gemini-2.5-pro", &call(Json::Null));
    assert_eq!(written["contents"][1]["parts"][0]["thoughtSignature"], Json::Null);
    assert!(lost.is_empty(), "{lost:?}");
}

/// A caller that says itself that a call is not signed has nothing lost; pydantic-ai says it in base64.
#[test]
fn a_word_that_stands_for_no_signature_is_none() {
    let history = |said: &str, last: Json| {
        json!({"messages":[user(),{"role":"assistant","tool_calls":[{"id":"a","type":"function",
            "function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":said}}}]},
            {"role":"tool","tool_call_id":"a","content":"x"}, last]})
    };
    let model_says = json!({"role":"assistant","content":"So."});
    for said in ["context_engineering_is_the_way_to_go", "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="] {
        for (model, last, signature) in [
            ("gemini-3.1-pro-preview", &model_says, json!("skip_thought_signature_validator")),
            ("gemini-3-pro-image", &model_says, Json::Null),
            ("gemini-2.5-pro", &model_says, Json::Null),
            // Of an earlier turn: nobody asks for it.
            ("gemini-3.1-pro-preview", &user(), Json::Null),
        ] {
            let (written, lost) = write(model, &history(said, last.clone()));
            assert_eq!(written["contents"][1]["parts"][0]["thoughtSignature"], signature, "{model} {said}");
            assert!(lost.is_empty(), "{model} {said}: {lost:?}");
        }
    }
}

/// The older `function_call` has no place for a signature, and Gemini 3 wants one of it too.
#[test]
fn an_older_call_says_that_it_is_not_signed() {
    let neutral = json!({"messages":[user(),{"role":"assistant","function_call":{"name":"f","arguments":"{}"}},
        {"role":"function","name":"f","content":"x"}]});
    let (written, lost) = write("gemini-3.1-pro-preview", &neutral);
    assert_eq!(written["contents"][1]["parts"][0]["thoughtSignature"], "skip_thought_signature_validator");
    assert_eq!(lost, ["emulated messages[].tool_calls[].extra_content.google.thought_signature"]);
    assert_eq!(write("gemini-2.5-pro", &neutral).1, [""; 0]);
}

/// BerriAI/litellm#18667.
#[test]
fn broken_arguments_of_a_call_go_on_as_text() {
    let neutral = json!({"messages":[user(),{"role":"assistant","tool_calls":[{"id":"a","type":"function",
        "function":{"name":"f","arguments":"{\"x\":"}}]}]});
    let (written, lost) = write("gemini-2.5-pro", &neutral);
    assert_eq!(written["contents"][1]["parts"][0]["functionCall"]["args"], json!({"arguments":"{\"x\":"}));
    assert_eq!(lost, ["approximated messages[].tool_calls[].function.arguments"]);
}

/// BerriAI/litellm#9504.
#[test]
fn structured_output_is_native_and_what_gemini_does_not_heed_is_named() {
    let schema =
        json!({"type":"object","properties":{"a":{"type":"string","pattern":"^a"}},"additionalProperties":false});
    let format = json!({"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":schema}});
    let (written, lost) = write("m", &json!({"messages":[user()],"response_format":format}));
    assert_eq!(written["generationConfig"]["responseJsonSchema"], schema);
    assert!(lost.contains(&"dropped response_format.json_schema.schema.pattern".to_owned()), "{lost:?}");
}

/// googleapis/python-genai#867, symfony/ai#803.
#[test]
fn older_models_take_neither_a_format_nor_googles_tools_beside_functions() {
    let function = json!({"type":"function","function":{"name":"f"}});
    let native = json!({"type":"native","origin":"gemini","value":{"googleSearch":{}}});
    let format = json!({"type":"json_schema","json_schema":{"schema":{"type":"object"}}});
    let neutral = json!({"messages":[user()],"tools":[function, native],"response_format":format});
    let (written, lost) = write("gemini-2.5-flash", &neutral);
    assert_eq!(written["tools"], json!([{"functionDeclarations":[{"name":"f"}]}]));
    assert_eq!(written.get("generationConfig"), None);
    let words = written["systemInstruction"]["parts"][0]["text"].as_str().unwrap();
    assert!(words.ends_with("\n{\"type\":\"object\"}"), "{words}");
    assert_eq!(lost, ["dropped tools[].type:native", "approximated response_format"]);
    let (written, lost) = write("gemini-3.5-flash", &neutral);
    assert_eq!(written["tools"].as_array().unwrap().len(), 2);
    assert_eq!(written["toolConfig"], json!({"includeServerSideToolInvocations":true}));
    assert_eq!(written["generationConfig"]["responseMimeType"], "application/json");
    assert!(lost.is_empty(), "{lost:?}");
    let (written, lost) = write("gemini-2.5-flash", &json!({"messages":[user()],"response_format":format}));
    assert_eq!(written["generationConfig"]["responseJsonSchema"], json!({"type":"object"}));
    assert!(lost.is_empty(), "{lost:?}");
    let (_, lost) = write(
        "gemini-2.5-flash",
        &json!({"messages":[user()],"tools":[{"type":"function","function":{"name":"f"}}],"web_search_options":{}}),
    );
    assert!(lost.contains(&"dropped web_search_options".to_owned()), "{lost:?}");
}

#[test]
fn numbers_are_kept_within_googles_bounds() {
    for (member, value, field, written) in [
        ("temperature", json!(2.5), "temperature", json!(2)),
        ("temperature", json!(2.0), "temperature", json!(2.0)),
        ("n", json!(9), "candidateCount", json!(8)),
        ("n", json!(8), "candidateCount", json!(8)),
        ("seed", json!(i64::from(i32::MAX) + 2), "seed", json!(1)),
        ("seed", json!(-5), "seed", json!(-5)),
        ("max_tokens", json!(1_u64 << 40), "maxOutputTokens", json!(i32::MAX)),
    ] {
        let (body, lost) = write("gemini-3.5-flash", &json!({"messages":[user()],member:value}));
        assert_eq!(body["generationConfig"][field], written, "{member} {value}");
        assert_eq!(lost.is_empty(), value == written, "{member} {value}: {lost:?}");
    }
}

#[test]
fn choices_among_tools_are_modes() {
    let f = json!({"type":"function","function":{"name":"f"}});
    for (choice, config) in [
        (json!("auto"), json!({"mode":"AUTO"})),
        (json!("none"), json!({"mode":"NONE"})),
        (json!("required"), json!({"mode":"ANY"})),
        (f.clone(), json!({"mode":"ANY","allowedFunctionNames":["f"]})),
        (
            json!({"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[f]}}),
            json!({"mode":"VALIDATED","allowedFunctionNames":["f"]}),
        ),
    ] {
        let neutral = json!({"messages":[user()],"tool_choice":choice,"tools":[f]});
        assert_eq!(write("m", &neutral).0["toolConfig"], json!({"functionCallingConfig":config}));
        // Without functions there is nothing to choose among.
        let (written, lost) = write("m", &json!({"messages":[user()],"tool_choice":choice}));
        assert_eq!(written.get("toolConfig"), None);
        assert_eq!(lost.is_empty(), choice.is_string() && choice != "required", "{choice}: {lost:?}");
    }
}

/// pydantic/pydantic-ai#4210: not within the results, where older models take none, nor beside them.
#[test]
fn media_of_results_stand_behind_them_for_older_models() {
    let picture = json!({"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}});
    let call = |id: &str| json!({"id":id,"type":"function","function":{"name":"f","arguments":"{}"}});
    let result = |id: &str| json!({"role":"tool","tool_call_id":id,"content":[{"type":"text","text":"x"}, picture]});
    let neutral = json!({"messages":[user(), {"role":"assistant","tool_calls":[call("a"), call("b")]},
        result("a"), result("b"), user()]});
    let (written, lost) = write("gemini-2.5-flash", &neutral);
    let inline = json!({"inlineData":{"mimeType":"image/png","data":"AAAA"}});
    let response = |id: &str| json!({"functionResponse":{"id":id,"name":"f","response":{"output":"x"}}});
    assert_eq!(
        written["contents"].as_array().unwrap()[2..],
        [
            json!({"role":"user","parts":[response("a"), response("b")]}),
            json!({"role":"user","parts":[inline, inline, {"text":"Hi"}]})
        ]
    );
    assert_eq!(lost, ["approximated messages[].content[]"]);
    let (written, lost) = write("gemini-3.5-flash", &neutral);
    assert_eq!(written["contents"][2]["parts"][1]["functionResponse"]["parts"], json!([inline]));
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn embeddings_are_asked_for_in_batches() {
    let to = To { endpoint: Endpoint::Embeddings, ..to("e") };
    let write = |neutral: Json| {
        let mut loss = Loss::default();
        Gemini
            .write_request(&to, neutral.to_string().as_bytes(), &mut loss)
            .map(|body| (super::json(&body), names(&loss)))
    };
    let (written, lost) = write(json!({"model":"x","input":["a","b"],"dimensions":8,"user":"u"})).unwrap();
    let one = |text| json!({"model":"models/e","content":{"parts":[{"text":text}]},"outputDimensionality":8});
    assert_eq!(written, json!({"requests":[one("a"), one("b")]}));
    assert_eq!(lost, ["dropped user"]);
    assert_eq!(write(json!({"input":[1,2]})).unwrap_err().param.as_deref(), Some("input"));
    assert_eq!(write(json!({})).unwrap_err().param.as_deref(), Some("input"));
}

#[test]
fn an_older_prompt_is_a_users_message() {
    let to = To { endpoint: Endpoint::Completions, ..to("m") };
    let mut loss = Loss::default();
    let body = Gemini.write_request(&to, br#"{"prompt":["Hi"],"max_tokens":3}"#, &mut loss).unwrap();
    assert_eq!(super::json(&body)["contents"][0]["parts"][0]["text"], "Hi");
    assert!(Gemini.write_request(&to, br#"{"prompt":["a","b"]}"#, &mut loss).is_err());
}

//! Callers' requests.

use serde_json::json;

use super::*;
use crate::dialects::gemini::{CONFIG_FIELDS, EMBED_FIELDS, REQUEST_FIELDS};
use crate::error::Code;

const WHOLE: &str = r#"{
  "systemInstruction":{"parts":[{"text":"Be brief."}],"role":"user"},
  "contents":[
    {"role":"user","parts":[{"text":"What is this?"},{"inlineData":{"mimeType":"image/png","data":"-_8"}}]},
    {"role":"model","parts":[{"text":"I look.","thought":true},
      {"functionCall":{"name":"look","args":{"at":"it"}},"thoughtSignature":"c2ln"},
      {"functionCall":{"name":"look","args":{}}}]},
    {"role":"user","parts":[{"functionResponse":{"name":"look","response":{"output":"a cat"}}},
      {"functionResponse":{"name":"look","response":{"error":"too dark"}}}]},
    {"role":"model","parts":[{"text":"A cat.","thoughtSignature":"dGV4dA=="}]},
    {"parts":[{"text":"Sure?"}]}],
  "tools":[{"functionDeclarations":[{"name":"look","description":"Looks.","parameters":{"type":"OBJECT",
      "properties":{"at":{"type":"STRING"}}}},{"name":"wait","parametersJsonSchema":{"type":"object"}}]},
    {"googleSearch":{}}],
  "toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["look"]}},
  "safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"OFF"}],
  "labels":{"team":"a"},"serviceTier":"flex",
  "generationConfig":{"temperature":0.5,"topP":0.9,"topK":40,"candidateCount":2,"maxOutputTokens":100,
    "stopSequences":["END"],"seed":7,"presencePenalty":0.1,"frequencyPenalty":0.2,"responseLogprobs":true,"logprobs":3,
    "responseMimeType":"application/json","responseJsonSchema":{"type":"object"},
    "thinkingConfig":{"thinkingLevel":"LOW","includeThoughts":true}}}"#;

#[test]
fn a_request_with_everything_is_read() {
    let (read, lost) = read(WHOLE);
    let expected = json!({
      "model":"gemini-3-pro",
      "messages":[
        {"role":"system","content":"Be brief."},
        {"role":"user","content":[{"type":"text","text":"What is this?"},
          {"type":"image_url","image_url":{"url":"data:image/png;base64,+/8="}}]},
        {"role":"assistant","content":null,"reasoning_content":"I look.","tool_calls":[
          {"id":"call_1_1_look","type":"function","function":{"name":"look","arguments":"{\"at\":\"it\"}"},
            "extra_content":{"google":{"thought_signature":"c2ln"}}},
          {"id":"call_1_2_look","type":"function","function":{"name":"look","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"call_1_1_look","name":"look","content":"a cat"},
        {"role":"tool","tool_call_id":"call_1_2_look","name":"look","is_error":true,"content":"too dark"},
        {"role":"assistant","content":"A cat.","thoughts":[{"origin":"gemini","type":"text","signature":"dGV4dA=="}]},
        {"role":"user","content":"Sure?"}],
      "tools":[
        {"type":"function","function":{"name":"look","description":"Looks.",
          "parameters":{"type":"object","properties":{"at":{"type":"string"}}}}},
        {"type":"function","function":{"name":"wait","parameters":{"type":"object"}}},
        {"type":"native","origin":"gemini","value":{"googleSearch":{}}}],
      "tool_choice":{"type":"function","function":{"name":"look"}},
      "temperature":0.5,"top_p":0.9,"top_k":40,"n":2,"max_tokens":100,"stop":["END"],"seed":7,
      "presence_penalty":0.1,"frequency_penalty":0.2,"logprobs":true,"top_logprobs":3,
      "reasoning_effort":"low",
      "response_format":{"type":"json_schema","json_schema":{"name":"response","schema":{"type":"object"}}},
      "safety_settings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"OFF"}],
      "metadata":{"team":"a"},"service_tier":"flex"});
    assert_eq!(read, expected);
    assert!(lost.is_empty(), "{lost:?}");
}

/// Nor does an upstream of another dialect hear of it.
#[test]
fn a_word_that_stands_for_no_signature_is_not_read_as_one() {
    let (read, lost) = read(
        r#"{"contents":[{"parts":[{"text":"Hi"}]},{"role":"model","parts":[
        {"text":"Hm.","thoughtSignature":"context_engineering_is_the_way_to_go"},
        {"functionCall":{"name":"f"},"thoughtSignature":"c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I"}]}]}"#,
    );
    let call = json!({"id":"call_1_1_f","type":"function","function":{"name":"f","arguments":"{}"}});
    assert_eq!(read["messages"][1], json!({"role":"assistant","content":"Hm.","tool_calls":[call]}));
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn what_is_read_is_one_line() {
    let body = r#"{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":{
        "x": "a\nb"}}}]}],"tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{
        "type":"object"}}]}]}"#;
    let read = Gemini.read_request(&ask(), body.as_bytes(), &mut Loss::default()).unwrap();
    assert!(!read.contains(&b'\n'), "{}", String::from_utf8_lossy(&read));
    assert!(super::json(&read)["messages"][0]["tool_calls"][0]["function"]["arguments"]
        .as_str()
        .unwrap()
        .contains("a\\nb"));
}

#[test]
fn there_and_back_a_request_keeps_its_meaning() {
    let (neutral, _) = read(WHOLE);
    let (back, lost) = write("gemini-3-pro", &neutral);
    let (again, _) = read(&back.to_string());
    assert_eq!(again, neutral, "{back}");
    let losses: Vec<_> = lost.iter().filter(|lost| !lost.starts_with("renamed")).collect();
    assert!(losses.is_empty(), "{losses:?}");
}

#[test]
fn both_spellings_of_names_are_read_alike() {
    let snake = r#"{"system_instruction":{"parts":[{"text":"S"}]},"contents":[{"parts":[{"inline_data":
        {"mime_type":"audio/mpeg","data":"AAAA"}}]}],"generation_config":{"max_output_tokens":"5",
        "thinking_config":{"thinking_budget":0}},"tool_config":{"function_calling_config":{"mode":"none"}},
        "safety_settings":[]}"#;
    let camel = snake
        .replace("system_instruction", "systemInstruction")
        .replace("inline_data", "inlineData")
        .replace("mime_type", "mimeType")
        .replace("generation_config", "generationConfig")
        .replace("max_output_tokens", "maxOutputTokens")
        .replace("thinking_config", "thinkingConfig")
        .replace("thinking_budget", "thinkingBudget")
        .replace("tool_config", "toolConfig")
        .replace("function_calling_config", "functionCallingConfig")
        .replace("safety_settings", "safetySettings");
    assert_eq!(read(snake), read(&camel));
    let (read, lost) = read(snake);
    assert!(lost.is_empty(), "{lost:?}");
    assert_eq!(read["max_tokens"], 5);
    assert_eq!(read["thinking"]["type"], "disabled");
    assert_eq!(read["tool_choice"], "none");
    let audio = json!({"type":"input_audio","input_audio":{"data":"AAAA","format":"mp3"}});
    assert_eq!(read["messages"][1]["content"][0], audio);
}

/// What a field holds in these tests.
fn sample(field: &str) -> &'static str {
    match field {
        "contents" => r#"[{"parts":[{"text":"Hi"}]}]"#,
        "content" | "systemInstruction" => r#"{"parts":[{"text":"Hi"}]}"#,
        "tools" => r#"[{"functionDeclarations":[{"name":"f"}]}]"#,
        "toolConfig" => r#"{"functionCallingConfig":{"mode":"AUTO"}}"#,
        "safetySettings" | "stopSequences" => "[]",
        "labels" => "{}",
        "serviceTier" => "\"priority\"",
        "store" | "responseLogprobs" => "true",
        "generationConfig" => r#"{"topK":1}"#,
        "responseMimeType" => "\"application/json\"",
        "responseModalities" => "[\"TEXT\",\"IMAGE\"]",
        "thinkingConfig" => r#"{"thinkingBudget":1}"#,
        "model" => "\"models/m\"",
        "responseSchema" | "responseJsonSchema" => r#"{"type":"object"}"#,
        _ => "1",
    }
}

#[test]
fn every_field_of_the_tables_survives_or_is_reported() {
    let hi = r#""contents":[{"parts":[{"text":"Hi"}]}]"#;
    let plain = read(&format!("{{{hi}}}")).0;
    for (field, neutral, _) in REQUEST_FIELDS.iter().filter(|(field, ..)| *field != "contents") {
        let (read, lost) = read(&format!("{{{hi},\"{field}\":{}}}", sample(field)));
        let reported = lost.iter().any(|lost| lost.ends_with(field));
        assert_eq!(reported, neutral.is_empty() && *field != "generationConfig", "{field}: {lost:?}");
        assert!(reported || read != plain || *field == "model", "{field}");
    }
    for (field, neutral, _) in CONFIG_FIELDS {
        let body = format!("{{{hi},\"generationConfig\":{{\"{field}\":{}}}}}", sample(field));
        let (read, lost) = read(&body);
        assert_eq!(lost == [format!("dropped generationConfig.{field}")], neutral.is_empty(), "{field}: {lost:?}");
        assert_eq!(read != plain, !neutral.is_empty(), "{field}");
    }
    let ask = Ask { endpoint: Some(Endpoint::Embeddings), ..ask() };
    for (field, neutral, _) in EMBED_FIELDS.iter().filter(|(field, ..)| *field != "content") {
        let mut loss = Loss::default();
        let body = format!("{{\"content\":{},\"{field}\":{}}}", sample("content"), sample(field));
        Gemini.read_request(&ask, body.as_bytes(), &mut loss).unwrap();
        assert_eq!(loss.is_empty(), !neutral.is_empty(), "{field}");
    }
}

#[test]
fn what_is_unknown_is_reported_wherever_it_stands() {
    let (_, lost) = read(
        r#"{"contents":[{"parts":[{"text":"a","x1":1},{"inlineData":{"mimeType":"image/png","data":"","x2":1}},
        {"executableCode":{"code":"1+1"}}],"x3":1}],"x4":1,"generationConfig":{"x5":1,"thinkingConfig":{"x6":1}},
        "tools":[{"functionDeclarations":[{"name":"f","x7":1}]}],"toolConfig":{"x8":{},"functionCallingConfig":{"x9":1}}}"#,
    );
    for nth in 1..=9 {
        assert!(
            lost.iter().any(|lost| lost.ends_with(&format!(".x{nth}")) || lost.ends_with(&format!(" x{nth}"))),
            "x{nth}"
        );
    }
    assert!(lost.contains(&"approximated contents[].parts[].executableCode".to_owned()));
}

#[test]
fn bad_input_is_told_what_and_where() {
    for (body, param) in [
        ("{}", "contents"),
        (r#"{"contents":[]}"#, "contents"),
        (r#"{"contents":7}"#, "contents[0]"),
        (r#"{"contents":["Hi"]}"#, "contents[0]"),
        (r#"{"contents":[{"parts":[{}]}]}"#, "contents[0].parts[0]"),
        (r#"{"contents":[{"role":"assistant","parts":[{"text":"x"}]}]}"#, "contents[0].role"),
        (r#"{"contents":[{"parts":[{"text":7}]}]}"#, "contents[0].parts[0].text"),
        (r#"{"contents":[{"parts":[{"inlineData":{"data":""}}]}]}"#, "contents[0].parts[0].inlineData.mimeType"),
        (r#"{"contents":[{"parts":[{"functionCall":{"name":"f"}}]}]}"#, "contents[0].parts[0].functionCall"),
        (
            r#"{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":"{}"}}]}]}"#,
            "contents[0].parts[0].functionCall.args",
        ),
        (r#"{"contents":[{"parts":[{"text":""}]}],"generationConfig":{"topK":"x"}}"#, "generationConfig.topK"),
        (
            r#"{"contents":[{"parts":[{"text":""}]}],"tools":[{"functionDeclarations":[{}]}]}"#,
            "tools[0].functionDeclarations[0].name",
        ),
        (
            r#"{"contents":[{"parts":[{"text":""}]}],"toolConfig":{"functionCallingConfig":{"mode":"SOME"}}}"#,
            "toolConfig.functionCallingConfig.mode",
        ),
    ] {
        assert_eq!(refused(body).param.as_deref(), Some(param), "{body}");
    }
    assert_eq!(refused("{\"contents\":[").code.as_str(), "invalid_json");
    assert_eq!(refused(r#"{"contents":[],"contents":[]}"#).code.as_str(), "duplicate_parameter");
}

#[test]
fn embeddings_are_read_in_both_forms() {
    let read = |form, body: &str| {
        let ask = Ask { endpoint: Some(Endpoint::Embeddings), form, ..ask() };
        Gemini.read_request(&ask, body.as_bytes(), &mut Loss::default()).map(|read| super::json(&read))
    };
    let one = r#"{"content":{"parts":[{"text":"a"}]},"outputDimensionality":8}"#;
    let expected = json!({"model":"gemini-3-pro","input":"a","dimensions":8});
    assert_eq!(read(Form::Usual, one), Ok(expected));
    let two = r#"{"requests":[{"model":"models/x","content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]}}]}"#;
    assert_eq!(read(Form::Other, two), Ok(json!({"model":"gemini-3-pro","input":["a","b"]})));
    let mixed =
        r#"{"requests":[{"content":{"parts":[{"text":"a"}]},"outputDimensionality":8},{"content":{"parts":[]}}]}"#;
    assert_eq!(read(Form::Other, mixed).unwrap_err().param.unwrap(), "requests[].outputDimensionality");
    let picture = r#"{"content":{"parts":[{"inlineData":{}}]}}"#;
    assert_eq!(read(Form::Usual, picture).unwrap_err().param.unwrap(), "content.parts[0]");
}

/// Policy reads one of them, and nobody says which one Google takes: a bound on the output must not be got past so.
#[test]
fn a_member_in_two_spellings_is_refused() {
    for body in [
        r#"{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"maxOutputTokens":900},"generation_config":{"topK":1}}"#,
        r#"{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"maxOutputTokens":3,"max_output_tokens":900}}"#,
    ] {
        assert_eq!(refused(body).code, Code::DuplicateField, "{body}");
    }
}

#[test]
fn the_budget_that_pays_is_the_gateways_alone() {
    let body = r#"{"contents":[{"parts":[{"text":"x"}]}],"pool":"team"}"#;
    let (neutral, lost) = read(body);
    assert_eq!((neutral["pool"].as_str(), lost), (Some("team"), Vec::new()));
    let sent = Gemini.splice_request(&to("gemini-3-pro"), body.as_bytes());
    assert_eq!(json(&sent), json(br#"{"contents":[{"parts":[{"text":"x"}]}]}"#));
}

/// Google shows no thoughts unless it is asked to: only where some are made does it say something.
#[test]
fn that_no_thoughts_are_shown_is_lost_where_some_are_made() {
    for (config, wanted) in [
        (r#"{"includeThoughts":false}"#, false),
        (r#"{"includeThoughts":false,"thinkingBudget":0}"#, false),
        (r#"{"includeThoughts":false,"thinkingBudget":-1}"#, true),
        (r#"{"includeThoughts":false,"thinkingBudget":2048}"#, true),
        (r#"{"includeThoughts":false,"thinkingLevel":"LOW"}"#, true),
        (r#"{"includeThoughts":true,"thinkingLevel":"LOW"}"#, false),
    ] {
        let body = format!(
            r#"{{"contents":[{{"parts":[{{"text":"x"}}]}}],"generationConfig":{{"thinkingConfig":{config}}}}}"#
        );
        let (_, lost) = read(&body);
        assert_eq!(lost.iter().any(|lost| lost.contains("includeThoughts")), wanted, "{config} {lost:?}");
    }
}

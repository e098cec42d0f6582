//! What servers say of their models is read as far as it can be believed.

use hoosh_core::probe::{read_list, Facts, Listed, Server};
use proptest::prelude::*;

fn show(body: &str) -> Facts {
    Server::Ollama.read(body.as_bytes())
}

fn props(body: &str) -> Facts {
    Server::LlamaCpp.read(body.as_bytes())
}

const SHOWN: &str = r#"{
    "license": "a licence", "modelfile": "FROM x", "template": "{{ .Prompt }}",
    "parameters": "stop                           \"<|eot_id|>\"\nnum_keep                       24",
    "details": {"parent_model": "", "format": "gguf", "family": "llama", "families": ["llama"],
        "parameter_size": "8.0B", "quantization_level": "Q4_K_M"},
    "model_info": {"general.architecture": "llama", "general.file_type": 15, "llama.attention.head_count": 32,
        "llama.context_length": 131072, "llama.embedding_length": 4096, "tokenizer.ggml.tokens": null},
    "capabilities": ["completion", "tools"], "modified_at": "2025-01-01T00:00:00Z"
}"#;

#[test]
fn ollama_tells_of_one_model() {
    let wanted = Facts {
        context: Some(131_072),
        quantization: Some("Q4_K_M".into()),
        chat: Some(true),
        tools: Some(true),
        vision: Some(false),
        reasoning: Some(false),
        ..Facts::default()
    };
    assert_eq!(show(SHOWN), wanted);
    // Vectors are made with any model, and one for vectors alone neither chats nor calls.
    let vectors = show(&SHOWN.replace(r#"["completion", "tools"]"#, r#"["embedding"]"#));
    assert_eq!((vectors.chat, vectors.tools, vectors.embeddings), (Some(false), Some(false), Some(true)));
    let all = show(&SHOWN.replace(r#"["completion", "tools"]"#, r#"["completion","vision","thinking","audio","new"]"#));
    assert_eq!((all.vision, all.reasoning, all.audio, all.tools), (Some(true), Some(true), Some(true), Some(false)));
}

#[test]
fn a_context_that_ollama_loads_it_with_is_the_one_that_counts() {
    let with = |parameters: &str| show(&SHOWN.replace("num_keep                       24", parameters)).context;
    assert_eq!(with("num_ctx                        4096"), Some(4096));
    assert_eq!(with(r"num_ctx\t8192\nnum_keep 4"), Some(8192));
    for nonsense in
        ["num_ctx", "num_ctx -1", "num_ctx 0", "num_ctx 1e9", "num_ctxs 4096", "num_ctx 99999999999999999999"]
    {
        assert_eq!(with(nonsense), Some(131_072), "{nonsense}");
    }
    assert_eq!(with("num_ctx 1000000"), Some(131_072), "no more than the model has");
}

#[test]
fn what_cannot_be_is_not_known() {
    for context in
        ["-1", "0", "1", "63", "100000001", "1e300", "18446744073709551616", "4096.5", "\"4096\"", "null", "[4096]"]
    {
        let facts = show(&SHOWN.replace("131072", context));
        assert_eq!((facts.context, facts.tools), (None, Some(true)), "{context}: and the rest is as it was");
        let settings = format!(r#"{{"default_generation_settings":{{"n_ctx":{context}}}}}"#);
        assert_eq!(props(&settings), Facts::default(), "{context}");
        let list = format!(r#"{{"data":[{{"id":"a","owned_by":"vllm","max_model_len":{context}}}]}}"#);
        assert_eq!(read_list(list.as_bytes()).facts, [], "{context}");
    }
    for abilities in ["[]", "{}", "null", "7", "\"completion\"", "[\"insert\"]", "[[\"completion\"]]", "[1,true]"] {
        let facts = show(&SHOWN.replace(r#"["completion", "tools"]"#, abilities));
        assert_eq!((facts.chat, facts.tools, facts.embeddings), (None, None, None), "{abilities}");
    }
    for name in ["\"\"", "\"unknown\"", "\"Q4 K\"", "\"a\\nb\"", "4", &format!("\"{}\"", "Q".repeat(33))] {
        assert_eq!(show(&SHOWN.replace("\"Q4_K_M\"", name)).quantization, None, "{name}");
    }
    assert_eq!(show(&SHOWN.replace("\"llama\", \"general", "7, \"general")).context, None, "without an architecture");
    let long = format!("{}{}", SHOWN, " ".repeat(2 << 20));
    for body in ["", "null", "[]", "7", "<html>", "{", "{\"model_info\":", &"[".repeat(10_000), &long] {
        assert_eq!((show(body), props(body)), (Facts::default(), Facts::default()));
        assert_eq!(Server::Vllm.read(body.as_bytes()), Facts::default());
    }
}

#[test]
fn llama_cpp_tells_of_its_model() {
    let body = r#"{"default_generation_settings": {"id": 0, "n_ctx": 8192, "params": {"n_predict": -1}}, "total_slots": 4,
        "model_path": "m.gguf", "chat_template": "x", "chat_template_caps": {"supports_tools": true, "supports_tool_calls": true},
        "modalities": {"vision": false, "audio": true}, "build_info": "b9000"}"#;
    let wanted =
        Facts { context: Some(8192), tools: Some(true), vision: Some(false), audio: Some(true), ..Facts::default() };
    assert_eq!(props(body), wanted);
    let tools = |caps: &str| props(&format!(r#"{{"chat_template_caps":{caps}}}"#)).tools;
    for (caps, wanted) in [
        (r#"{"supports_tools":false,"supports_tool_calls":true}"#, Some(false)),
        (r#"{"supports_tool_calls":true}"#, Some(true)),
        (r#"{"supports_tools":false}"#, Some(false)),
        (r#"{"supports_tools":1,"supports_tool_calls":"no"}"#, None),
        ("{}", None),
        ("[true]", None),
    ] {
        assert_eq!(tools(caps), wanted, "{caps}");
    }
    assert_eq!(props(r#"{"modalities":["vision"]}"#), Facts::default());
}

#[test]
fn lists_tell_more_than_names() {
    let vllm = r#"{"object":"list","data":[{"id":"a","object":"model","created":1,"owned_by":"vllm","root":"a","parent":null,
        "max_model_len":32768,"permission":[]},{"id":"b","owned_by":"vllm"}]}"#;
    let context = Facts { context: Some(32_768), ..Facts::default() };
    let wanted =
        Listed { models: vec!["a".into(), "b".into()], server: Some(Server::Vllm), facts: vec![context.named("a")] };
    assert_eq!(read_list(vllm.as_bytes()), wanted);
    let llamacpp = r#"{"data":[{"id":"m.gguf","owned_by":"llamacpp","meta":{"vocab_type":2,"n_vocab":128256,
        "n_ctx_train":131072,"n_embd":4096,"n_params":8030261312,"size":4912898304}}]}"#;
    let listed = read_list(llamacpp.as_bytes());
    let weights = Facts { memory_bytes: Some(4_912_898_304), ..Facts::default() };
    assert_eq!((listed.server, listed.facts), (Some(Server::LlamaCpp), vec![weights.named("m.gguf")]));
    for meta in ["null", "7", "[]", r#"{"size":-1}"#, r#"{"size":0}"#, r#"{"size":1e18}"#] {
        let list = format!(r#"{{"data":[{{"id":"a","meta":{meta}}}]}}"#);
        assert_eq!(read_list(list.as_bytes()).facts, [], "{meta}");
    }
    let google = r#"{"models":[{"name":"models/a","version":"1"},{"name":"tunedModels/b"}],"nextPageToken":"x"}"#;
    assert_eq!(read_list(google.as_bytes()).models, ["a", "tunedModels/b"]);
    let ollama = r#"{"models":[{"name":"a:latest","model":"a:latest","size":1}]}"#;
    assert_eq!(read_list(ollama.as_bytes()).models, ["a:latest"]);
    for body in ["", "[]", "{}", r#"{"data":{}}"#, r#"{"data":[7,null,[],{"id":7},{"id":""},{"name":"a"}]}"#] {
        assert_eq!(read_list(body.as_bytes()), Listed::default(), "{body}");
    }
}

#[test]
fn whom_to_ask_is_known_by_type_or_by_list() {
    let listed = |owner: &str| read_list(format!(r#"{{"data":[{{"id":"a","owned_by":"{owner}"}}]}}"#).as_bytes());
    for (type_name, owner, wanted) in [
        ("ollama", "somebody", Some(Server::Ollama)),
        ("llamacpp", "vllm", Some(Server::LlamaCpp)),
        ("vllm", "", Some(Server::Vllm)),
        ("openai_compatible", "library", Some(Server::Ollama)),
        ("openai_compatible", "llamacpp", Some(Server::LlamaCpp)),
        ("lmstudio", "vllm", Some(Server::Vllm)),
        ("openai_compatible", "system", None),
        // A remote service is never taken for another.
        ("openai", "library", None),
        ("openrouter", "vllm", None),
        ("engine_of_mine", "vllm", None),
    ] {
        assert_eq!(Server::of(type_name, &listed(owner)), wanted, "{type_name} {owner}");
    }
    assert!(Server::is_type("ollama") && !Server::is_type("openai_compatible") && !Server::is_type("openai"));
    let (method, path, body) = Server::Ollama.question("a\"b").unwrap();
    assert_eq!((method, path, &body[..]), ("POST", "/api/show", &br#"{"model":"a\"b"}"#[..]));
    assert_eq!(Server::LlamaCpp.question("a").unwrap(), ("GET", "/props", bytes::Bytes::new()));
    assert!(Server::Vllm.question("a").is_none());
}

proptest! {
    #[test]
    fn no_answer_can_do_harm(noise in "\\PC{0,40}", at in 0..600_usize, number in any::<i64>()) {
        let mut text = SHOWN.replace("131072", &number.to_string());
        if text.is_char_boundary(at) {
            text.insert_str(at, &noise);
        }
        for server in [Server::Ollama, Server::LlamaCpp, Server::Vllm] {
            let facts = server.read(text.as_bytes());
            prop_assert!(facts.context.is_none_or(|tokens| (64..=100_000_000).contains(&tokens)));
        }
        prop_assert!(read_list(text.as_bytes()).models.is_empty());
    }
}

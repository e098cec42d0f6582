use serde_json::{json, Value};

use super::super::show::{asked_model, loaded, show, version, Known, VERSION};
use super::super::Ollama;
use crate::dialects::{Model, Protocol};

fn model(id: &str) -> Model {
    Model { id: id.into(), owner: "one".into() }
}

fn said(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

#[test]
fn a_list_has_what_clients_read() {
    let details = json!({"parent_model": "", "format": "", "family": "", "families": [], "parameter_size": "", "quantization_level": ""});
    let digest = blake3::hash(b"llama3").to_hex().to_string();
    let one = json!({"name": "llama3", "model": "llama3", "size": 0, "digest": digest, "details": details, "modified_at": "1970-01-01T00:00:00Z"});
    assert_eq!(said(&Ollama.models_body(&[model("llama3")])), json!({"models": [one]}));
    assert_eq!(said(&Ollama.model_body(&model("llama3"))), one);
    assert_eq!(said(&Ollama.models_body(&[])), json!({"models": []}));
}

#[test]
fn models_in_memory_have_what_clients_read() {
    let known = Known {
        name: "m".into(),
        context_length: Some(4096),
        quantization: Some("Q4_K_M".into()),
        size: 5,
        size_vram: 4,
        ..Known::default()
    };
    let told = &said(&loaded(&[known], 1_764_251_706))["models"][0];
    assert_eq!((&told["context_length"], &told["size"], &told["size_vram"]), (&json!(4096), &json!(5), &json!(4)));
    assert_eq!(
        (&told["expires_at"], &told["details"]["quantization_level"]),
        (&json!("2025-11-27T13:55:06Z"), &json!("Q4_K_M"))
    );
    assert_eq!(said(&loaded(&[], 0)), json!({"models": []}));
}

#[test]
fn one_model_is_shown() {
    let known = Known { context_length: Some(8192), capabilities: vec!["completion", "tools"], ..Known::default() };
    let shown = said(&show(&known));
    assert_eq!(shown["capabilities"], json!(["completion", "tools"]));
    let architecture = shown["model_info"]["general.architecture"].as_str().unwrap();
    assert_eq!(shown["model_info"][format!("{architecture}.context_length")], 8192);
    let bare = said(&show(&Known::default()));
    assert_eq!(bare["model_info"].as_object().unwrap().len(), 2, "what is not known is not said: {bare}");
    assert_eq!(said(&version()), json!({"version": VERSION}));
}

#[test]
fn a_model_is_asked_for_by_either_name() {
    assert_eq!(asked_model(br#"{"model":"a"}"#), Ok("a".into()));
    assert_eq!(asked_model(br#"{"name":"b","model":""}"#), Ok("b".into()));
    assert_eq!(asked_model(b"{}").unwrap_err().param.as_deref(), Some("model"));
    assert!(asked_model(b"[").is_err());
}

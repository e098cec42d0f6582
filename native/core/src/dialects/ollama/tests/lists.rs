use serde_json::{json, Value};

use super::super::models::{
    asked_model, asked_progress, means, ps, show, tags, version, Details, Listed, Running, Shown,
};

fn model() -> Listed {
    let details = Details { family: "llama".into(), parameter_size: "8.0B".into(), ..Details::default() };
    Listed {
        name: "llama3:latest".into(),
        modified: 1_764_251_706,
        size: 5,
        digest: Some("0123456789abcdef".into()),
        details,
    }
}

fn said(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

#[test]
fn a_list_has_what_clients_read() {
    let details = json!({"parent_model": "", "format": "", "family": "llama", "families": ["llama"], "parameter_size": "8.0B", "quantization_level": ""});
    assert_eq!(
        said(&tags(&[model()])),
        json!({"models": [{"name": "llama3:latest", "model": "llama3:latest", "size": 5, "digest": "0123456789abcdef", "details": details,
            "modified_at": "2025-11-27T13:55:06Z"}]})
    );
    assert_eq!(said(&tags(&[])), json!({"models": []}));
    let running = Running { model: model(), expires: 0, size_vram: 4, context_length: 4096 };
    let running = &said(&ps(&[running]))["models"][0];
    assert_eq!((&running["context_length"], &running["size_vram"]), (&json!(4096), &json!(4)));
    assert_eq!(running["expires_at"], "1970-01-01T00:00:00Z");
}

#[test]
fn a_digest_that_nobody_knows_is_as_long_as_clients_expect() {
    let unknown = Listed { digest: None, ..model() };
    let digest = said(&tags(&[unknown]))["models"][0]["digest"].as_str().unwrap().to_owned();
    assert_eq!(digest.len(), 64);
}

#[test]
fn one_model_is_shown() {
    let shown = Shown { model: model(), capabilities: vec!["completion", "tools"], context_length: Some(8192) };
    let shown = said(&show(&shown));
    assert_eq!(shown["capabilities"], json!(["completion", "tools"]));
    assert_eq!(shown["model_info"]["general.architecture"], "llama");
    assert_eq!(shown["model_info"]["llama.context_length"], 8192);
    let bare = said(&show(&Shown::default()));
    assert_eq!(bare["model_info"]["general.architecture"], "unknown");
    assert_eq!(said(&version("0.12.6")), json!({"version": "0.12.6"}));
}

#[test]
fn a_model_is_asked_for_by_either_name() {
    assert_eq!(asked_model(br#"{"model":"a"}"#), Ok("a".into()));
    assert_eq!(asked_model(br#"{"name":"b","model":""}"#), Ok("b".into()));
    assert_eq!(asked_model(b"{}").unwrap_err().param.as_deref(), Some("model"));
    assert!(asked_model(b"[").is_err());
    assert!(asked_progress(br#"{"model":"a"}"#) && asked_progress(b"x"));
    assert!(!asked_progress(br#"{"model":"a","stream":false}"#));
    assert!(means("llama3:latest", "llama3") && means("a:7b", "a:7b") && !means("a:7b", "a"));
}

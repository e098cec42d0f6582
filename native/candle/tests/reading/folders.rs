//! Models in folders: every file of one is hostile until it is checked.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::Device;
use hoosh_candle::encoder::{Config, Encoder, Recipe};
use hoosh_candle::folder::ModelFolder;
use hoosh_candle::text::framed::FramedTokenizer;
use proptest::prelude::*;

use crate::memory::most_of;

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// A folder that is removed in the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Folder {
    fn new() -> Folder {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("hoosh-folder-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    /// The small BERT of the fixtures.
    fn bert() -> Folder {
        let folder = Folder::new();
        for name in ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"] {
            folder.write(name, &fixture(name));
        }
        folder
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn load(&self) -> Result<Encoder, String> {
        let folder = ModelFolder::open(&self.0).map_err(|error| error.to_string())?;
        Encoder::load(&folder, &Device::Cpu, &mut |_| {}).map_err(|error| error.to_string())
    }

    fn recipe(&self) -> Result<Recipe, String> {
        let folder = ModelFolder::open(&self.0).map_err(|error| error.to_string())?;
        let config = Config::of(&folder).map_err(|error| error.to_string())?;
        Recipe::of(&folder, &config, &Device::Cpu).map_err(|error| error.to_string())
    }
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/encoders/bert").join(name)).unwrap()
}

fn header(text: &str, data: usize) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes(), &vec![0; data]].concat()
}

#[test]
fn weights_that_claim_what_is_not_there_are_refused() {
    let tensor = |shape: &str, from: u64, to: u64| {
        format!(
            r#"{{"embeddings.word_embeddings.weight":{{"dtype":"F32","shape":{shape},"data_offsets":[{from},{to}]}}}}"#
        )
    };
    let whole = fixture("model.safetensors");
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("short", vec![1, 2, 3]),
        ("endless header", u64::MAX.to_le_bytes().to_vec()),
        ("header beyond the end", [&90_000_000u64.to_le_bytes()[..], b"{}"].concat()),
        ("no JSON", header("[]]", 0)),
        ("not there", header(&tensor("[1000000,1000000]", 0, 4_000_000_000_000), 64)),
        ("overflow", header(&tensor("[4294967296,4294967296,4294967296]", 0, 64), 64)),
        ("offsets backwards", header(&tensor("[4]", 32, 16), 64)),
        ("offsets that are not the shape's", header(&tensor("[4]", 0, 64), 64)),
        ("a gap", header(&tensor("[4]", 16, 32), 32)),
        ("half of it", whole[..whole.len() / 2].to_vec()),
        ("one byte less", whole[..whole.len() - 1].to_vec()),
        ("a pointer of Git LFS", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n".to_vec()),
    ];
    for (what, bytes) in cases {
        let folder = Folder::bert();
        folder.write("model.safetensors", &bytes);
        let mut said = String::new();
        let most = most_of(|| said = folder.load().err().unwrap_or_default());
        assert!(said.contains("model.safetensors cannot be read"), "{what}: {said}");
        assert!(most < 256 * 1024, "{what}: {most} bytes for an error");
    }
}

#[test]
fn a_shape_that_the_weights_do_not_have_is_refused_before_it_is_taken() {
    for (field, value) in
        [("vocab_size", 16_000_000), ("max_position_embeddings", 1_000_000), ("intermediate_size", 49)]
    {
        let folder = Folder::bert();
        let config = String::from_utf8(fixture("config.json")).unwrap();
        let mut config: serde_json::Value = serde_json::from_str(&config).unwrap();
        config[field] = value.into();
        folder.write("config.json", config.to_string().as_bytes());
        let mut said = String::new();
        let most = most_of(|| said = folder.load().err().unwrap_or_default());
        assert!(said.contains("should have the shape"), "{field}: {said}");
        assert!(most < 1024 * 1024, "{field}: {most}");
    }
    for wrong in [r#"{"model_type":"bert"}"#, "{", "[]", r#"{"model_type":7}"#, r#"{"model_type":"gpt_neox"}"#] {
        let folder = Folder::bert();
        folder.write("config.json", wrong.as_bytes());
        assert!(folder.load().is_err(), "{wrong}");
    }
    for (field, value) in
        [("num_hidden_layers", -1.0), ("hidden_size", 0.0), ("num_attention_heads", 0.0), ("num_hidden_layers", 1e6)]
    {
        let folder = Folder::bert();
        let mut config: serde_json::Value = serde_json::from_slice(&fixture("config.json")).unwrap();
        config[field] = serde_json::json!(value as i64);
        folder.write("config.json", config.to_string().as_bytes());
        assert!(folder.load().is_err(), "{field} {value}");
    }
}

#[test]
fn names_do_not_lead_out_of_the_folder() {
    let folder = Folder::bert();
    fs::remove_file(folder.0.join("model.safetensors")).unwrap();
    for name in ["../model.safetensors", "/etc/passwd", "", "a/../../b"] {
        let list = serde_json::json!({"weight_map": {"embeddings.word_embeddings.weight": name}});
        folder.write("model.safetensors.index.json", list.to_string().as_bytes());
        let said = folder.load().err().unwrap();
        assert!(said.contains("outside"), "{name}: {said}");
    }
    let many: serde_json::Map<_, _> = (0..2000).map(|n| (n.to_string(), format!("{n}.safetensors").into())).collect();
    folder.write("model.safetensors.index.json", serde_json::json!({ "weight_map": many }).to_string().as_bytes());
    assert!(folder.load().err().unwrap().contains("2000 files"));
    let folder = Folder::bert();
    folder.write("modules.json", br#"[{"type":"x.Pooling","path":"../elsewhere"}]"#);
    assert!(folder.recipe().err().unwrap().contains("outside"));
}

#[test]
fn a_small_file_that_is_none_is_refused() {
    let folder = Folder::bert();
    folder.write("modules.json", &vec![b' '; (1 << 20) + 1]);
    assert!(folder.recipe().err().unwrap().contains("larger than"));
    let folder = Folder::bert();
    fs::remove_file(folder.0.join("config.json")).unwrap();
    fs::create_dir(folder.0.join("config.json")).unwrap();
    assert!(folder.load().err().unwrap().contains("no regular file"));
}

#[test]
fn what_a_model_wants_done_and_is_not_known_is_refused() {
    let pooling = |text: &str| {
        let folder = Folder::bert();
        folder
            .write("modules.json", br#"[{"type":"a.Transformer","path":""},{"type":"a.Pooling","path":"1_Pooling"}]"#);
        folder.write("1_Pooling/config.json", text.as_bytes());
        folder.recipe().map(|recipe| recipe.dimensions())
    };
    // As older releases wrote it, and newer ones do.
    for (text, dimensions) in [
        (r#"{"word_embedding_dimension":32,"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":false}"#, 32),
        (r#"{"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":true,"pooling_mode_max_tokens":true}"#, 96),
        (r#"{"pooling_mode":"lasttoken"}"#, 32),
        (r#"{"pooling_mode":["max","mean"]}"#, 64),
        ("{}", 32),
    ] {
        assert_eq!(pooling(text), Ok(dimensions), "{text}");
    }
    for text in [r#"{"pooling_mode":"median"}"#, r#"{"pooling_mode":[]}"#, r#"{"pooling_mode":7}"#, "[", ""] {
        assert!(pooling(text).is_err(), "{text}");
    }
    for module in ["a.WeightedLayerPooling", "a.LSTM", ""] {
        let folder = Folder::bert();
        folder.write("modules.json", serde_json::json!([{"type": module, "path": "1"}]).to_string().as_bytes());
        assert!(folder.recipe().err().unwrap().contains("not supported"), "{module}");
    }
    let folder = Folder::bert();
    folder.write("modules.json", br#"[{"type":"a.Dense","path":"2_Dense"}]"#);
    folder.write("2_Dense/config.json", br#"{"in_features":99999999,"out_features":99999999,"bias":true}"#);
    assert!(folder.recipe().err().unwrap().contains("takes vectors of"));
}

#[test]
fn lengths_and_prompts_are_the_models_own() {
    let folder = Folder::bert();
    assert_eq!(folder.recipe().unwrap().max_tokens, 40, "of tokenizer_config.json");
    folder.write("sentence_bert_config.json", br#"{"max_seq_length":24,"do_lower_case":true}"#);
    folder
        .write("config_sentence_transformers.json", br#"{"prompts":{"query":"Find: "},"default_prompt_name":"query"}"#);
    let recipe = folder.recipe().unwrap();
    assert_eq!((recipe.max_tokens, recipe.text("ÄB")), (24, "find: äb".into()));
    folder.write("sentence_bert_config.json", br#"{"max_seq_length":null}"#);
    folder.write("tokenizer_config.json", br#"{"model_max_length":1000000000000000019884624838656}"#);
    let recipe = folder.recipe().unwrap();
    assert_eq!((recipe.max_tokens, recipe.text("ÄB")), (48, "Find: ÄB".into()), "the table of positions");
}

#[test]
fn texts_are_framed_and_cut_as_the_file_says() {
    let tokenizer = FramedTokenizer::from_json(&fixture("tokenizer.json")).unwrap();
    let tokens = tokenizer.encode("hello world").unwrap();
    assert_eq!((tokens.len(), tokens[0], tokens[3], tokenizer.least()), (4, 2, 3, 3));
    // The file itself would cut at 12 and fill up to 16.
    assert_eq!(tokenizer.encode(&"hello ".repeat(30)).unwrap().len(), 32);
    for most in 3..40 {
        let cut = tokenizer.cut(tokenizer.encode(&"hello ".repeat(30)).unwrap(), most);
        assert_eq!((cut.len(), cut[0], *cut.last().unwrap()), (most.min(32), 2, 3), "{most}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn damage_is_an_error_or_another_model(
        name in prop_oneof![Just("config.json"), Just("model.safetensors"), Just("tokenizer_config.json")],
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        header_only in any::<bool>(),
    ) {
        let folder = Folder::bert();
        let mut bytes = fixture(name);
        let most = if header_only { bytes.len().min(4000) } else { bytes.len() };
        for (at, byte) in changes {
            let at = at.index(most);
            bytes[at] = byte;
        }
        folder.write(name, &bytes);
        let taken = most_of(|| {
            if let Ok(encoder) = folder.load() {
                let _ = encoder.embed(&[&[2, 50, 3]], &|| false);
            }
        });
        // Weights twice, and what reading the header takes.
        prop_assert!(taken < 4 << 20, "{taken} bytes");
    }

    #[test]
    fn a_damaged_vocabulary_is_an_error_or_another_vocabulary(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = fixture("tokenizer.json");
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(tokenizer) = FramedTokenizer::from_json(&bytes) {
            let tokens = tokenizer.encode("hello world [SEP] é").unwrap_or_default();
            prop_assert!(tokenizer.cut(tokens, 4).len() <= 4);
        }
    }
}

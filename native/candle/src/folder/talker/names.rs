//! How tensors are called in GGUF that Hugging Face calls otherwise.

/// Of the whole model.
const WHOLE: [(&str, &str); 3] =
    [("model.embed_tokens", "token_embd"), ("model.norm", "output_norm"), ("lm_head", "output")];

/// Of a layer.
const OF_LAYER: [(&str, &str); 13] = [
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.qkv_proj", "attn_qkv"),
    ("self_attn.o_proj", "attn_output"),
    ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_norm", "attn_k_norm"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.gate_up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
    ("input_layernorm", "attn_norm"),
    ("post_attention_layernorm", "ffn_norm"),
];

/// The name of the tensor `name` in GGUF. `None`: it is not needed. `Err`: the model has a part that is not known, without
/// which it would be another.
pub(super) fn told(name: &str) -> Result<Option<String>, &'static str> {
    let unknown = "belongs to no kind of model that is known in safetensors";
    let (module, kind) = name.rsplit_once('.').ok_or(unknown)?;
    if kind == "inv_freq" {
        // Speeds of turning, which follow from config.json.
        return Ok(None);
    }
    let known = |table: &[(&str, &str)], module: &str| {
        table.iter().find(|(theirs, _)| *theirs == module).map(|(_, told)| (*told).to_owned())
    };
    let own = match module.strip_prefix("model.layers.") {
        Some(rest) => {
            let (layer, part) = rest.split_once('.').ok_or(unknown)?;
            let layer: u16 = layer.parse().map_err(|_| unknown)?;
            known(&OF_LAYER, part).map(|part| format!("blk.{layer}.{part}"))
        }
        None => known(&WHOLE, module),
    };
    match (own, kind) {
        (Some(own), "weight" | "bias") => Ok(Some(format!("{own}.{kind}"))),
        _ => Err(unknown),
    }
}

/// Whether the tensor that GGUF calls `told` is a norm's weight.
pub(super) fn is_norm(told: &str) -> bool {
    told.ends_with("_norm.weight")
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn names_are_told_or_refused() {
        for (theirs, wanted) in [
            ("model.embed_tokens.weight", Some("token_embd.weight")),
            ("lm_head.weight", Some("output.weight")),
            ("model.layers.11.self_attn.q_proj.bias", Some("blk.11.attn_q.bias")),
            ("model.layers.0.mlp.gate_up_proj.weight", Some("blk.0.ffn_up.weight")),
            ("model.layers.0.self_attn.rotary_emb.inv_freq", None),
        ] {
            assert_eq!(told(theirs), Ok(wanted.map(str::to_owned)), "{theirs}");
        }
        for strange in [
            "x",
            "model.layers.0.mlp.experts.0.gate_proj.weight",
            "model.layers.70000.mlp.up_proj.weight",
            "model.layers.0",
            "model.norm.scale",
        ] {
            assert!(told(strange).is_err(), "{strange}");
        }
    }
}

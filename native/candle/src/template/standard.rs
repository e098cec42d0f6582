//! What stands in where a model brings no template, and tags that only `transformers` knows.

use crate::text::Tokenizer;

/// The form that most models without one were trained on, or understand.
const CHATML: &str = "\
{%- for message in messages -%}
{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- endfor -%}
{{ '<|im_start|>assistant\\n' }}";

/// For vocabularies without control tokens for turns.
const PLAIN: &str = "\
{%- for message in messages -%}
{%- if message.role == 'system' -%}{{ message.content }}{{ '\\n\\n' }}
{%- elif message.role == 'assistant' -%}Assistant: {{ message.content }}{{ '\\n' }}
{%- else -%}User: {{ message.content }}{{ '\\n' }}
{%- endif -%}
{%- endfor -%}
Assistant:";

/// The template for a model without one.
pub(super) fn form(tokenizer: &Tokenizer) -> &'static str {
    let knows = |text| tokenizer.special(text).is_some();
    if knows("<|im_start|>") && knows("<|im_end|>") {
        CHATML
    } else {
        PLAIN
    }
}

/// `source` with the tag `generation`, which tells trainers where answers are, as a block that is always taken.
pub(super) fn known_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("{%") {
        let Some(length) = rest[at..].find("%}") else { break };
        let (before, tag) = (&rest[..at], &rest[at..at + length]);
        out.push_str(before);
        let name = tag[2..].trim_matches(|letter: char| matches!(letter, '-' | '+') || letter.is_whitespace());
        match name {
            "generation" => out.push_str(&tag.replace("generation", "if true")),
            "endgeneration" => out.push_str(&tag.replace("endgeneration", "endif")),
            _ => out.push_str(tag),
        }
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    out
}

//! The fields of a request and what becomes of each across dialects: its name, the neutral field ("": none), a note. The
//! tables in the documentation are made of these.

/// A row: field, neutral field, note.
pub type Row = (&'static str, &'static str, &'static str);

/// Of a `generateContent` request.
pub const REQUEST_FIELDS: &[Row] = &[
    ("model", "model", "the path's counts more"),
    ("contents", "messages", "ids of calls are made of place and name where there are none"),
    ("systemInstruction", "messages", "a message of role system"),
    ("tools", "tools", "functions; what Google runs itself goes to Google alone"),
    ("toolConfig", "tool_choice", "functionCallingConfig alone"),
    ("safetySettings", "safety_settings", "for Gemini alone"),
    ("generationConfig", "", "see its own table"),
    ("labels", "metadata", ""),
    ("serviceTier", "service_tier", "standard is default"),
    ("store", "store", ""),
    ("cachedContent", "", "a cache that only Google holds"),
    ("continuationToken", "", "only Google can go on from it"),
    ("automaticFunctionCalling", "", "the client library's own affair"),
];

/// Of its `generationConfig`.
pub const CONFIG_FIELDS: &[Row] = &[
    ("temperature", "temperature", ""),
    ("topP", "top_p", ""),
    ("topK", "top_k", ""),
    ("candidateCount", "n", ""),
    ("maxOutputTokens", "max_tokens", ""),
    ("stopSequences", "stop", ""),
    ("responseLogprobs", "logprobs", ""),
    ("logprobs", "top_logprobs", ""),
    ("presencePenalty", "presence_penalty", ""),
    ("frequencyPenalty", "frequency_penalty", ""),
    ("seed", "seed", ""),
    ("responseMimeType", "response_format", "application/json; a word of text/x.enum comes in quotes"),
    ("responseSchema", "response_format", "as JSON Schema"),
    ("responseJsonSchema", "response_format", ""),
    ("responseModalities", "modalities", ""),
    ("thinkingConfig", "thinking", "a level is reasoning_effort"),
    ("speechConfig", "", "voices are each provider's own"),
    ("imageConfig", "", "no other protocol has it"),
    ("mediaResolution", "", "no other protocol has it for all parts"),
    ("audioTimestamp", "", "no other protocol has it"),
    ("enableEnhancedCivicAnswers", "", "no other protocol has it"),
    ("enableAffectiveDialog", "", "no other protocol has it"),
    ("modelSelectionConfig", "", "the gateway chooses models"),
    ("routingConfig", "", "the gateway chooses models"),
    ("audioTranscriptionConfig", "", "no other protocol has it"),
    ("translationConfig", "", "no other protocol has it"),
    ("responseFormat", "", "no other protocol has this form of it"),
];

/// Of an embedding.
pub const EMBED_FIELDS: &[Row] = &[
    ("model", "model", "the path's counts more"),
    ("content", "input", "text alone"),
    ("outputDimensionality", "dimensions", ""),
    ("taskType", "", "no other protocol has it"),
    ("title", "", "no other protocol has it"),
    ("embedContentConfig", "", "no other protocol has it"),
];

/// Why a field is not carried.
pub(super) fn note(table: &'static [Row], name: &str) -> &'static str {
    table.iter().find(|(field, ..)| *field == name).map_or("unknown", |(_, _, note)| note)
}

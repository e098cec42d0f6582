//! The fields of a request and what becomes of each across dialects: its name, the neutral field ("": none), a note. The
//! tables in the documentation are made of these.

use crate::dialects::Places;

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

/// How callers write what the neutral request has: see [`Places`].
pub(super) const PLACES: Places = &[
    ("messages", "contents"),
    ("messages[].role:system", "systemInstruction"),
    ("messages[].content", "contents[].parts"),
    ("messages[].content[].image_url", "contents[].parts[].inlineData|contents[].parts[].fileData"),
    ("messages[].content[].input_audio", "contents[].parts[].inlineData|contents[].parts[].fileData"),
    ("messages[].content[].file", "contents[].parts[].inlineData|contents[].parts[].fileData"),
    ("messages[].reasoning_content", "contents[].parts[].thought"),
    ("messages[].thoughts", "contents[].parts[].thoughtSignature"),
    ("messages[].tool_calls[]", "contents[].parts[].functionCall"),
    ("messages[].tool_calls[].extra_content", "contents[].parts[].thoughtSignature"),
    ("messages[].tool_calls[].function.arguments", "contents[].parts[].functionCall.args"),
    ("messages[].tool_call_id", "contents[].parts[].functionResponse.id"),
    ("messages[].is_error", "contents[].parts[].functionResponse.response.error"),
    ("tools[].function", "tools[].functionDeclarations[]"),
    (
        "tools[].function.parameters",
        "tools[].functionDeclarations[].parametersJsonSchema|tools[].functionDeclarations[].parameters",
    ),
    ("tool_choice", "toolConfig.functionCallingConfig"),
    ("tool_choice.allowed_tools", "toolConfig.functionCallingConfig.allowedFunctionNames"),
    ("safety_settings", "safetySettings"),
    ("metadata", "labels"),
    ("service_tier", "serviceTier"),
    ("temperature", "generationConfig.temperature"),
    ("top_p", "generationConfig.topP"),
    ("top_k", "generationConfig.topK"),
    ("n", "generationConfig.candidateCount"),
    ("max_tokens", "generationConfig.maxOutputTokens"),
    ("stop", "generationConfig.stopSequences"),
    ("logprobs", "generationConfig.responseLogprobs"),
    ("top_logprobs", "generationConfig.logprobs"),
    ("presence_penalty", "generationConfig.presencePenalty"),
    ("frequency_penalty", "generationConfig.frequencyPenalty"),
    ("seed", "generationConfig.seed"),
    ("response_format", "generationConfig.responseMimeType"),
    ("response_format.json_schema", "generationConfig.responseJsonSchema|generationConfig.responseSchema"),
    ("response_format.json_schema.schema", "generationConfig.responseJsonSchema|generationConfig.responseSchema"),
    ("modalities", "generationConfig.responseModalities"),
    ("thinking", "generationConfig.thinkingConfig"),
    ("thinking.budget_tokens", "generationConfig.thinkingConfig.thinkingBudget"),
    ("reasoning_effort", "generationConfig.thinkingConfig.thinkingLevel"),
    ("input", "content"),
    ("dimensions", "outputDimensionality"),
];

/// Why a field is not carried.
pub(super) fn note(table: &'static [Row], name: &str) -> &'static str {
    table.iter().find(|(field, ..)| *field == name).map_or("unknown", |(_, _, note)| note)
}

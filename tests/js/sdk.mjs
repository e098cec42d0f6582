// The official OpenAI SDK for JavaScript, unmodified, through the port: a case each. One asserts what the SDK gives,
// and returns what the upstream must have seen, which tests/python/test_js_sdk.py checks.

import assert from "node:assert/strict";

import OpenAI, { toFile } from "openai";

const url = process.argv[3];
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "unused", maxRetries: 0 });
const MESSAGES = [{ role: "user", content: "Say hello" }];
const SAID = "You said: Say hello";
const ASK = { model: "fake-chat", messages: MESSAGES };

function tool(name, property) {
  const parameters = { type: "object", properties: { [property]: { type: "string" } }, required: [property] };
  return { type: "function", function: { name, parameters: { ...parameters, additionalProperties: false }, strict: true } };
}
const TOOLS = [tool("weather", "city"), tool("clock", "zone")];

export async function chat() {
  const answer = await client.chat.completions.create({ ...ASK, n: 2 });
  assert.deepEqual(answer.choices.map((choice) => choice.message.content), [SAID, `${SAID} (1)`]);
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
}

export async function stream() {
  let words = "";
  const usage = [];
  const asking = { ...ASK, stream: true, stream_options: { include_usage: true } };
  for await (const chunk of await client.chat.completions.create(asking)) {
    words += chunk.choices[0]?.delta.content ?? "";
    if (chunk.usage) usage.push(chunk.usage.completion_tokens);
  }
  assert.equal(words, SAID);
  assert.equal(usage.length, 1);
}

export async function stream_helper() {
  const helper = client.chat.completions.stream(ASK);
  let words = "";
  helper.on("content", (piece) => (words += piece));
  assert.equal(await helper.finalContent(), SAID);
  assert.equal(words, SAID);
}

export async function tools() {
  for (const parallel of [true, false]) {
    const asking = { ...ASK, tools: TOOLS, parallel_tool_calls: parallel };
    const { message } = (await client.chat.completions.create(asking)).choices[0];
    assert.deepEqual(message.tool_calls.map((call) => call.function.name), parallel ? ["weather", "clock"] : ["weather"]);
    const streamed = await client.chat.completions.stream(asking).finalMessage();
    assert.deepEqual(streamed.tool_calls.map(plain), message.tool_calls.map(plain));
    const result = { role: "tool", tool_call_id: message.tool_calls[0].id, content: "sunny" };
    const after = await client.chat.completions.create({ ...asking, messages: [...MESSAGES, message, result] });
    assert.equal(after.choices[0].message.content, "The tool said: sunny");
  }
}
const plain = ({ id, function: { name, arguments: given } }) => ({ id, name, given });

export async function structured() {
  const schema = { type: "object", properties: { age: { type: "integer" } }, required: ["age"], additionalProperties: false };
  const format = { type: "json_schema", json_schema: { name: "person", strict: true, schema } };
  const answer = await client.chat.completions.parse({ ...ASK, response_format: format });
  assert.equal(typeof JSON.parse(answer.choices[0].message.content).age, "number");
}

export async function leaving_a_stream() {
  const stream = await client.chat.completions.create({ ...ASK, model: "fake:stall=body,stall_after=3", stream: true });
  for await (const _ of stream) break;
  return { cancelled: true };
}

export async function aborting_a_stream() {
  const stream = await client.chat.completions.create({ ...ASK, model: "fake:stall=body,stall_after=3", stream: true });
  setTimeout(() => stream.controller.abort(), 1000);
  for await (const _ of stream);
  return { cancelled: true };
}

export async function aborting_by_a_signal() {
  const asking = client.chat.completions.create({ ...ASK, model: "fake:stall=head" }, { signal: AbortSignal.timeout(2000) });
  await assert.rejects(asking, OpenAI.APIUserAbortError);
  return { cancelled: true };
}

export async function its_own_timeout() {
  const asking = client.chat.completions.create({ ...ASK, model: "fake:stall=head" }, { timeout: 2000 });
  await assert.rejects(asking, OpenAI.APIConnectionTimeoutError);
  return { cancelled: true };
}

export async function completions() {
  const asking = { model: "fake-instruct", prompt: ["one", "two"] };
  const answer = await client.completions.create(asking);
  assert.deepEqual(answer.choices.map((choice) => choice.text), [" after: one", " after: two"]);
  const texts = ["", ""];
  for await (const chunk of await client.completions.create({ ...asking, stream: true })) {
    for (const choice of chunk.choices) texts[choice.index] += choice.text;
  }
  assert.deepEqual(texts, [" after: one", " after: two"]);
}

export async function embeddings() {
  const embed = (input, more) => client.embeddings.create({ model: "fake-embed", input, ...more });
  const decoded = await embed(["a", "b"]); // base64 on the wire, of its own accord
  const floats = await embed(["a", "b"], { encoding_format: "float" });
  for (const at of [0, 1]) {
    assert.equal(decoded.data[at].embedding.length, 16);
    decoded.data[at].embedding.forEach((x, i) => assert.ok(Math.abs(x - floats.data[at].embedding[i]) < 1e-6));
  }
  assert.equal((await embed("a", { dimensions: 4 })).data[0].embedding.length, 4);
  assert.equal((await embed([[1, 2, 3], [4]])).data.length, 2);
  assert.equal((await embed([1, 2, 3])).usage.prompt_tokens, 3);
}

export async function models() {
  const listed = [];
  for await (const model of client.models.list()) listed.push(model.id);
  assert.ok(listed.includes("fake-chat"));
  assert.equal((await client.models.retrieve("fake-chat")).id, "fake-chat");
  await assert.rejects(client.models.retrieve("other"), OpenAI.NotFoundError);
}

export async function errors() {
  const fails = async (kind, code, more) => {
    const error = await client.chat.completions.create({ ...ASK, ...more }).then(assert.fail, (error) => error);
    assert.equal(error.constructor, kind, String(error));
    assert.equal(error.code, code);
    assert.ok(error.requestID);
    return error;
  };
  const error = await fails(OpenAI.BadRequestError, "invalid_value", { temperature: 9 });
  assert.deepEqual([error.param, error.type, error.status], ["temperature", "invalid_request_error", 400]);
  await fails(OpenAI.NotFoundError, "model_not_found", { model: "other" });
  await fails(OpenAI.UnprocessableEntityError, null, { model: "fake:status=422" });
  await fails(OpenAI.InternalServerError, "upstream_error", { model: "fake:status=500" });
  await fails(OpenAI.RateLimitError, "upstream_rate_limited", { model: 'fake:status=429,retry_after="0"' });
}

export async function an_error_in_a_stream() {
  const stream = await client.chat.completions.create({ ...ASK, model: "fake:truncate=900", stream: true });
  await assert.rejects(async () => {
    for await (const _ of stream);
  }, { code: "upstream_truncated" });
}

export async function request_ids() {
  const answer = await client.chat.completions.create(ASK);
  assert.ok(answer._request_id);
  const { data, response, request_id: id } = await client.chat.completions.create(ASK).withResponse();
  assert.equal(response.headers.get("x-request-id"), id);
  assert.equal(data._request_id, id);
  const mine = await client.chat.completions.create(ASK, { headers: { "x-request-id": "mine-1" } });
  assert.equal(mine._request_id, "mine-1");
}

// With its own retries on, as they are by default: 3 attempts are the gateway's.
export async function retries_of_500() {
  return retries("fake:status=500");
}
export async function retries_of_429() {
  return retries('fake:status=429,retry_after="0"');
}
export async function retries_of_resets() {
  return retries("fake:reset_after=0");
}
async function retries(model) {
  const as_it_comes = new OpenAI({ baseURL: `${url}/v1`, apiKey: "unused" });
  assert.equal(as_it_comes.maxRetries, 2);
  await assert.rejects(as_it_comes.chat.completions.create({ ...ASK, model }), OpenAI.APIError);
  return { asked: 3 };
}

// --- endpoints that are passed through ---------------------------------------------------------------------------------

export async function moderations() {
  const answer = await client.moderations.create({ model: "fake-moderation", input: "hello" });
  assert.equal(answer.results.length, 1);
}

export async function images() {
  const answer = await client.images.generate({ model: "fake-image", prompt: "a cat", response_format: "b64_json" });
  assert.ok(answer.data[0].b64_json);
}

export async function speech() {
  const response = await client.audio.speech.create({ model: "fake-speech", voice: "alloy", input: "hello" });
  assert.ok((await response.arrayBuffer()).byteLength > 0);
}

export async function transcription() {
  const file = await toFile(Buffer.from("RIFF"), "a.wav");
  assert.equal(typeof (await client.audio.transcriptions.create({ model: "fake-audio", file })).text, "string");
}

export async function files() {
  const file = await toFile(Buffer.from('{"a": 1}\n'), "a.jsonl");
  const made = await client.files.create({ purpose: "batch", file });
  assert.equal((await client.files.retrieve(made.id)).id, made.id);
  const listed = [];
  for await (const each of client.files.list()) listed.push(each.id);
  assert.ok(listed.includes(made.id));
  assert.equal(await (await client.files.content(made.id)).text(), '{"a": 1}\n');
  assert.equal((await client.files.delete(made.id)).deleted, true);
}

// The official SDKs for JavaScript: a tool's round, streamed where the SDK gathers the pieces itself.

import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import { Ollama } from "ollama";
import OpenAI from "openai";
import { MODEL, QUESTION, SHAPE, TEXT, weather } from "./said.mjs";

const USER = { role: "user", content: QUESTION };
const FUNCTION = { name: "weather", description: "The weather.", parameters: SHAPE };
const STREAMED = { asked: 2, result: "sunny in Oslo", streamed: true };

export async function openai_chat(url) {
  const sdk = new OpenAI({ baseURL: `${url}/v1`, apiKey: "unused", maxRetries: 0 });
  const tools = [{ type: "function", function: { ...FUNCTION, function: weather, parse: JSON.parse } }];
  const runner = sdk.chat.completions.runTools({ model: MODEL, messages: [USER], tools, stream: true });
  assert.equal(await runner.finalContent(), TEXT);
  return STREAMED;
}

export async function openai_responses(url) {
  const sdk = new OpenAI({ baseURL: `${url}/v1`, apiKey: "unused", maxRetries: 0 });
  const input = [USER];
  const ask = () =>
    sdk.responses
      .stream({ model: MODEL, input, tools: [{ type: "function", ...FUNCTION, strict: false }], store: false })
      .finalResponse();
  const [{ call_id, name, arguments: said }] = (await ask()).output.filter((item) => item.type === "function_call");
  input.push({ type: "function_call", call_id, name, arguments: said });
  input.push({ type: "function_call_output", call_id, output: weather(JSON.parse(said)) });
  assert.equal((await ask()).output_text, TEXT);
  return STREAMED;
}

export async function anthropic(url) {
  const sdk = new Anthropic({ baseURL: url, apiKey: "unused", maxRetries: 0 });
  const messages = [USER];
  const tools = [{ name: "weather", input_schema: SHAPE }];
  const ask = () => sdk.messages.stream({ model: MODEL, max_tokens: 100, messages, tools }).finalMessage();
  const { content } = await ask();
  const call = content.find((block) => block.type === "tool_use");
  messages.push({ role: "assistant", content });
  messages.push({ role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: weather(call.input) }] });
  assert.equal((await ask()).content[0].text, TEXT);
  return STREAMED;
}

export async function google(url) {
  const sdk = new GoogleGenAI({ apiKey: "unused", httpOptions: { baseUrl: url } });
  const tools = [{ functionDeclarations: [{ name: "weather", parametersJsonSchema: SHAPE }] }];
  const contents = [{ role: "user", parts: [{ text: QUESTION }] }];
  const first = await sdk.models.generateContent({ model: MODEL, contents, config: { tools } });
  const [{ name, args }] = first.functionCalls;
  contents.push(first.candidates[0].content);
  contents.push({ role: "user", parts: [{ functionResponse: { name, response: { result: weather(args) } } }] });
  const last = await sdk.models.generateContent({ model: MODEL, contents, config: { tools } });
  assert.equal(last.text, TEXT);
  return { asked: 2, result: "sunny in Oslo" };
}

export async function ollama(url) {
  const sdk = new Ollama({ host: url });
  const messages = [USER];
  const ask = async () => (await sdk.chat({ model: MODEL, messages, tools: [{ type: "function", function: FUNCTION }] })).message;
  const message = await ask();
  const [call] = message.tool_calls;
  messages.push(message, { role: "tool", tool_name: "weather", content: weather(call.function.arguments) });
  assert.equal((await ask()).content, TEXT);
  return { asked: 2, result: "sunny in Oslo" };
}

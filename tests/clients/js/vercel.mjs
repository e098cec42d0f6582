// Vercel's AI SDK through four of its providers: a tool's round, whole and streamed, and an answer of a given shape.

import assert from "node:assert/strict";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateObject, generateText, isStepCount, streamText, tool } from "ai";
import { z } from "zod";
import { MODEL, QUESTION, TEXT, weather } from "./said.mjs";

globalThis.AI_SDK_LOG_WARNINGS = false; // It would write them after the last line.

const tools = {
  weather: tool({ description: "The weather.", inputSchema: z.object({ city: z.string() }), execute: async (given) => weather(given) }),
};
const Person = z.object({ name: z.string(), age: z.number() });

const responses = (url) => createOpenAI({ baseURL: `${url}/v1`, apiKey: "unused" }).responses(MODEL);
const chat = (url) => createOpenAI({ baseURL: `${url}/v1`, apiKey: "unused" }).chat(MODEL);
const anthropic = (url) => createAnthropic({ baseURL: `${url}/v1`, apiKey: "unused" })(MODEL);
const google = (url) => createGoogleGenerativeAI({ baseURL: `${url}/v1beta`, apiKey: "unused" })(MODEL);
const compatible = (url) =>
  createOpenAICompatible({ name: "hoosh", baseURL: `${url}/v1`, apiKey: "unused", supportsStructuredOutputs: true })(MODEL);

const given = (model) => ({ model, tools, prompt: QUESTION, stopWhen: isStepCount(3), maxRetries: 0 });

async function called(model) {
  const answer = await generateText(given(model));
  assert.equal(answer.text, TEXT);
  assert.equal(answer.steps[0].toolCalls[0].input.city, "Oslo");
  return { asked: 2, result: "sunny in Oslo" };
}

async function streamed(model) {
  let text = "";
  for await (const piece of streamText(given(model)).textStream) text += piece;
  assert.equal(text, TEXT);
  return { asked: 2, result: "sunny in Oslo", streamed: true };
}

async function shaped(model) {
  const answer = await generateObject({ model, schema: Person, prompt: QUESTION, maxRetries: 0 });
  assert.deepEqual(answer.object, { name: "Ann", age: 3 });
  return { asked: 1, shape: "response_format" };
}

export const tool_responses = (url) => called(responses(url));
export const tool_chat = (url) => called(chat(url));
export const tool_anthropic = (url) => called(anthropic(url));
export const tool_google = (url) => called(google(url));
export const tool_compatible = (url) => called(compatible(url));
export const stream_responses = (url) => streamed(responses(url));
export const stream_chat = (url) => streamed(chat(url));
export const stream_anthropic = (url) => streamed(anthropic(url));
export const stream_google = (url) => streamed(google(url));
export const stream_compatible = (url) => streamed(compatible(url));
export const object_responses = (url) => shaped(responses(url));
export const object_chat = (url) => shaped(chat(url));
export const object_google = (url) => shaped(google(url));
export const object_compatible = (url) => shaped(compatible(url));

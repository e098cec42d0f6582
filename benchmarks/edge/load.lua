-- A 300-byte chat, no two bodies alike, so that the cache is asked each time and never answers.
local number = math.random(0, 899) * 1000000000
-- LOAD_DIALECT: in which dialect; openai_chat if it is not set.
local dialect = os.getenv("LOAD_DIALECT") or "openai_chat"
local asked = {
  openai_chat = { '{"model":"small-chat-1","stream":false,"temperature":0.7,"user":"u-1","messages":[{"role":"system",'
    .. '"content":"You are a helpful assistant."},{"role":"user","content":"Question ', '"}]}' },
  openai_responses = { '{"model":"small-chat-1","stream":false,"temperature":0.7,"user":"u-1","store":false,'
    .. '"instructions":"You are a helpful assistant.","input":"Question ', '"}' },
  anthropic = { '{"model":"small-chat-1","stream":false,"temperature":0.7,"max_tokens":200,"system":'
    .. '"You are a helpful assistant.","messages":[{"role":"user","content":"Question ', '"}]}' },
  gemini = { '{"generationConfig":{"temperature":0.7},"systemInstruction":{"parts":[{"text":'
    .. '"You are a helpful assistant."}]},"contents":[{"role":"user","parts":[{"text":"Question ', '"}]}]}' },
  ollama = { '{"model":"small-chat-1","stream":false,"options":{"temperature":0.7},"messages":[{"role":"system",'
    .. '"content":"You are a helpful assistant."},{"role":"user","content":"Question ', '"}]}' },
}
local before, after = asked[dialect][1], asked[dialect][2]
local words = string.rep("why is the sky blue? ", 20)

wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer a-key-of-a-caller-0123456789abcdef"


function init(args)
  math.randomseed(os.time())
  number = math.random(0, 899999) * 1000000
end

function request()
  number = number + 1
  local head = before .. string.format("%012d: ", number)
  return wrk.format(nil, nil, nil, head .. words:sub(1, 300 - #head - #after) .. after)
end

-- A 300-byte chat, no two bodies alike, so that the cache is asked each time and never answers.
local number = math.random(0, 899) * 1000000000
local before = '{"model":"small-chat-1","stream":false,"temperature":0.7,"user":"u-1","messages":[{"role":"system",'
  .. '"content":"You are a helpful assistant."},{"role":"user","content":"Question '
local after = '"}]}'
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
